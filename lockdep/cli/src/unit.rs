//! A compiler's command line, as far as it has to be understood.
//!
//! It tells the compilation of a unit from the questions that cargo and build scripts ask the compiler, and says
//! where the unit's facts belong. It starts nothing; `wrapper.rs` is its only user.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::wrapper::EXTENSION;

/// One compilation.
#[derive(Debug, Default, PartialEq)]
pub struct Unit {
    /// `--crate-name`.
    pub crate_name: String,
    /// `--crate-type`, each.
    pub crate_types: Vec<String>,
    /// `--test`.
    pub test: bool,
    /// `--edition`.
    pub edition: Option<String>,
    /// `--emit` has code in it: the unit is made for what runs inside the build.
    emits_code: bool,
    out_dir: PathBuf,
    extra_filename: String,
}

impl Unit {
    /// The unit that cargo compiles with these arguments. Cargo asks for JSON and gives metadata; a question such as
    /// `-vV`, and a build script that probes what the compiler can do, does not.
    pub fn parse(arguments: &[OsString]) -> Option<Unit> {
        let arguments = expand(arguments);
        let mut unit = Unit::default();
        let (mut json, mut metadata) = (false, false);
        let mut rest = arguments.iter().map(|argument| &**argument);
        while let Some(argument) = rest.next() {
            let (option, joined) = match argument.strip_prefix("-C") {
                Some(value) => ("-C", Some(value).filter(|value| !value.is_empty())),
                None => match argument.split_once('=') {
                    Some((option, value)) => (option, Some(value)),
                    None => (argument, None),
                },
            };
            let mut value = || joined.or_else(|| rest.next()).unwrap_or_default();
            match option {
                "--crate-name" => unit.crate_name = value().to_owned(),
                "--crate-type" => unit.crate_types.push(value().to_owned()),
                "--edition" => unit.edition = Some(value().to_owned()),
                "--out-dir" => unit.out_dir = value().into(),
                "--test" => unit.test = true,
                "--emit" => unit.emits_code |= value().split(',').any(|kind| kind.starts_with("link")),
                "--error-format" => json = value() == "json",
                "-C" => match value().split_once('=') {
                    Some(("metadata", _)) => metadata = true,
                    Some(("extra-filename", suffix)) => unit.extra_filename = suffix.to_owned(),
                    _ => {}
                },
                _ => {}
            }
        }
        (json && metadata && !unit.crate_name.is_empty()).then_some(unit)
    }

    /// Whether its locks are the program's. A procedural macro and a build script run inside the build, and so does what
    /// is compiled for them: of everything else cargo wants no code, as it only checks.
    pub fn is_analyzed(&self) -> bool {
        !self.emits_code
            && !self.crate_types.iter().any(|kind| kind == "proc-macro")
            && !self.crate_name.starts_with("build_script_")
    }

    /// `test`, `bin`, or the first crate type.
    pub fn kind(&self) -> &str {
        if self.test { "test" } else { self.crate_types.first().map_or("lib", String::as_str) }
    }

    /// Where a text about it may lie while it is read.
    pub fn aside(&self, extension: &str) -> PathBuf {
        self.facts_file().with_extension(extension)
    }

    /// Where its facts belong: beside the artifact and under its name, so that the two live and die together.
    pub fn facts_file(&self) -> PathBuf {
        self.out_dir.join(format!("{}{}.{EXTENSION}", self.crate_name, self.extra_filename))
    }

    /// The arguments without incremental compilation, under which only what has changed would be written.
    pub fn without_incremental(arguments: &[OsString]) -> Vec<OsString> {
        without(arguments.iter().cloned(), &[], &["incremental"])
    }

    /// The arguments without what says which files the compiler is to write, for a compilation that prints instead.
    pub fn without_outputs(arguments: &[OsString]) -> Vec<OsString> {
        let arguments = expand(arguments).into_iter().map(|argument| OsString::from(argument.into_owned()));
        let options = ["--emit", "--out-dir", "--json", "--error-format"];
        without(arguments, &options, &["incremental", "extra-filename"])
    }
}

/// The arguments without these options and without these options of `-C`, each with its value, however it is spelt.
fn without(arguments: impl Iterator<Item = OsString>, options: &[&str], codegen: &[&str]) -> Vec<OsString> {
    let is_dropped = |value: &str| codegen.iter().any(|name| value.split('=').next() == Some(*name));
    let mut kept: Vec<OsString> = Vec::new();
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        let (name, is_joined) = text.split_once('=').map_or((&*text, false), |(name, _)| (name, true));
        if options.contains(&name) {
            if !is_joined {
                arguments.next();
            }
        } else if text == "-C" {
            let Some(value) = arguments.next() else { continue };
            if !is_dropped(&value.to_string_lossy()) {
                kept.extend([argument, value]);
            }
        } else if !text.strip_prefix("-C").is_some_and(is_dropped) {
            kept.push(argument);
        }
    }
    kept
}

/// The arguments as text, those in `@file`s included: cargo uses such a file where a command line is too long.
fn expand(arguments: &[OsString]) -> Vec<Cow<'_, str>> {
    let mut expanded = Vec::new();
    for argument in arguments {
        let argument = argument.to_string_lossy();
        match argument.strip_prefix('@').and_then(|file| std::fs::read_to_string(file).ok()) {
            Some(text) => expanded.extend(text.lines().map(|line| Cow::Owned(line.to_owned()))),
            None => expanded.push(argument),
        }
    }
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn a_unit_is_told_from_a_question() {
        let unit = "--crate-name a --edition=2024 src/lib.rs --error-format=json --crate-type lib -C metadata=46 \
                    -C extra-filename=-52 --out-dir /t/deps";
        let parsed = Unit::parse(&arguments(unit)).expect("a unit");
        assert_eq!((parsed.kind(), parsed.edition.as_deref()), ("lib", Some("2024")));
        assert_eq!(parsed.facts_file(), PathBuf::from("/t/deps/a-52.lockdep"));
        assert!(parsed.is_analyzed());
        for question in
            ["-vV", "- --crate-name ___ --print=cfg", "--crate-name probe --emit=metadata --out-dir /t -"]
        {
            assert_eq!(Unit::parse(&arguments(question)), None, "{question}");
        }
    }

    #[test]
    fn what_runs_inside_the_build_is_not_analyzed() {
        for inside in [
            "--crate-name m --crate-type proc-macro",
            "--crate-name build_script_build --crate-type bin",
            "--crate-name syn --crate-type lib --emit=dep-info,metadata,link",
        ] {
            let unit = format!("{inside} --error-format=json -Cmetadata=1");
            assert!(!Unit::parse(&arguments(&unit)).expect("a unit").is_analyzed(), "{inside}");
        }
    }

    #[test]
    fn incremental_compilation_is_taken_out_however_it_is_spelt() {
        let given = arguments("-C incremental=/t -Cincremental=/u -C opt-level=1 incremental.rs");
        assert_eq!(Unit::without_incremental(&given), ["-C", "opt-level=1", "incremental.rs"]);
    }

    #[test]
    fn a_unit_that_prints_writes_no_other_files() {
        let given = arguments(
            "--crate-name a --emit=metadata --emit link --out-dir /t -Cextra-filename=-1 -C metadata=1 --cfg json \
             --error-format=json --json=artifacts -Cincremental=/t a.rs",
        );
        let kept = arguments("--crate-name a -C metadata=1 --cfg json a.rs");
        assert_eq!(Unit::without_outputs(&given), kept);
    }
}
