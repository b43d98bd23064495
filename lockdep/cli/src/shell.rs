//! What is said on the standard error, in cargo's manner: a coloured word on the right of twelve columns, then text.
//!
//! Reports are not written here: they go to the standard output, and neither wait for nor mix with this.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use anstream::AutoStream;
use clap::ColorChoice;
use clap_cargo::style;
use indicatif::{ProgressBar, ProgressStyle};

/// The terminal's side of the tool.
#[derive(Debug)]
pub struct Shell {
    color: ColorChoice,
    quiet: bool,
    verbose: bool,
}

impl Shell {
    /// A shell that follows the given choices.
    pub fn new(color: ColorChoice, quiet: bool, verbose: bool) -> Shell {
        Shell { color, quiet, verbose }
    }

    /// `   Analyzing hv-core v0.0.0`.
    pub fn status(&self, word: &str, text: impl Display) {
        if !self.quiet {
            let good = style::GOOD;
            self.line(format_args!("{good}{word:>12}{good:#} {text}"));
        }
    }

    /// A [`status`](Self::status) for those who asked for more.
    pub fn verbose(&self, word: &str, text: impl Display) {
        if self.verbose {
            self.status(word, text);
        }
    }

    /// `note: …`.
    pub fn note(&self, text: impl Display) {
        if !self.quiet {
            self.labelled("note", style::NOTE, text);
        }
    }

    /// `error: …`; never suppressed.
    pub fn error(&self, text: impl Display) {
        self.labelled("error", style::ERROR, text);
    }

    /// What others print, as it is.
    pub fn text(&self, text: impl Display) {
        self.line(format_args!("{text}"));
    }

    /// A sign of life while `work` is done, on terminals only.
    pub fn while_busy<T>(&self, text: &str, work: impl FnOnce() -> T) -> T {
        if self.quiet || !std::io::stderr().is_terminal() {
            return work();
        }
        let bar = ProgressBar::new_spinner().with_message(text.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{spinner:>12.cyan.bold} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        let result = work();
        bar.finish_and_clear();
        result
    }

    /// Whether the standard output takes colours.
    pub fn colors_stdout(&self) -> bool {
        match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never,
        }
    }

    /// The width of the terminal that the standard output is, if it is one.
    pub fn width_stdout(&self) -> Option<usize> {
        terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0.into())
    }

    fn labelled(&self, label: &str, style: anstyle::Style, text: impl Display) {
        let bold = anstyle::Style::new().bold();
        self.line(format_args!("{style}{label}{style:#}{bold}:{bold:#} {text}"));
    }

    fn line(&self, text: std::fmt::Arguments<'_>) {
        let choice = match self.color {
            ColorChoice::Always => anstream::ColorChoice::Always,
            ColorChoice::Never => anstream::ColorChoice::Never,
            ColorChoice::Auto => anstream::ColorChoice::Auto,
        };
        let mut stderr = AutoStream::new(std::io::stderr(), choice).lock();
        // Nobody is left to be told if the standard error is closed.
        let _ = writeln!(stderr, "{text}");
    }
}
