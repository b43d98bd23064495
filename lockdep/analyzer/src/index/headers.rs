//! What the header of an `impl` says, by its source text.
//!
//! Text only: whose names these are is for `read.rs` to say.

use super::last;
use super::methods::Of;
use crate::mir::ir::Ty;

/// `impl<T> a::Tr<X> for S<T>`, taken apart.
#[derive(Debug)]
pub(super) struct Header<'t> {
    /// What is implemented.
    pub(super) of: Of,
    /// The self type, as written.
    pub(super) this: &'t str,
    /// The names of the type parameters.
    pub(super) generics: Vec<&'t str>,
}

impl<'t> Header<'t> {
    /// Takes a header apart.
    pub(super) fn read(header: &'t str) -> Header<'t> {
        let Some(rest) = header.trim_start_matches("unsafe ").strip_prefix("impl") else {
            // A derive's place is the trait's own name; any other macro's place is its call.
            let name = last(header).trim();
            let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
            let of = if plain { Of::Trait(name.to_owned()) } else { Of::Unread };
            return Header { of, this: "", generics: Vec::new() };
        };
        let (parameters, rest) = match rest.strip_prefix('<') {
            Some(inside) => {
                let end = closing(inside);
                (&inside[..end], inside.get(end + 1..).unwrap_or_default())
            }
            None => ("", rest),
        };
        let generics = parts(parameters).filter_map(parameter).collect();
        match rest.trim().split_once(" for ") {
            Some((of, this)) => {
                let of = of.split('<').next().unwrap_or(of).trim();
                let of = Of::Trait(last(of).to_owned());
                Header { of, this: this.trim(), generics }
            }
            None => Header { of: Of::Nothing, this: rest.trim(), generics },
        }
    }

    /// The last segment of the self type, as written.
    pub(super) fn name(&self) -> &'t str {
        let bare = self.this.trim_start_matches(['&', ' ']);
        last(bare.split(['<', ' ']).next().unwrap_or_default())
    }

    /// The self type as far as its text says it: a parameter, a tuple, an array. References are left out. Of what is in a
    /// tuple, the types of which `known` has the path by the last segment are named, and the others are `Never`.
    pub(super) fn shape<'k>(&self, known: &dyn Fn(&str) -> Option<&'k str>) -> Option<Ty> {
        let text = behind_references(self.this);
        if self.generics.contains(&text) {
            return Some(Ty::Path(text.into(), [].into()));
        }
        if let Some(inside) = text.strip_prefix('(') {
            let inside = &inside[..closing(inside)];
            return Some(Ty::Tuple(parts(inside).map(|part| self.part(part, known)).collect()));
        }
        text.starts_with('[').then(|| Ty::Slice(Ty::Never.into()))
    }

    /// A part of the self type.
    fn part<'k>(&self, text: &str, known: &dyn Fn(&str) -> Option<&'k str>) -> Ty {
        let name = last(text.split('<').next().unwrap_or(text).trim());
        let path = known(name).filter(|_| !self.generics.contains(&text));
        path.map_or(Ty::Never, |path| Ty::Path(path.into(), [].into()))
    }
}

/// The text of a type without the references before it.
fn behind_references(mut text: &str) -> &str {
    while let Some(rest) = text.strip_prefix('&') {
        let rest = rest.trim_start();
        let rest =
            if rest.starts_with('\'') { rest.split_once(' ').map_or("", |(_, rest)| rest) } else { rest };
        text = rest.strip_prefix("mut ").unwrap_or(rest).trim_start();
    }
    text
}

/// The name of a type parameter: of `T` and `T: Tr = X`, not of a lifetime or a constant.
fn parameter(text: &str) -> Option<&str> {
    let name = text.split([':', '=']).next()?.trim();
    (!name.starts_with('\'') && !name.starts_with("const ")).then_some(name)
}

/// What stands between the commas that are in no brackets.
pub(super) fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    let mut last = ' ';
    let comma = move |ch: char| {
        match ch {
            '<' | '(' | '[' => depth += 1,
            '>' if matches!(last, '-' | '=') => {}
            '>' | ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        last = ch;
        ch == ',' && depth == 0
    };
    text.split(comma).map(str::trim).filter(|part| !part.is_empty())
}

/// Where the bracket closes that was opened before the text.
pub(super) fn closing(text: &str) -> usize {
    let mut depth = 1_usize;
    for (at, ch) in text.char_indices() {
        match ch {
            '<' | '(' | '[' => depth += 1,
            '>' if text[..at].ends_with(['-', '=']) => {}
            '>' | ')' | ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_taken_apart() {
        let header =
            Header::read("unsafe impl<'a, T: Fn(u8, u8) -> u8, const N: usize> a::Tr<X, Y> for &'a T");
        assert_eq!(header.of, Of::Trait("Tr".to_owned()));
        assert_eq!((header.this, &header.generics[..]), ("&'a T", &["T"][..]));
        assert_eq!(header.shape(&|_| None), Some(Ty::Path("T".into(), [].into())));
        assert_eq!(Header::read("impl S<u8>").of, Of::Nothing);
        assert_eq!(Header::read("impl S<u8>").shape(&|_| None), None);
        assert_eq!(Header::read("Debug").of, Of::Trait("Debug".to_owned()));
        assert_eq!(Header::read("tables! { a }").of, Of::Unread);
        let pair = Header::read("impl<A, B> Tr for (A, x::S<(A, B)>)");
        let named = Ty::Path("m::S".into(), [].into());
        assert_eq!(
            pair.shape(&|name| (name == "S").then_some("m::S")),
            Some(Ty::Tuple([Ty::Never, named].into()))
        );
    }
}
