//! Facts of text, body by body: what is read is made bytes at once, so that neither texts nor bodies pile up.
//!
//! It says which bodies the compiler has lost, and takes them from another text of it. It runs no compiler and reads no
//! files: who has them hands them out. The command line calls it from inside a compilation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::headers::Headers;
use super::unprinted::{Layouts, Use, note_layouts};
use super::{FactsError, Header, Volume, bounds, bytes, harness, lent, macros, short_path};
use crate::mir::captures::{Hints, NOT_PRINTED};
use crate::mir::ir::{AggregateKind, Body, Bound, Rvalue, Span, StatementKind, Trait};
use crate::mir::{self, Problem, Stage, text};

/// The compiler silently writes no file whose name is longer than this.
const NAME_LIMIT: usize = 255;

/// Where a name comes this close, a longer one is likely enough to have been lost that it has to be looked for.
const LONG_NAME: usize = NAME_LIMIT - 48;

/// A body whose definition path is longer may have been lost; the file's name has the crate and the stage besides.
const LONG_PATH: usize = 150;

/// What a file's name has besides the crate and the path of a function in a module: an impl, a closure, the stage.
const BESIDES: usize = "-{impl#1000}-{closure#100}.analysis.after.mir".len();

/// How a source or a text is had.
pub type Texts<'t> = &'t (dyn Fn(&str) -> Option<String> + Sync);

/// What is kept of a body that is bytes already.
#[derive(Debug)]
struct Kept {
    id: String,
    path: String,
    /// Where its impl stands, if that could not be read.
    lost_impl: Option<Span>,
    /// The bounds that its impl states.
    bounds: Arc<[Bound]>,
    /// The file that it is in, by its long name.
    file: Arc<str>,
    /// The closures that it builds, and where.
    closures: Vec<(String, Span)>,
    /// The structs that it builds, with the names of their fields.
    structs: Vec<(String, Vec<String>)>,
    /// The promoted constants that it uses and that may hold code.
    promoted: Vec<Use>,
    bytes: Vec<u8>,
}

/// What was read of a file.
struct ReadFile {
    bodies: Vec<Kept>,
    problems: Vec<Problem>,
    volume: Volume,
    lacks_captures: bool,
}

/// What the files say of the captures that some of them lack.
fn hints(files: &[ReadFile], names: &[&String], texts: Texts<'_>) -> Hints {
    let mut hints = Hints::default();
    let lacking = files.iter().filter(|file| file.lacks_captures).flat_map(|file| &file.bodies);
    let wanted: BTreeSet<&str> = lacking.flat_map(|body| &body.closures).map(|(id, _)| id.as_str()).collect();
    for name in names {
        let Some((_, id)) = mir::id_of_file(name).filter(|(_, id)| wanted.contains(id.as_str())) else {
            continue;
        };
        hints.captures.insert(id, Hints::captures_of(&texts(name).unwrap_or_default()));
    }
    for (path, fields) in files.iter().flat_map(|file| &file.bodies).flat_map(|body| &body.structs) {
        hints.fields.entry(path.clone()).or_insert_with(|| fields.clone());
    }
    hints
}

/// Facts being made.
#[derive(Debug)]
pub struct Extraction {
    header: Header,
    bodies: Vec<Kept>,
    problems: Vec<String>,
    traits: Vec<Trait>,
    /// Of the structs that constants are which were not printed.
    layouts: Layouts,
    volume: Volume,
    longest_name: String,
    /// The length that a name may have, by the sources.
    expected_name: usize,
}

