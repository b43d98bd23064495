//! Packages by name and version: what cargo prints of them, and which dependencies a user means by a name.
//!
//! Pure text: cargo is asked elsewhere (`cargo.rs`), and `wrapper.rs` is told the answer in one variable.

use std::collections::BTreeSet;
use std::fmt;

use cargo_metadata::PackageId;
use thiserror::Error;

/// The name that stands for every dependency.
pub const ALL: &str = "all";

/// Names further apart than this are not near.
const NEAR: f64 = 0.7;

/// A package as people and cargo name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Package {
    /// The package that cargo describes.
    pub fn of(package: &cargo_metadata::Package) -> Package {
        Package { name: package.name.to_string(), version: package.version.to_string() }
    }

    /// The package of an identifier: `registry+…#spin@0.12.3`, `path+file:///…/hv-core#0.1.0`.
    pub fn of_id(id: &PackageId) -> Option<Package> {
        let (place, fragment) = id.repr.rsplit_once('#')?;
        let (name, version) = fragment
            .rsplit_once('@')
            .or_else(|| Some((place.split('?').next()?.rsplit('/').next()?, fragment)))?;
        Some(Package { name: name.to_owned(), version: version.to_owned() })
    }

    /// The package of a line of `cargo tree --prefix depth --format {p}`, with the depth it stands in:
    /// `1spin v0.12.3 (*)`.
    pub fn of_tree(line: &str) -> Option<(usize, Package)> {
        let mut words = line.split_whitespace();
        let first = words.next()?;
        let (depth, name) = first.split_at(first.find(|c: char| !c.is_ascii_digit())?);
        let version = words.next()?.strip_prefix('v')?.to_owned();
        Some((depth.parse().ok()?, Package { name: name.to_owned(), version }))
    }

    /// Whether `spec`, a name or `name@version`, means it. A version may be cut short at a dot.
    fn is_meant(&self, spec: &str) -> bool {
        let (name, version) =
            spec.split_once('@').map_or((spec, None), |(name, version)| (name, Some(version)));
        let same = |c: char| if c == '-' { '_' } else { c };
        name.chars().map(same).eq(self.name.chars().map(same))
            && version.is_none_or(|version| {
                let rest = self.version.strip_prefix(version);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-', '+']))
            })
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// What the tree of the selected packages is made of.
#[derive(Debug, Default, PartialEq)]
pub struct Tree {
    /// What was selected.
    pub roots: BTreeSet<Package>,
    /// What is compiled for it and can be in the program: neither procedural macros nor what only they and build
    /// scripts use.
    pub dependencies: BTreeSet<Package>,
}

impl Tree {
    /// Reads what `cargo tree` prints.
    pub fn read(text: &str) -> Tree {
        let mut tree = Tree::default();
        for (depth, package) in text.lines().filter_map(Package::of_tree) {
            if depth == 0 {
                tree.roots.insert(package)
            } else {
                tree.dependencies.insert(package)
            };
        }
        tree
    }

    /// The dependencies that are meant by the names; each has to mean one at least.
    pub fn included(&self, specs: &[String]) -> Result<BTreeSet<Package>, UnknownDependency> {
        let mut included = BTreeSet::new();
        for spec in specs {
            let before = included.len();
            let meant = |package: &&Package| spec == ALL || package.is_meant(spec);
            included.extend(self.dependencies.iter().filter(meant).cloned());
            let is_known = spec == ALL || included.len() > before || included.iter().any(|p| meant(&p));
            if !is_known && !self.roots.iter().any(|package| package.is_meant(spec)) {
                return Err(self.unknown(spec));
            }
        }
        Ok(included)
    }

    fn unknown(&self, spec: &str) -> UnknownDependency {
        let wanted = spec.split('@').next().unwrap_or(spec);
        let mut near: Vec<(f64, &Package)> = self
            .dependencies
            .iter()
            .map(|package| (strsim::jaro_winkler(wanted, &package.name), package))
            .filter(|(score, _)| *score > NEAR)
            .collect();
        near.sort_by(|(a, first), (b, second)| b.total_cmp(a).then_with(|| first.cmp(second)));
        let near = near.into_iter().take(5).map(|(_, package)| package.to_string()).collect();
        UnknownDependency { spec: spec.to_owned(), near, count: self.dependencies.len() }
    }
}

/// A name that is no dependency's.
#[derive(Debug, Error)]
#[error(
    "no dependency `{spec}`: {}\n\
     Procedural macros, and what only they and build scripts use, are not part of the program and cannot be included.",
    hint(near, *count)
)]
pub struct UnknownDependency {
    /// As it was typed.
    spec: String,
    /// Names like it, the nearest first.
    near: Vec<String>,
    /// How many dependencies there are.
    count: usize,
}

fn hint(near: &[String], count: usize) -> String {
    match (near, count) {
        ([], 0) => "what was selected has no dependencies".to_owned(),
        ([], count) => format!("none of the {count} dependencies of what was selected has a name like that"),
        (near, _) => format!("did you mean `{}`?", near.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str) -> Package {
        Package { name: name.into(), version: version.into() }
    }

    const TREE: &str = "0hv-core v0.1.0 (/home/me/hv core)\n1lock_api v0.4.14\n2scopeguard v1.2.0\n\
                        1spin v0.9.8\n1spin v0.12.3\n2lock_api v0.4.14 (*)\n";

    #[test]
    fn packages_are_read_however_cargo_prints_them() {
        for (id, name, version) in [
            ("registry+https://github.com/rust-lang/crates.io-index#lock_api@0.4.14", "lock_api", "0.4.14"),
            ("path+file:///home/me/hv-core#0.1.0", "hv-core", "0.1.0"),
            ("path+file:///home/me/dir#hv-core@0.1.0", "hv-core", "0.1.0"),
            ("git+https://example.org/loom?rev=1#0.7.0", "loom", "0.7.0"),
        ] {
            let id = PackageId { repr: id.into() };
            assert_eq!(Package::of_id(&id), Some(package(name, version)), "{id}");
        }
        let tree = Tree::read(TREE);
        assert_eq!(tree.roots, BTreeSet::from([package("hv-core", "0.1.0")]));
        assert_eq!(tree.dependencies.len(), 4);
    }

    #[test]
    fn a_name_means_every_version_and_a_version_means_one() {
        let tree = Tree::read(TREE);
        let included = |specs: &[&str]| {
            let specs: Vec<String> = specs.iter().map(ToString::to_string).collect();
            let found = tree.included(&specs).expect("known names");
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(included(&["spin"]), ["spin@0.12.3", "spin@0.9.8"]);
        assert_eq!(included(&["spin@0.9"]), ["spin@0.9.8"]);
        assert_eq!(included(&["lock-api", "lock_api"]), ["lock_api@0.4.14"]);
        assert_eq!(included(&["all"]).len(), 4);
        // Selected, and analyzed without being included.
        assert_eq!(included(&["hv-core"]), [""; 0]);
    }

    #[test]
    fn an_unknown_name_brings_the_near_ones() {
        let tree = Tree::read(TREE);
        let error = |spec: &str| tree.included(&[spec.to_owned()]).expect_err("unknown").to_string();
        assert!(error("lockapi").starts_with("no dependency `lockapi`: did you mean `lock_api@0.4.14`?\n"));
        assert!(error("spin@0.1").contains("`spin@0.12.3`, `spin@0.9.8`"), "{}", error("spin@0.1"));
        assert!(error("zzz").contains("none of the 4 dependencies"), "{}", error("zzz"));
    }
}
