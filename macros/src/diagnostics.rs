//! Errors of one macro call, gathered so that all of them are reported at once.
//!
//! It is not the place where rules live (`model.rs`) and decides no wording but that of suggestions. Every
//! file of this crate may use it.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// The errors found so far.
#[derive(Default)]
pub struct Diagnostics(Option<syn::Error>);

impl Diagnostics {
    /// Adds an error.
    pub fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// Adds an error with `message` at `span`.
    pub fn report(&mut self, span: Span, message: impl std::fmt::Display) {
        self.push(syn::Error::new(span, message));
    }

    /// The value, or nothing after the error has been added.
    pub fn take<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// Whether nothing was wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The expansion: every error, next to `output`.
    pub fn finish(self, output: impl ToTokens) -> TokenStream {
        let mut tokens = self.0.map(syn::Error::into_compile_error).unwrap_or_default();
        output.to_tokens(&mut tokens);
        tokens
    }
}

/// The known name that `name` is most likely a misspelling of.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    // The same bound as rustc's: a third of the name, and at least one edit.
    let bound = (length / 3).max(1).min(length.saturating_sub(1));
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|&(distance, _)| distance <= bound)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// "unknown level `p2n`, did you mean `p2m`?", or the list of what there is when nothing is near.
pub fn unknown(what: &str, name: &str, known: &[String], known_are: &str) -> String {
    if let Some(near) = nearest(name, known.iter().map(String::as_str)) {
        return format!("unknown {what} `{name}`, did you mean `{near}`?");
    }
    format!("unknown {what} `{name}`; {known_are}: {}", quoted(known))
}

fn quoted(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{nearest, unknown};

    #[test]
    fn nearest_is_within_a_third_of_the_name() {
        let known = ["pawn", "knight", "bishop", "queen"];
        assert_eq!(nearest("pwan", known), Some("pawn"), "a transposition is one edit");
        assert_eq!(nearest("knigth", known), Some("knight"));
        assert_eq!(nearest("qeen", known), Some("queen"));
        assert_eq!(nearest("rook", known), None);
        assert_eq!(nearest("x", ["y"]), None, "one edit makes anything of a single letter");
    }

    #[test]
    fn unknown_lists_what_there_is_when_nothing_is_near() {
        let known = ["pawn".to_owned(), "rook".to_owned()];
        assert_eq!(unknown("level", "pawm", &known, "levels"), "unknown level `pawm`, did you mean `pawn`?");
        assert_eq!(
            unknown("level", "king", &known, "levels"),
            "unknown level `king`; levels: `pawn`, `rook`"
        );
        assert_eq!(unknown("role", "king", &[], "roles"), "unknown role `king`; roles: none");
    }
}