impl Extraction {
    /// Reads a dump: `names` are those of the files rustc wrote, `texts` gives the text of one, and `sources` the text of
    /// a source file by its path as printed.
    pub fn of_dump(
        header: Header,
        names: &[String],
        texts: Texts<'_>,
        sources: Texts<'_>,
    ) -> Result<Extraction, FactsError> {
        let headers = Headers::new(sources);
        let (krate, test) = (header.krate.clone(), header.test);
        let read = |name: &str, hints: &Hints| -> Result<ReadFile, FactsError> {
            let text = texts(name).unwrap_or_default();
            let (bodies, problems) = mir::read_dump_file(&krate, name, &text, hints);
            let volume = volume(&text, bodies.len(), problems.len());
            drop(text);
            let lacks_captures = bodies.iter().any(|body| body.unread.iter().any(|line| line == NOT_PRINTED));
            let kept: Result<Vec<Kept>, _> =
                bodies.into_iter().map(|body| keep(body, &headers, test)).collect();
            Ok(ReadFile { bodies: kept?, problems, volume, lacks_captures })
        };
        let read_all = |names: &[&String]| -> Result<Vec<ReadFile>, FactsError> {
            names.par_iter().map(|name| read(name, &Hints::default())).collect()
        };
        let (promoted, names): (Vec<&String>, Vec<&String>) =
            names.iter().partition(|name| mir::promoted_of_file(name).is_some());
        let mut files = read_all(&names)?;
        if files.iter().any(|file| file.lacks_captures) {
            let hints = hints(&files, &names, texts);
            for (name, file) in names.iter().zip(&mut files).filter(|(_, file)| file.lacks_captures) {
                *file = read(name, &hints)?;
            }
        }
        let used = files.iter().flat_map(|file| &file.bodies).flat_map(|body| &body.promoted);
        let used: BTreeSet<&str> = used.map(|used| used.id.as_str()).collect();
        let is_used =
            |name: &&&String| mir::promoted_of_file(name).is_some_and(|(_, id)| used.contains(id.as_str()));
        let promoted: Vec<&String> = promoted.iter().filter(is_used).copied().collect();
        let promoted = read_all(&promoted)?;
        let mut extraction = Extraction::empty(header);
        for file in files.into_iter().chain(promoted) {
            extraction.bodies.extend(file.bodies);
            extraction.problems.extend(file.problems.iter().map(ToString::to_string));
            extraction.volume += file.volume;
        }
        extraction.problems.sort();
        extraction.longest_name =
            names.into_iter().max_by_key(|name| (name.len(), *name)).cloned().unwrap_or_default();
        Ok(extraction)
    }

    /// Reads the text of a whole crate, which is of the stage in `header`.
    pub fn of_text(header: Header, text: &str, sources: Texts<'_>) -> Result<Extraction, FactsError> {
        let headers = Headers::new(sources);
        let (bodies, problems) = text::read(&header.krate, text, header.stage, &BTreeMap::new());
        let test = header.test;
        let mut extraction = Extraction::empty(header);
        extraction.volume = volume(text, bodies.len(), problems.len());
        extraction.problems = problems.iter().map(ToString::to_string).collect();
        let kept: Result<Vec<Kept>, _> =
            bodies.into_par_iter().map(|body| keep(body, &headers, test)).collect();
        extraction.bodies = kept?;
        Ok(extraction)
    }

    fn empty(header: Header) -> Extraction {
        Extraction {
            header,
            bodies: Vec::new(),
            problems: Vec::new(),
            traits: Vec::new(),
            layouts: Layouts::new(),
            volume: Volume::default(),
            longest_name: String::new(),
            expected_name: 0,
        }
    }

    /// How much was read.
    pub fn volume(&self) -> Volume {
        self.volume
    }

    /// Notes what a source file of the crate declares: its traits, and how long names of files may be for it.
    pub fn note_source(&mut self, file: &str, source: &str) {
        self.traits.extend(bounds::traits(source));
        let tables = self.bodies.iter().flat_map(|body| &body.promoted).filter_map(Use::table);
        note_layouts(source, &tables.map(str::to_owned).collect(), &mut self.layouts);
        let module = file.rsplit_once("src/").map_or(file, |(_, module)| module);
        let (function, modules) = identifiers(source);
        let length = self.header.krate.len() + 1 + module.len() + modules + 1 + function + BESIDES;
        self.expected_name = self.expected_name.max(length);
    }

    /// Whether the compiler may have lost bodies.
    pub fn may_lack_bodies(&self) -> bool {
        self.has_long_names() || !self.missing().is_empty()
    }

    /// Adds the bodies that were lost from a text of the whole crate, of the stage `stage`.
    pub fn complete(&mut self, text: &str, stage: Stage, sources: Texts<'_>) -> Result<(), FactsError> {
        let (headers, test) = (Headers::new(sources), self.header.test);
        let known: BTreeSet<&str> = self.bodies.iter().map(|body| body.path.as_str()).collect();
        let impls = self.bodies.iter().filter_map(|body| text::impl_of(&body.path, &body.id)).collect();
        let (bodies, problems) = text::read(&self.header.krate, text, stage, &impls);
        // Constructors and constants without a body are in this text only, and were not lost: that is a body whose file
        // has no room for its name.
        let lost: Vec<Body> = bodies
            .into_iter()
            .filter(|body| body.id.len() > LONG_PATH && !known.contains(body.path.as_str()))
            .filter(|body| !body.blocks.is_empty() || !body.unread.is_empty())
            .collect();
        let ids: BTreeSet<&str> = lost.iter().map(|body| body.id.as_str()).collect();
        let problems = problems.iter().filter(|problem| ids.contains(problem.file.as_str()));
        self.problems.extend(problems.map(ToString::to_string));
        self.volume.bodies += lost.len();
        let kept: Result<Vec<Kept>, _> = lost.into_iter().map(|body| keep(body, &headers, test)).collect();
        self.bodies.extend(kept?);
        self.longest_name.clear();
        self.expected_name = 0;
        Ok(())
    }

