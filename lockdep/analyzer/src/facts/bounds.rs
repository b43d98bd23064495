//! What source text says that types implement: the bounds of impls, what stands above traits, and the bounds of their types.
//!
//! MIR does not print them. It is told texts and says what stands there; whom that concerns is for the index to say.
//! What a macro makes stands in no text and is left out, as is what cannot be parsed: less is known then.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::{Attribute, Generics, ItemImpl, ItemTrait, Token, TraitItem, Type, TypeParamBound, WherePredicate};

use crate::mir::ir::{Bound, Trait};

/// The traits that a source file declares, in modules and functions, too.
pub(super) fn traits(source: &str) -> Vec<Trait> {
    let mut found = Vec::new();
    if source.contains("trait ") {
        each_item(source.parse().unwrap_or_default(), "trait", &mut |item| {
            found.extend(syn::parse2(item).ok().map(|item| declared(&item)));
        });
    }
    found
}

/// The bounds of an impl, of which this is the text before its `{`.
pub(super) fn of_impl(head: &str) -> Vec<Bound> {
    let parsed: Option<ItemImpl> = syn::parse_str(&format!("{head} {{}}")).ok();
    parsed.map(|parsed| of_generics(&parsed.generics)).unwrap_or_default()
}

/// Calls `found` with the tokens of every item that begins with the word `keyword`, wherever it stands: up to its body, or
/// its semicolon.
pub(super) fn each_item(tokens: TokenStream, keyword: &str, found: &mut dyn FnMut(TokenStream)) {
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(mark) => mark.as_char() == ';',
        _ => false,
    };
    let mut rest = tokens.into_iter();
    while let Some(token) = rest.next() {
        match token {
            TokenTree::Group(group) => each_item(group.stream(), keyword, found),
            TokenTree::Ident(word) if word == keyword => {
                let mut item = TokenStream::from(TokenTree::Ident(word));
                for token in rest.by_ref() {
                    let is_end = ends(&token);
                    item.extend([token]);
                    if is_end {
                        break;
                    }
                }
                found(item);
            }
            _ => {}
        }
    }
}

fn declared(item: &ItemTrait) -> Trait {
    let types = item.items.iter().filter_map(|item| match item {
        TraitItem::Type(ty) => {
            Some(Bound { subject: ty.ident.unraw().to_string(), traits: named(&ty.bounds) })
        }
        _ => None,
    });
    let demands = |item: &TraitItem| match item {
        TraitItem::Fn(method) => method.default.is_none() && !is_conditional(&method.attrs),
        _ => false,
    };
    Trait {
        name: item.ident.unraw().to_string(),
        above: named(&item.supertraits),
        types: types.collect(),
        demands: item.items.iter().any(demands),
    }
}

/// Whether a condition decides if what has these attributes is there.
pub(super) fn is_conditional(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("cfg"))
}

fn of_generics(generics: &Generics) -> Vec<Bound> {
    let parameters = generics.type_params().map(|parameter| Bound {
        subject: parameter.ident.unraw().to_string(),
        traits: named(&parameter.bounds),
    });
    let predicates = generics.where_clause.iter().flat_map(|clause| &clause.predicates);
    let predicates = predicates.filter_map(|predicate| match predicate {
        WherePredicate::Type(of) => {
            Some(Bound { subject: subject(&of.bounded_ty)?, traits: named(&of.bounds) })
        }
        _ => None,
    });
    parameters.chain(predicates).filter(|bound| !bound.traits.is_empty()).collect()
}

/// `T`, and `T::Target` of that and of `<T as Deref>::Target`.
fn subject(ty: &Type) -> Option<String> {
    let Type::Path(of) = ty else { return None };
    let name = of.path.segments.last()?.ident.unraw().to_string();
    match &of.qself {
        Some(this) => Some(format!("{}::{name}", subject(&this.ty)?)),
        None => {
            let names: Vec<String> =
                of.path.segments.iter().map(|one| one.ident.unraw().to_string()).collect();
            Some(names.join("::"))
        }
    }
}

/// The last segments of the traits that a type surely implements.
fn named(bounds: &Punctuated<TypeParamBound, Token![+]>) -> Vec<String> {
    let surely = bounds.iter().filter_map(|bound| match bound {
        TypeParamBound::Trait(of) if of.maybe.is_none() && of.modifiers.require_empty().is_ok() => {
            Some(of.path.segments.last()?.ident.unraw().to_string())
        }
        _ => None,
    });
    surely.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(subject: &str, traits: &[&str]) -> Bound {
        Bound { subject: subject.to_owned(), traits: traits.iter().map(|name| (*name).to_owned()).collect() }
    }

    #[test]
    fn bounds_of_an_impl_stand_in_its_parameters_and_after_where() {
        let found = of_impl(
            "unsafe impl<'a, T: a::r#Tr<X> + ?Sized, U, const N: usize> Tr for S<T, U> \
             where U::r#Target: One + Two, <U as Deref>::Error: Three, [T; N]: Four",
        );
        let expected =
            [bound("T", &["Tr"]), bound("U::Target", &["One", "Two"]), bound("U::Error", &["Three"])];
        assert_eq!(found, expected);
        assert_eq!(of_impl("tables! { a }"), []);
    }

    #[test]
    fn traits_are_found_wherever_they_stand() {
        let source = "mod a { // trait No {\n pub unsafe trait r#A<T>: B + c::C where Self: Sized { type X: D; fn f(); } }
            fn f() { trait E { #[cfg(any())] fn g(); fn h() {} } } const S: &str = \"trait F {}\";";
        let found = traits(source);
        let a = Trait {
            name: "A".to_owned(),
            above: vec!["B".to_owned(), "C".to_owned()],
            types: vec![bound("X", &["D"])],
            demands: true,
        };
        let e = Trait { name: "E".to_owned(), above: vec![], types: vec![], demands: false };
        assert_eq!(found, [a, e]);
        assert_eq!(traits("trait $name { }"), []);
    }
}
