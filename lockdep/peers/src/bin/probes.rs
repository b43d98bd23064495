//! Prints what ours and each peer say of every probe: `cargo run --release --bin probes` in `lockdep/peers`.
//!
//! One row per probe, one column per checker; about a minute, most of it waiting for what hangs.

use std::fmt;

use lockdep_peers::family::Family;
use lockdep_peers::ours::Ours;
use lockdep_peers::peers::{AxKspin, Deloxide, Detecting, Hierarchy, Tracing};
use lockdep_peers::probe::{Should, probes};
use lockdep_peers::trial::{Verdict, run_if_told, trial};
use lockdep_peers::xen::Xen;

/// The verdict as it stands in a table, beside what it should be.
struct Cell(Verdict, Should);

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match (self.0, self.1) {
            (Verdict::NotApplicable, _) => "n/a",
            (Verdict::Aborted, _) => "ABORTS",
            (Verdict::Hung, _) => "HANGS",
            (Verdict::ReportedButHung, _) => "hangs, reported",
            (Verdict::Reported, Should::Report) => "yes",
            (Verdict::Reported, _) => "FALSE ALARM",
            (Verdict::Silent, Should::Report) => "MISSED",
            (Verdict::Silent, _) => "ok",
        })
    }
}

/// What came of all probes of a family.
fn column<F: Family>() -> (&'static str, Vec<Cell>) {
    let cells = probes::<F>().iter().map(|probe| Cell(trial(probe, &[]), probe.should)).collect();
    (F::NAME, cells)
}

macro_rules! families {
    ($($family:ident),*) => {{
        $(run_if_told::<$family>();)*
        [$(column::<$family>()),*]
    }};
}

fn main() {
    let columns = families!(Ours, Tracing, Deloxide, Detecting, Hierarchy, AxKspin, Xen);
    print!("{:47} {:11}", "probe", "should");
    columns.iter().for_each(|(name, _)| print!(" {name:>15}"));
    println!();
    for (row, probe) in probes::<Ours>().iter().enumerate() {
        let should = if probe.should == Should::Report { "report" } else { "stay silent" };
        print!("{:47} {should:11}", probe.name);
        columns.iter().for_each(|(_, cells)| print!(" {:>15}", cells[row]));
        println!();
    }
    for (label, is) in [("reported before any hang", true), ("silent where it should be", false)] {
        print!("{label:59}");
        for (_, cells) in &columns {
            let asked = |cell: &&Cell| cell.0 != Verdict::NotApplicable && (cell.1 == Should::Report) == is;
            let asked: Vec<&Cell> = cells.iter().filter(asked).collect();
            let right = asked.iter().filter(|cell| cell.0.is_right(cell.1)).count();
            print!(" {:>15}", format!("{right} of {}", asked.len()));
        }
        println!();
    }
}
