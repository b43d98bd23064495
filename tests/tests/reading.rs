//! What is read of code that was not written for us: dependencies, other crates' source, and what lies about from before.
//!
//! What the command says is tested in `cli.rs`, and the reader itself in `lockdep/analyzer/tests`.

#[path = "cli/project.rs"]
mod project;

#[path = "reading/dependencies.rs"]
mod dependencies;

#[path = "reading/stages.rs"]
mod stages;

#[path = "reading/surroundings.rs"]
mod surroundings;