    /// Notes what could not be read for a reason of its own.
    pub fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// The bytes of a facts file.
    pub fn finish(mut self) -> Result<Vec<u8>, FactsError> {
        self.stand_for_unprinted()?;
        self.bodies.sort_by(|a, b| a.id.cmp(&b.id));
        self.show_creations()?;
        for pair in self.bodies.windows(2) {
            if let [first, second] = pair
                && first.id == second.id
            {
                self.problems
                    .push(format!("{}: incomplete: two bodies have this definition path", second.id));
            }
        }
        let lost_impls: BTreeSet<&Span> =
            self.bodies.iter().filter_map(|body| body.lost_impl.as_ref()).collect();
        for at in lost_impls {
            let file = short_path(&at.file).unwrap_or_else(|| at.file.to_string());
            let (line, column) = (at.line, at.column);
            self.problems.push(format!("{file}:{line}:{column}: the impl that begins here cannot be read"));
        }
        self.problems.extend(self.long_name());
        let krate = self.header.krate.clone();
        let bodies: Vec<&[u8]> = self.bodies.iter().map(|body| body.bytes.as_slice()).collect();
        let impls = self.bodies.iter().filter(|body| !body.bounds.is_empty());
        let stated = impls.filter_map(|body| Some((impl_of_method(&body.id)?, body.bounds.to_vec())));
        let stated = (stated.collect(), std::mem::take(&mut self.traits));
        bytes::encode(&self.header, &krate, &self.problems, &stated, &bodies)
    }

    /// Gives each promoted constant that is used and was not read a body that stands for it.
    fn stand_for_unprinted(&mut self) -> Result<(), FactsError> {
        let known: BTreeSet<&str> = self.bodies.iter().map(|body| body.id.as_str()).collect();
        let functions: Vec<(&str, &str)> =
            self.bodies.iter().map(|body| (body.id.as_str(), body.path.as_str())).collect();
        let uses = self.bodies.iter().flat_map(|body| &body.promoted);
        let unprinted: BTreeMap<&str, Body> = uses
            .filter(|used| !known.contains(used.id.as_str()))
            .map(|used| (used.id.as_str(), used.body(&functions, &self.layouts)))
            .collect();
        let made: Result<Vec<Kept>, FactsError> = unprinted.into_values().map(kept).collect();
        self.bodies.extend(made?);
        Ok(())
    }

    /// A closure that a macro of another file made as a whole is shown where it is created: there the macro is used.
    fn show_creations(&mut self) -> Result<(), FactsError> {
        // What is around a closure comes before it.
        for at in 0..self.bodies.len() {
            let id = self.bodies[at].id.as_str();
            let Some(around) = id.rsplit_once("::{closure#").and_then(|(around, _)| {
                let found = self.bodies.binary_search_by(|body| body.id.as_str().cmp(around));
                found.ok().map(|found| &self.bodies[found])
            }) else {
                continue;
            };
            let created =
                around.closures.iter().find(|(closure, _)| closure == id).map(|(_, span)| span.clone());
            let Some(created) = created.filter(|span| span.file == around.file) else { continue };
            if around.file == self.bodies[at].file {
                continue;
            }
            let mut body = bytes::body_of(&self.bodies[at].bytes)?;
            macros::show_creation(&mut body, &created);
            let kept = &mut self.bodies[at];
            kept.bytes = bytes::of_body(body)?;
            kept.closures.iter_mut().for_each(|(_, span)| *span = created.clone());
            kept.file = created.file;
        }
        Ok(())
    }

    /// A closure or coroutine that is created has a body; one without was lost on the way.
    fn missing(&self) -> Vec<String> {
        let known: BTreeSet<&str> = self.bodies.iter().map(|body| body.id.as_str()).collect();
        let built =
            self.bodies.iter().flat_map(|body| body.closures.iter().map(move |(id, _)| (id, &body.id)));
        let missing: BTreeSet<String> = built
            .filter(|(closure, _)| !known.contains(closure.as_str()))
            .map(|(closure, by)| format!("{closure}: created in {by} but the compiler wrote no MIR of it"))
            .collect();
        missing.into_iter().collect()
    }

