//! The command line, exactly as typed.
//!
//! It knows the spelling of options and nothing of what they lead to; `settings.rs` makes sense of them. Only
//! `main.rs` parses.

use std::num::NonZeroU8;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum, ValueHint};
use lockdep::order::Discipline;
use lockdep_analyzer::render::Format;

use crate::reading::STAGES;

const EXIT_CODES: &str = "\
Exit codes:
  0    proved, possibly under assumptions, which are listed
  1    findings: a deadlock, or a nesting against the declared order; possible ones, too
  2    usage: wrong arguments, or there is nothing to prove
  101  the tool failed, or cargo did";

const EXAMPLES: &str = "\
Examples:
  cargo lockdep analyze                           the packages that `cargo check` would check here
  cargo lockdep analyze -p hv-core                one package
  cargo lockdep analyze --workspace --format json for an editor or a build farm
  cargo lockdep analyze --discipline flat         what would a single level per CPU have said?
  cargo +nightly lockdep analyze                  with another toolchain
  cargo lockdep explain lock-order-cycle          what a finding means and what to do about it";

const ANALYZE_EXAMPLES: &str = "\
Examples:
  cargo lockdep analyze -p hv-core
  cargo lockdep analyze --workspace --exclude hv-bench --features altp2m
  cargo lockdep analyze --format dot --output locks.dot && dot -Tsvg -O locks.dot
  cargo lockdep analyze --include-dep spin --include-dep lock_api
  cargo lockdep analyze --target x86_64-unknown-none --release
  cargo lockdep analyze --certificate proof.json --graph locks.json
  cargo lockdep analyze --witness deadlocks.json --graph locks.json";

const VERIFY_EXIT_CODES: &str = "\
Exit codes:
  0  the certificate proves that no circular wait exists in the graph
  1  it does not, or one of the files is damaged
  2  usage: wrong arguments, or a file cannot be read";

const REPLAY_EXIT_CODES: &str = "\
The locks are stand-ins that let in and keep out as those of the graph do; none of the program's code is run.

Exit codes:
  0  every schedule ended with each CPU waiting for the next
  1  one did not, or does not fit the graph, or one of the files is damaged
  2  usage: wrong arguments, or a file cannot be read";

/// Prove that no execution can deadlock on the workspace's locks, or show how one can
///
/// The proof is made from the compiler's own MIR, on the toolchain that builds the workspace; nothing is run.
#[derive(Debug, Parser)]
#[command(
    name = "cargo-lockdep",
    bin_name = "cargo lockdep",
    version,
    styles = clap_cargo::style::CLAP_STYLING,
    after_help = EXIT_CODES,
    after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"),
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options of every subcommand.
    #[command(flatten)]
    pub terminal: Terminal,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Prove the lock order of packages, or print what refutes it
    Analyze(Box<Analyze>),
    /// Explain a finding code: what it means, an example, and what to do
    Explain(Explain),
    /// List the finding codes, or what is known of code that is not read
    List(List),
    /// Check a certificate against a graph, independently of how it was found
    Verify(Verify),
    /// Run the schedules of a refutation on stand-ins of its locks, until every CPU waits
    Replay(Replay),
}

/// Options of every subcommand.
#[derive(Debug, Default, Args)]
pub struct Terminal {
    /// Say more of what is done; twice for more still
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,
    /// Print nothing but the report and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Whether to use colours [default: `CARGO_TERM_COLOR`, or auto]
    #[arg(long, global = true, value_name = "WHEN")]
    pub color: Option<ColorChoice>,
}

/// `cargo lockdep analyze`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{ANALYZE_EXAMPLES}\n\n{EXIT_CODES}"))]
pub struct Analyze {
    /// What the report looks like
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = Format::ALL[0].0,
        value_parser = PossibleValuesParser::new(Format::ALL.map(|(name, format)| described(name, format)))
    )]
    pub format: String,
    /// The policy to judge by [default: hierarchy]
    #[arg(
        long,
        value_name = "POLICY",
        value_parser = PossibleValuesParser::new(Discipline::ALL.map(|discipline| discipline.name))
    )]
    pub discipline: Option<String>,
    /// Where the report goes, instead of the standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Where the proof goes, if there is one, for `cargo lockdep verify`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub certificate: Option<PathBuf>,
    /// Where the schedules of the deadlocks go, if there are any, for `cargo lockdep replay`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub witness: Option<PathBuf>,
    /// Where the lock graph goes, without places in the code, for `cargo lockdep verify` and `replay`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub graph: Option<PathBuf>,
    /// Succeed if there are only possible findings: those that rest on calls not resolved to one function
    #[arg(long)]
    pub allow_possible: bool,
    /// Take a `RefCell` for a lock of one thread: to borrow it again is a `recursion`, and panics
    #[arg(long)]
    pub refcell: bool,
    /// How many domains control each other in a chain at most, which the program has to see to
    ///
    /// The program's own bound counts, too: `roles { …; tiers = N }` in `lock_order!`.
    #[arg(long, value_name = "N")]
    pub tiers: Option<NonZeroU8>,
    /// What the workspace says of its own locks and of these options [default: `lockdep.toml` at its root]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Find locks that are held while code of the callers of these packages runs, too
    #[arg(long)]
    pub callbacks: bool,
    /// Which packages.
    #[command(flatten, next_help_heading = "Package Selection")]
    pub packages: clap_cargo::Workspace,
    /// Analyze this dependency, too, as if it were a member; `all` for every one, NAME@VERSION for one of several
    #[arg(long, value_name = "NAME", help_heading = "Package Selection")]
    pub include_dep: Vec<String>,
    /// Which targets of them.
    #[command(flatten, next_help_heading = "Target Selection")]
    pub targets: Targets,
    /// Which features of them.
    #[command(flatten, next_help_heading = "Feature Selection")]
    pub features: clap_cargo::Features,
    /// How they are compiled.
    #[command(flatten, next_help_heading = "Compilation Options")]
    pub compilation: Compilation,
    /// Which manifest they come from.
    #[command(flatten, next_help_heading = "Manifest Options")]
    pub manifest: clap_cargo::Manifest,
    /// How dependencies are resolved.
    #[command(flatten, next_help_heading = "Manifest Options")]
    pub resolution: Resolution,
}

