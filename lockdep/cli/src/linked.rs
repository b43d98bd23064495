//! The lock graph of the last run, for runs in which nothing has changed.
//!
//! A graph is kept beside the artifacts and used again only if all that it was made from is the same: the facts, byte by
//! byte, what is said of locks, the options of linking, and this program. It judges nothing: a graph that was kept is
//! judged anew. One that cannot be kept or read is made again.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use lockdep_analyzer::Options;
use lockdep_analyzer::graph::LockGraph;
use lockdep_analyzer::model::Models;

use crate::cargo::Project;
use crate::collect::Collected;
use crate::settings::Settings;

/// Where the graph of what was selected is kept, and what it has to be made from.
pub struct Linked {
    path: PathBuf,
    made_from: u64,
}

impl Linked {
    /// The graph of these facts, linked in this way.
    pub fn new(
        settings: &Settings,
        project: &Project,
        collected: &Collected,
        models: &Models,
        options: Options,
    ) -> Linked {
        let built = fs::metadata(&settings.executable).and_then(|metadata| metadata.modified()).ok();
        // One for each selection, so that they do not take turns.
        let mut selection = DefaultHasher::new();
        options.hash(&mut selection);
        collected.artifacts.iter().for_each(|artifact| artifact.metadata.hash(&mut selection));
        let mut all = selection.clone();
        (built, models, &collected.files).hash(&mut all);
        let path = project.target_dir().join("linked").join(format!("{:016x}", selection.finish()));
        Linked { path, made_from: all.finish() }
    }

    /// The graph, if it was kept.
    pub fn read(&self) -> Option<LockGraph> {
        let bytes = fs::read(&self.path).ok()?;
        let (made_from, graph) = bytes.split_first_chunk()?;
        (u64::from_le_bytes(*made_from) == self.made_from).then(|| LockGraph::decode(graph))?
    }

    /// Keeps the graph, if it can be.
    pub fn write(&self, graph: &LockGraph) {
        if let (Some(graph), Some(directory)) = (graph.encode(), self.path.parent()) {
            let bytes = [&self.made_from.to_le_bytes()[..], &graph].concat();
            // The next run links again where this fails.
            drop(fs::create_dir_all(directory).and_then(|()| fs::write(&self.path, bytes)));
        }
    }
}
