//! Names of source files that mean the same on every machine.
//!
//! Pure text: nothing is looked up, and the way back is the business of who still knows the directories.

/// The part of an absolute path that means the same on every machine: `spin-0.10.0/src/mutex.rs` of a registry,
/// `library/core/src/option.rs` of the standard library, `build-script/out/x.rs` of generated code, and of anything
/// else what follows the directory that contains `src`. None if the path is relative already.
pub fn short_path(path: &str) -> Option<String> {
    let path = path.replace('\\', "/");
    let drive = path.split_once(":/").is_some_and(|(drive, _)| drive.len() == 1);
    if !path.starts_with('/') && !drive {
        return None;
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let after = |marker: &[&str]| {
        parts.windows(marker.len()).rposition(|window| window == marker).map(|at| &parts[at + marker.len()..])
    };
    let unhashed = |name: &str| name.rsplit_once('-').map_or(name, |(stem, _)| stem).to_owned();
    if let Some([_index, rest @ ..]) = after(&["registry", "src"]) {
        return Some(rest.join("/"));
    }
    if let Some([repository, _revision, rest @ ..]) = after(&["git", "checkouts"]) {
        return Some(format!("{}/{}", unhashed(repository), rest.join("/")));
    }
    if let Some(rest) = after(&["rustlib", "src", "rust"]) {
        return Some(rest.join("/"));
    }
    if let ["rustc", _commit, rest @ ..] = parts.as_slice() {
        return Some(rest.join("/"));
    }
    if let Some([package, "out", rest @ ..]) = after(&["build"]) {
        return Some(format!("{}/out/{}", unhashed(package), rest.join("/")));
    }
    let above_src = parts.iter().rposition(|part| *part == "src").and_then(|src| src.checked_sub(1));
    let tail = above_src.unwrap_or_else(|| parts.len().saturating_sub(2));
    parts.get(tail..).map(|tail| tail.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_mean_the_same_on_every_machine() {
        for (long, short) in [
            (
                "/h/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/spin-0.9.8/src/once.rs",
                "spin-0.9.8/src/once.rs",
            ),
            ("/h/.cargo/git/checkouts/loom-3ac0/f1b2/src/rt/mod.rs", "loom/src/rt/mod.rs"),
            ("/rustc/59807616/library/core/src/option.rs", "library/core/src/option.rs"),
            ("/t/lib/rustlib/src/rust/library/std/src/io/mod.rs", "library/std/src/io/mod.rs"),
            ("/w/target/debug/build/hv-core-0123/out/tables.rs", "hv-core/out/tables.rs"),
            ("/home/me/src/kernel/mm/src/p2m.rs", "mm/src/p2m.rs"),
            ("/home/me/kernel/p2m.rs", "kernel/p2m.rs"),
            ("C:\\w\\mm\\src\\p2m.rs", "mm/src/p2m.rs"),
        ] {
            assert_eq!(short_path(long).as_deref(), Some(short), "{long}");
        }
        assert_eq!(short_path("src/p2m.rs"), None);
    }
}
