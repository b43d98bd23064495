//! How the analysis grows with the workspace: `cargo bench -p lockdep-analyzer --bench scale`.
//!
//! Workspaces of 250, 500 and 1,000 crates of some two thousand lines each, made up (`scale/workspace.rs`), encoded as
//! facts, and then decoded, analyzed and judged as `cargo lockdep analyze` does it. Each runs in a process of its own, so
//! that its peak memory is its own. `LOCKDEP_SCALE_CRATES=100,200` for other sizes, `LOCKDEP_SCALE_LOCKS=std` for
//! undeclared locks. The verdicts are checked: proved, and with an inversion planted, refuted.

#[path = "scale/function.rs"]
mod function;
#[path = "scale/workspace.rs"]
mod workspace;

use std::process::{Command, ExitCode};
use std::time::Instant;
use std::{env, fs};

use lockdep::order::Discipline;
use lockdep_analyzer::analyze;
use lockdep_analyzer::facts::Facts;
use lockdep_analyzer::finding::Verdict;
use lockdep_analyzer::judge::judge;
use workspace::{Locks, Workspace};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: &str = "250,500,1000";

/// What a process of its own measures, in this order, and prints in one line.
const COLUMNS: [&str; 9] = [
    "bodies",
    "statements",
    "nestings",
    "facts MB",
    "decode s",
    "analyze s",
    "judge s",
    "facts peak",
    "peak MB",
];

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1).skip_while(|argument| argument != "--one").skip(1);
    if let (Some(crates), Some(variant)) = (arguments.next(), arguments.next()) {
        one(crates.parse().expect("a number of crates"), variant == "inverted");
        return ExitCode::SUCCESS;
    }
    let sizes = env::var("LOCKDEP_SCALE_CRATES").unwrap_or(SIZES.to_owned());
    println!("{:>7} {:>9} {}", "crates", "", COLUMNS.map(|column| format!("{column:>10}")).join(" "));
    let mut measured: Vec<(f64, f64)> = Vec::new();
    for size in sizes.split(',') {
        for variant in ["ordered", "inverted"] {
            let Some(values) = child(size, variant) else { return ExitCode::FAILURE };
            let shown: Vec<String> = values.iter().map(|value| format!("{value:>10}")).collect();
            println!("{size:>7} {variant:>9} {}", shown.join(" "));
            if variant == "ordered" {
                let seconds = values[5..7].iter().map(|text| text.parse::<f64>().expect("seconds")).sum();
                measured.push((size.parse().expect("a number of crates"), seconds));
            }
        }
    }
    if measured.len() > 1 {
        println!("time of analyze and judge grows as crates^{:.2}", exponent(&measured));
    }
    ExitCode::SUCCESS
}

fn child(size: &str, variant: &str) -> Option<Vec<String>> {
    let program = env::current_exe().expect("this program");
    let output = Command::new(program).args(["--one", size, variant]).output().expect("this program again");
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        eprintln!("{size} {variant}: {}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    Some(line.split_whitespace().map(str::to_owned).collect())
}

fn one(crates: usize, inverted: bool) {
    let locks = match env::var("LOCKDEP_SCALE_LOCKS").as_deref() {
        Ok("std") => Locks::Std,
        _ => Locks::Declared,
    };
    let workspace = Workspace { crates, locks, inverted };
    let encode = |number| workspace.facts(number).encode().expect("facts");
    let files: Vec<Vec<u8>> = (0..crates).map(encode).collect();
    let size: usize = files.iter().map(Vec::len).sum();

    let start = Instant::now();
    let facts: Vec<Facts> =
        files.into_iter().map(|file| Facts::decode(&file).expect("its own facts")).collect();
    let (decoded, facts_peak) = (start.elapsed(), peak());
    let bodies = facts.iter().flat_map(|facts| &facts.program.bodies);
    let statements: usize = bodies.flat_map(|body| &body.blocks).map(|block| block.statements.len()).sum();

    let start = Instant::now();
    let graph = analyze(facts).expect("there are locks");
    let analyzed = start.elapsed();
    let (bodies, nestings) = (graph.bodies, graph.nestings.len());
    let start = Instant::now();
    let judgement = judge(graph, &Discipline::HIERARCHY);
    let judged = start.elapsed();
    match judgement.verdict {
        Verdict::ProvedUnder(_) if !inverted => {}
        Verdict::Refuted(_) if inverted => {}
        verdict => panic!("{verdict:?}: {:#?}", judgement.findings.first()),
    }
    println!(
        "{bodies} {statements} {nestings} {:.1} {:.2} {:.2} {:.2} {} {}",
        size as f64 / 1e6,
        decoded.as_secs_f64(),
        analyzed.as_secs_f64(),
        judged.as_secs_f64(),
        megabytes(facts_peak),
        megabytes(peak()),
    );
}

/// The most memory that this process ever had, where the system tells.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

fn megabytes(kilobytes: Option<u64>) -> String {
    kilobytes.map_or("?".to_owned(), |kilobytes| (kilobytes / 1000).to_string())
}

/// The slope of the line through the logarithms.
fn exponent(measured: &[(f64, f64)]) -> f64 {
    let points: Vec<(f64, f64)> = measured.iter().map(|(x, y)| (x.ln(), y.max(1e-3).ln())).collect();
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
    let covariance: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    covariance / points.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>()
}
