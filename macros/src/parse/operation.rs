//! `#[operation]`: which parameters of a function stand in which role.
//!
//! As for locks, a first run only learns which table is named, and a second one has it. The pairs that are
//! compared on entry are made by `expand/operation.rs`.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, FnArg, ItemFn, Pat, Path, Signature};

use super::OrderArgument;
use crate::diagnostics::Diagnostics;
use crate::model::item::{OperationItem, Parameter};
use crate::model::table::Tables;

const ROLE: &str = "role";

/// The table that the roles of the function are in. Without an argument it is `levels`, written where a role
/// is.
pub fn tables(arguments: TokenStream, item: TokenStream) -> Vec<Path> {
    let Ok(mut item) = syn::parse2::<ItemFn>(item) else { return Vec::new() };
    let Ok(explicit) = explicit_table(arguments) else { return Vec::new() };
    let marks = take_marks(&mut item.sig);
    let role = marks.iter().flat_map(|(_, marks)| marks).find_map(|mark| role_of(mark).ok());
    explicit.or_else(|| Some(super::default_table(role?.span()))).into_iter().collect()
}

fn explicit_table(arguments: TokenStream) -> syn::Result<Option<Path>> {
    if arguments.is_empty() { Ok(None) } else { Ok(Some(syn::parse2::<OrderArgument>(arguments)?.0)) }
}

/// The item under `#[operation(arguments)]`.
pub fn operation(
    arguments: TokenStream,
    item: TokenStream,
    tables: &Tables,
    diagnostics: &mut Diagnostics,
) -> OperationItem {
    let mut function = match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => function,
        Err(error) => return OperationItem::Inert(wrong_item(item, error, diagnostics)),
    };
    let marks = take_marks(&mut function.sig);
    if marks.is_empty() {
        let message = "no parameter has a role: write `#[role(…)]` on one or more";
        diagnostics.report(function.sig.ident.span(), message);
    }
    let explicit = diagnostics.take(explicit_table(arguments));
    let mut parameters = Vec::new();
    for (name, marks) in marks {
        let name = diagnostics.take(name);
        for second in &marks[1..] {
            diagnostics.push(syn::Error::new_spanned(second, "a parameter has one role; this is a second"));
        }
        let role = diagnostics.take(role_of(&marks[0]));
        let Some((explicit, role)) = explicit.clone().zip(role) else { continue };
        let table = explicit.unwrap_or_else(|| super::default_table(role.span()));
        let found = tables.role(&table, &role, diagnostics);
        parameters.extend(name.zip(found).map(|(name, role)| Parameter { name, role }));
    }
    if !diagnostics.is_empty() {
        parameters.clear();
    }
    OperationItem::Function(Box::new(function), parameters)
}

/// Reports what is not a function with a body; what is left of it without the marks.
fn wrong_item(item: TokenStream, error: syn::Error, diagnostics: &mut Diagnostics) -> TokenStream {
    match super::no_function(item.clone(), "operation", "the check is made on entry", error, diagnostics) {
        Some(mut declaration) => {
            take_marks(&mut declaration.sig);
            declaration.into_token_stream()
        }
        None => item,
    }
}

/// Removes the `#[role]`s of all parameters; for each parameter that has any, its name and its marks.
fn take_marks(signature: &mut Signature) -> Vec<(syn::Result<Ident>, Vec<Attribute>)> {
    let mut marked = Vec::new();
    for input in &mut signature.inputs {
        let (name, attributes) = match input {
            FnArg::Receiver(receiver) => {
                let message = "a role belongs on a named parameter, not on `self`";
                (Err(syn::Error::new(receiver.self_token.span, message)), &mut receiver.attrs)
            }
            FnArg::Typed(parameter) => (name_of(&parameter.pat), &mut parameter.attrs),
        };
        let marks = super::take_helpers(attributes, ROLE);
        if !marks.is_empty() {
            marked.push((name, marks));
        }
    }
    marked
}

fn name_of(pattern: &Pat) -> syn::Result<Ident> {
    match pattern {
        Pat::Ident(plain) if plain.by_ref.is_none() && plain.subpat.is_none() => Ok(plain.ident.clone()),
        other => {
            Err(syn::Error::new_spanned(other, "a parameter with a role is a plain name, not a pattern"))
        }
    }
}

fn role_of(mark: &Attribute) -> syn::Result<Ident> {
    let arguments = super::helper_arguments(mark)?;
    if arguments.is_empty() {
        return Err(syn::Error::new_spanned(
            mark,
            "missing role: write `#[role(…)]` with one role of the order",
        ));
    }
    let one = |input: ParseStream<'_>| {
        let role = input.parse()?;
        if input.is_empty() { Ok(role) } else { Err(input.error("a parameter has one role")) }
    };
    one.parse2(arguments)
}