/// Cargo's own selection of targets; libraries and binaries if none is given, as with `cargo check`.
#[derive(Debug, Args)]
pub struct Targets {
    /// Analyze only the library
    #[arg(long)]
    pub lib: bool,
    /// Analyze the binaries
    #[arg(long)]
    pub bins: bool,
    /// Analyze this binary, with the library that it uses
    #[arg(long, value_name = "NAME")]
    pub bin: Vec<String>,
    /// Analyze the examples
    #[arg(long)]
    pub examples: bool,
    /// Analyze this example
    #[arg(long, value_name = "NAME")]
    pub example: Vec<String>,
    /// Analyze everything that `cargo test` would compile
    #[arg(long)]
    pub tests: bool,
    /// Analyze this test
    #[arg(long, value_name = "NAME")]
    pub test: Vec<String>,
    /// Analyze everything that `cargo bench` would compile
    #[arg(long)]
    pub benches: bool,
    /// Analyze this bench
    #[arg(long, value_name = "NAME")]
    pub bench: Vec<String>,
    /// Analyze the library, binaries, tests, examples and benches
    #[arg(long)]
    pub all_targets: bool,
}

impl Targets {
    /// Whether something is selected that dependencies for development are compiled for.
    pub fn need_dev_dependencies(&self) -> bool {
        let all = [self.examples, self.tests, self.benches, self.all_targets];
        let named = [&self.example, &self.test, &self.bench];
        all.contains(&true) || named.iter().any(|names| !names.is_empty())
    }
}

/// How the packages are compiled.
#[derive(Debug, Args)]
pub struct Compilation {
    /// Analyze in release mode, with the release profile
    #[arg(short, long, conflicts_with = "profile")]
    pub release: bool,
    /// Analyze with the given profile
    #[arg(long, value_name = "PROFILE-NAME")]
    pub profile: Option<String>,
    /// Analyze for the target triple
    #[arg(long, value_name = "TRIPLE")]
    pub target: Option<String>,
    /// Directory for all generated artifacts; ours go into `lockdep` below it
    #[arg(long, value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
    pub target_dir: Option<PathBuf>,
    /// Which text of the compiler is read
    #[arg(
        long,
        value_name = "STAGE",
        default_value = STAGES[0].0,
        value_parser = PossibleValuesParser::new(STAGES.map(|(name, _, help)| PossibleValue::new(name).help(help)))
    )]
    pub mir: String,
    /// Number of parallel jobs
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<String>,
}

/// How dependencies are resolved.
#[derive(Debug, Args)]
pub struct Resolution {
    /// Assert that `Cargo.lock` will remain unchanged
    #[arg(long)]
    pub locked: bool,
    /// Run without accessing the network
    #[arg(long)]
    pub offline: bool,
    /// Equivalent to specifying both --locked and --offline
    #[arg(long)]
    pub frozen: bool,
}

/// `cargo lockdep explain CODE`.
#[derive(Debug, Args)]
pub struct Explain {
    /// A finding code, such as `lock-order-cycle`; `cargo lockdep list` prints them all
    pub code: String,
}

/// `cargo lockdep list [WHAT]`.
#[derive(Debug, Args)]
pub struct List {
    /// What to list
    #[arg(value_enum, default_value_t)]
    pub what: Listed,
    /// What is said of locks of one's own, for `models` [default: `lockdep.toml` in this directory]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum Listed {
    /// The finding codes
    #[default]
    Codes,
    /// Lock types, guards and functions, in the form of `lockdep.toml`
    Models,
}

/// `cargo lockdep verify CERTIFICATE GRAPH`.
#[derive(Debug, Args)]
#[command(after_help = VERIFY_EXIT_CODES)]
pub struct Verify {
    /// What `analyze --certificate` wrote
    #[arg(value_hint = ValueHint::FilePath)]
    pub certificate: PathBuf,
    /// What `analyze --graph` wrote
    #[arg(value_hint = ValueHint::FilePath)]
    pub graph: PathBuf,
    /// Also search every hierarchy of up to so many domains for a circular wait among explicit locks
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=5))]
    pub domains: Option<u8>,
}

/// `cargo lockdep replay WITNESS GRAPH`.
#[derive(Debug, Args)]
#[command(after_help = REPLAY_EXIT_CODES)]
pub struct Replay {
    /// What `analyze --witness` wrote
    #[arg(value_hint = ValueHint::FilePath)]
    pub witness: PathBuf,
    /// What `analyze --graph` wrote
    #[arg(value_hint = ValueHint::FilePath)]
    pub graph: PathBuf,
}

fn described(name: &'static str, format: Format) -> PossibleValue {
    PossibleValue::new(name).help(match format {
        Format::Text => "For people, with source excerpts",
        Format::Json => "One document for programs",
        Format::Dot => "The lock graph for Graphviz",
        Format::List => {
            "The lock graph, a line for each class and nesting: made to be committed and compared"
        }
        Format::Sequence => "Each deadlock as a picture in text: what the CPUs hold, and how they block",
        Format::Svg => "The same pictures as an SVG document, for light and dark surroundings",
        Format::Smt => "Whether a deadlock exists, as a question for an SMT solver such as z3",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }
}
