//! The reader of rustc's MIR: text of one of three [`Stage`]s → [`ir`].
//!
//! The text is that of rustc 1.95 to 1.97 (stable and nightly print the same), made with `-Zmir-include-spans=on
//! -Ztrim-diagnostic-paths=no -Zspan-free-formats -Zdump-mir-exclude-alloc-bytes`. Other versions are not refused:
//! the reader is total, and what it cannot read is a [`Problem`] and stands in [`ir::Body::unread`], never silence.
//! It runs no compiler, reads no files and knows nothing of locks. Called by whoever obtained the text; everything
//! after it works on [`ir`] only.

pub mod ir;

mod bodies;
mod callees;
pub(crate) mod captures;
mod impl_headers;
mod items;
mod lex;
mod operands;
mod raw;
mod rvalues;
mod statements;
pub(crate) mod text;
mod trimmed;
mod types;

use std::borrow::Cow;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use captures::Hints;

pub(crate) use impl_headers::source_at;
pub use impl_headers::{impl_head, impl_header};
pub use items::Problem;

/// Which text of the compiler is read: the same grammar, at three moments of a compilation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// `-Zdump-mir=analysis`, a file for each body: every move is a move, no drop is elaborated, `.await` is a `yield`.
    #[default]
    Analysis,
    /// `-Zunpretty=mir -Zmir-opt-level=0`, a text for each crate: drops are elaborated, coroutines are state machines.
    Unoptimized,
    /// `--emit=mir`, a text for each crate, of a compiler that takes no unstable options: as before, slightly optimized,
    /// without positions, and names are printed short where that is unambiguous.
    Emitted,
}

/// How the names of the files end that hold the stage this reads.
const SUFFIX: &str = ".analysis.after.mir";

/// How those end that hold promoted constants: these skip that stage, and what follows it does not change them.
const PROMOTED_SUFFIX: &str = ".analysis-post-cleanup.after.mir";

/// Reads one dump file; its first body gets the definition path `id`.
///
/// What is in a body can be relied on: every local and every block that is mentioned exists. A body whose parts do
/// not fit together has no blocks, and says so in [`ir::Body::unread`].
pub fn read_body(id: &str, text: &str) -> (Vec<ir::Body>, Vec<Problem>) {
    items::read_file(id, text, &Hints::default())
}

/// The crate and the definition path in the name of a dump file: `probe.ld-{impl#0}-lock.2-1-000.analysis.after.mir`
/// → `probe`, `ld::{impl#0}::lock`. None for files of other stages.
pub fn id_of_file(name: &str) -> Option<(String, String)> {
    id_in(name.strip_suffix(SUFFIX)?)
}

/// The same of a promoted constant: `probe.ld-promoted[0].2-2-000.analysis-post-cleanup.after.mir` → `probe`,
/// `ld::promoted[0]`.
pub fn promoted_of_file(name: &str) -> Option<(String, String)> {
    id_in(name.strip_suffix(PROMOTED_SUFFIX)?).filter(|(_, id)| is_promoted(id))
}

/// Whether a path is that of a promoted constant.
pub(crate) fn is_promoted(path: &str) -> bool {
    path.rsplit("::").next().is_some_and(|last| last.starts_with("promoted["))
}

fn id_in(name: &str) -> Option<(String, String)> {
    let (krate, mut path) = name.split_once('.')?;
    // `.2-1-000` is the number of the pass; it can be left out.
    if let Some((before, pass)) = path.rsplit_once('.')
        && pass.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
    {
        path = before;
    }
    (!krate.is_empty() && !path.is_empty()).then(|| (krate.to_owned(), path.replace('-', "::")))
}

/// Reads one dump file of a crate, by its name.
pub(crate) fn read_dump_file(
    krate: &str,
    name: &str,
    text: &str,
    hints: &Hints,
) -> (Vec<ir::Body>, Vec<Problem>) {
    let (owner, id) = id_of_file(name).or_else(|| promoted_of_file(name)).unwrap_or_default();
    let (bodies, mut problems) = items::read_file(&id, text, hints);
    if owner != krate {
        let text = format!("the file belongs to the crate `{owner}`, not `{krate}`");
        problems.push(Problem { file: String::new(), line: 0, text });
    }
    if let Some(first) = bodies.first()
        && !is_path_of(&first.path, &id)
    {
        let text = format!("the file of `{id}` begins with `{}`", first.path);
        problems.push(Problem { file: String::new(), line: 0, text });
    }
    for problem in &mut problems {
        name.clone_into(&mut problem.file);
    }
    (bodies, problems)
}

/// Reads the text of a whole crate, made at the stage `stage`.
pub fn read_text(krate: &str, text: &str, stage: Stage) -> (ir::Program, Vec<Problem>) {
    let (bodies, problems) = text::read(krate, text, stage, &Default::default());
    (ir::Program { krate: krate.to_owned(), bodies, ..ir::Program::default() }, problems)
}

/// Reads the dump files of one crate, given as (file name, text). Files of other stages are not looked at.
///
/// The result depends on the set of files only, not on their order.
pub fn read_dump(krate: &str, files: &[(String, String)]) -> (ir::Program, Vec<Problem>) {
    let mut read: Vec<_> = files
        .par_iter()
        .filter(|(name, _)| id_of_file(name).is_some())
        .map(|(name, text)| {
            let (bodies, problems) = read_dump_file(krate, name, text, &Hints::default());
            (name, bodies, problems)
        })
        .collect();
    read.sort_by_key(|(name, ..)| *name);
    let mut program = ir::Program { krate: krate.to_owned(), ..ir::Program::default() };
    let mut problems = Vec::new();
    for (_, bodies, unread) in read {
        program.bodies.extend(bodies);
        problems.extend(unread);
    }
    program.bodies.sort_by(|a, b| a.id.cmp(&b.id));
    for pair in program.bodies.windows(2) {
        if let [first, second] = pair
            && first.id == second.id
        {
            let text = "two bodies have this definition path".to_owned();
            problems.push(Problem { file: second.id.clone(), line: 0, text });
        }
    }
    (program, problems)
}

/// `a::_::B` of `a::_#1::B`: what tells items of one name apart is not printed.
fn without_numbers(id: &str) -> Cow<'_, str> {
    if !id.split("::").any(|segment| !segment.starts_with('{') && segment.contains('#')) {
        return Cow::Borrowed(id);
    }
    let plain = |segment: &str| match segment.split_once('#') {
        Some((name, _)) if !segment.starts_with('{') => name.to_owned(),
        _ => segment.to_owned(),
    };
    Cow::Owned(id.split("::").map(plain).collect::<Vec<_>>().join("::"))
}

/// Whether a header may print `path` for the definition path `id`: `<impl at src/a.rs:1:1: 1:9>` for `{impl#0}`.
fn is_path_of(path: &str, id: &str) -> bool {
    let Some((before, rest)) = path.split_once("<impl at ") else { return path == without_numbers(id) };
    let id = &*without_numbers(id);
    let after = rest.split_once('>').map(|(_, after)| after);
    let inside = id.strip_prefix(before).and_then(|id| id.strip_prefix("{impl#"));
    let of_id = inside.map(|id| id.trim_start_matches(|c: char| c.is_ascii_digit()));
    match (after, of_id.and_then(|id| id.strip_prefix('}'))) {
        (Some(path), Some(id)) => is_path_of(path, id),
        _ => false,
    }
}