    /// Whether a name comes close to the limit, or could be beyond.
    fn has_long_names(&self) -> bool {
        self.longest_name.len() > LONG_NAME || self.expected_name > NAME_LIMIT
    }

    fn long_name(&self) -> Option<String> {
        self.has_long_names().then(|| {
            let length = self.longest_name.len().max(self.expected_name);
            format!(
                "{}: names of files may be {length} bytes long; of a function whose name makes more than {NAME_LIMIT} \
                 the compiler writes no MIR, and there may be one",
                self.header.krate,
            )
        })
    }
}

/// `p2m::{impl#0}` of a method `p2m::{impl#0}::lookup`; none of what is inside one.
fn impl_of_method(id: &str) -> Option<String> {
    let (group, method) = id.rsplit_once("::")?;
    (group.ends_with('}') && group.matches("{impl#").count() == 1 && !method.contains('{'))
        .then(|| group.to_owned())
}

/// The length of the longest name of a function, and of the names of modules inside the file together.
fn identifiers(source: &str) -> (usize, usize) {
    let lengths = |word: &'static str| {
        source.match_indices(word).map(move |(at, _)| {
            let rest = source.get(at + word.len()..).unwrap_or_default();
            let rest = rest.strip_prefix("r#").unwrap_or(rest);
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            (end, rest.get(end..).is_some_and(|rest| rest.trim_start().starts_with('{')))
        })
    };
    let functions = lengths("fn ").map(|(length, _)| length).max().unwrap_or(0);
    (functions, lengths("mod ").filter(|(_, is_inside)| *is_inside).map(|(length, _)| length + 1).sum())
}

fn volume(text: &str, bodies: usize, unread: usize) -> Volume {
    Volume { bodies, lines: text.bytes().filter(|byte| *byte == b'\n').count(), unread }
}

/// Makes a body of a unit that is its own test, or is not, bytes.
fn keep(mut body: Body, headers: &Headers<'_>, test: bool) -> Result<Kept, FactsError> {
    lent::make_closures(&mut body);
    if test {
        harness::show_crate(&mut body);
    }
    body.impl_header = body.impl_at.as_ref().and_then(|at| headers.get(at));
    if let Some(definitions) = headers.definitions(&body.span.file) {
        macros::show_uses(&mut body, &definitions);
    }
    let bounds = body.impl_at.as_ref().map(|at| headers.bounds(at)).unwrap_or_default();
    let lost_impl = body.impl_at.clone().filter(|_| body.impl_header.is_none());
    let mut closures: Vec<(String, Span)> = Vec::new();
    let mut structs: Vec<(String, Vec<String>)> = Vec::new();
    let mut promoted: Vec<Use> = Vec::new();
    let blocks = body.blocks.iter().zip(&body.statement_spans);
    for (statement, span) in blocks.flat_map(|(block, spans)| block.statements.iter().zip(spans)) {
        let StatementKind::Assign(dest, rvalue) = &statement.kind else { continue };
        promoted.extend(Use::of(&body, dest, rvalue, span, || headers.text(&span.file)));
        let Rvalue::Aggregate(aggregate) = rvalue else { continue };
        match &aggregate.kind {
            AggregateKind::Closure(id, _) if !id.is_empty() => {
                closures.push((id.clone(), span.clone()));
            }
            AggregateKind::Adt(path) if !structs.iter().any(|(known, _)| known == path) => {
                let names: Option<Vec<String>> =
                    aggregate.fields.iter().map(|(name, _)| name.clone()).collect();
                structs.extend(names.filter(|names| !names.is_empty()).map(|names| (path.clone(), names)));
            }
            _ => {}
        }
    }
    Ok(Kept { lost_impl, bounds, closures, structs, promoted, ..kept(body)? })
}

/// A body of which nothing else is asked.
fn kept(body: Body) -> Result<Kept, FactsError> {
    Ok(Kept {
        id: body.id.clone(),
        path: body.path.clone(),
        lost_impl: None,
        bounds: Arc::default(),
        file: Arc::clone(&body.span.file),
        closures: Vec::new(),
        structs: Vec::new(),
        promoted: Vec::new(),
        bytes: bytes::of_body(body)?,
    })
}
