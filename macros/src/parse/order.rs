//! The grammar of `lock_order!`.
//!
//! ```text
//! table    := docs vis "order" NAME "{" (class ";")* "}" [ docs "roles" "{" NAME ("<" NAME)+ [tiers] "}" ]
//! tiers    := ";" "tiers" "=" NUMBER [ ";" ]
//! class    := docs NAME "=" LEVEL ("," property)*
//! property := "recursive" [ "=" STRING ] | "ordered_by" "=" NAME
//! ```
//! A class that cannot be read is skipped to its semicolon, and the next one is read. What the parts must
//! obey is in `model/order.rs`.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, LitInt, LitStr, Token, Visibility, braced};

use crate::diagnostics::{self, Diagnostics};
use crate::model::order::{self, Class, Level, Order, Roles};

/// The order that `input` declares; nothing if not even its name could be read.
pub fn order(input: TokenStream, diagnostics: &mut Diagnostics) -> Option<Order> {
    let parser = |input: ParseStream<'_>| table(input, diagnostics);
    let parsed = parser.parse2(input);
    diagnostics.take(parsed)
}

fn table(input: ParseStream<'_>, diagnostics: &mut Diagnostics) -> syn::Result<Order> {
    let docs = docs(input, diagnostics)?;
    let visibility: Visibility = input.parse()?;
    keyword(input, "order", "expected `order`, as in `pub order Mm { … }`")?;
    let name: Ident = input.parse()?;
    let content;
    braced!(content in input);
    let classes = classes(&content, diagnostics)?;
    let roles = if input.is_empty() { Roles::default() } else { roles(input, diagnostics)? };
    Ok(Order::new(docs, visibility, name, classes, roles, diagnostics))
}

fn classes(input: ParseStream<'_>, diagnostics: &mut Diagnostics) -> syn::Result<Vec<Class>> {
    let mut classes = Vec::new();
    while !input.is_empty() {
        match class(input, diagnostics) {
            Ok(class) => classes.push(class),
            Err(error) => {
                diagnostics.push(error);
                skip_line(input)?;
            }
        }
    }
    Ok(classes)
}

/// Leaves `input` after the next semicolon.
fn skip_line(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() {
        if matches!(input.parse()?, TokenTree::Punct(punct) if punct.as_char() == ';') {
            break;
        }
    }
    Ok(())
}

fn class(input: ParseStream<'_>, diagnostics: &mut Diagnostics) -> syn::Result<Class> {
    let docs = docs(input, diagnostics)?;
    let name: Ident = input.parse()?;
    input.parse::<Token![=]>()?;
    let level = diagnostics.take(Level::new(&input.parse::<LitInt>()?));
    let mut class = Class { docs, name, level, recursive: None, ordered_by: None };
    while input.parse::<Option<Token![,]>>()?.is_some() {
        property(input, &mut class, diagnostics)?;
    }
    if input.peek(Token![;]) {
        input.parse::<Token![;]>()?;
    } else {
        // The class is complete, so it stands, and so does what follows if that is the next class.
        diagnostics.push(input.error("expected `,` and a property, or `;`"));
        let at_class = input.peek(Token![#]) || input.peek(syn::Ident) && input.peek2(Token![=]);
        if !at_class {
            skip_line(input)?;
        }
    }
    Ok(class)
}

fn property(input: ParseStream<'_>, class: &mut Class, diagnostics: &mut Diagnostics) -> syn::Result<()> {
    let name = Ident::parse_any(input)?;
    let twice = match name.to_string().as_str() {
        "recursive" => {
            let reason = match input.parse::<Option<Token![=]>>()? {
                Some(_) => Some(input.parse::<LitStr>()?.value()),
                None => None,
            };
            class.recursive.replace(reason).is_some()
        }
        "ordered_by" => {
            input.parse::<Token![=]>()?;
            class.ordered_by.replace(input.parse()?).is_some()
        }
        unknown => {
            let known = ["recursive".to_owned(), "ordered_by".to_owned()];
            let message = diagnostics::unknown("property", unknown, &known, "properties");
            diagnostics.report(name.span(), message);
            // Its value, whatever that is, is not a second error.
            while !input.is_empty() && !input.peek(Token![,]) && !input.peek(Token![;]) {
                input.parse::<TokenTree>()?;
            }
            false
        }
    };
    if twice {
        diagnostics.report(name.span(), format!("property `{name}` is given twice"));
    }
    Ok(())
}

fn roles(input: ParseStream<'_>, diagnostics: &mut Diagnostics) -> syn::Result<Roles> {
    let docs = docs(input, diagnostics)?;
    let span = keyword(input, "roles", "expected `roles { … }` or the end of the table")?;
    let content;
    braced!(content in input);
    let parser = |input: ParseStream<'_>| {
        let names = chain(input)?;
        match input.is_empty() || input.peek(Token![;]) {
            true => Ok((names, tiers(input)?)),
            false => Err(input.error("expected `<` and the next higher role, or `; tiers = …`")),
        }
    };
    let parsed = diagnostics.take(parser.parse2(content.parse()?));
    let Some((names, tiers)) = parsed else { return Ok(Roles::default()) };
    Ok(Roles::new(docs, names, tiers, span, diagnostics))
}

/// `; tiers = 2`, or nothing.
fn tiers(input: ParseStream<'_>) -> syn::Result<u8> {
    input.parse::<Option<Token![;]>>()?;
    if input.is_empty() {
        return Ok(0);
    }
    keyword(input, "tiers", "expected `tiers = …`, of how many domains may control each other in a chain")?;
    input.parse::<Token![=]>()?;
    let number = order::tiers(&input.parse()?)?;
    input.parse::<Option<Token![;]>>()?;
    if input.is_empty() { Ok(number) } else { Err(input.error("expected the end of the roles")) }
}

/// `a < b < c`, as far as it goes.
fn chain(input: ParseStream<'_>) -> syn::Result<Vec<Ident>> {
    let mut names = Vec::new();
    if !input.is_empty() {
        names.push(input.parse()?);
    }
    while input.parse::<Option<Token![<]>>()?.is_some() {
        names.push(input.parse()?);
    }
    Ok(names)
}

fn keyword(input: ParseStream<'_>, keyword: &str, otherwise: &str) -> syn::Result<Span> {
    let fork = input.fork();
    match fork.call(Ident::parse_any) {
        Ok(name) if name == keyword => input.call(Ident::parse_any).map(|name| name.span()),
        _ => Err(input.error(otherwise)),
    }
}

/// Doc comments; any other attribute would have to be repeated on several items, and is refused.
fn docs(input: ParseStream<'_>, diagnostics: &mut Diagnostics) -> syn::Result<Vec<Attribute>> {
    let (docs, others) = input
        .call(Attribute::parse_outer)?
        .into_iter()
        .partition::<Vec<_>, _>(|attr| attr.path().is_ident("doc"));
    for other in others {
        diagnostics.push(syn::Error::new_spanned(other, "only doc comments can stand here"));
    }
    Ok(docs)
}
