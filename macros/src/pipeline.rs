//! Parse → model → expand, once per macro, with the errors of all steps beside the result.
//!
//! Attributes that need a table take a way round first, see `ask.rs`. Called by `lib.rs` only.

use std::hash::{DefaultHasher, Hash, Hasher};

use proc_macro2::{Span, TokenStream};

use crate::ask::{Attribute, Next, Request};
use crate::diagnostics::Diagnostics;
use crate::model::contract::Contract;
use crate::{expand, parse};

/// `lock_order! { … }`
pub fn lock_order(input: TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::default();
    let place = place(&input);
    let order = parse::order::order(input, &mut diagnostics);
    diagnostics.finish(order.map(|order| expand::order::order(&order, &place)))
}

/// A name for this call, which no other call in the crate has, and the same on every machine: so from what is
/// written and where in its file, and not from the path of the file.
fn place(input: &TokenStream) -> String {
    let start = Span::call_site().unwrap().start();
    let mut hasher = DefaultHasher::new();
    (input.to_string(), start.line(), start.column()).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// An attribute that needs tables.
pub fn attribute(attribute: Attribute, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let (first, second) = (arguments.clone(), item.clone());
    let tables = match attribute {
        Attribute::MmLock => parse::lock::tables_of_lock(first),
        Attribute::MmLocks => parse::lock::tables_of_locks(second),
        Attribute::Operation => parse::operation::tables(first, second),
    };
    advance(Request::new(attribute, tables, arguments, item))
}

/// The answer of a table.
pub fn answer(input: TokenStream) -> TokenStream {
    syn::parse2(input).map_or_else(syn::Error::into_compile_error, advance)
}

fn advance(request: Request) -> TokenStream {
    let (attribute, tables, arguments, item) = match request.next() {
        Next::Ask(tokens) => return tokens,
        Next::Ready { attribute, tables, arguments, item } => (attribute, tables, arguments, item),
    };
    let mut diagnostics = Diagnostics::default();
    let output = match attribute {
        Attribute::MmLock => {
            expand::lock::lock(&parse::lock::lock(arguments, item, &tables, &mut diagnostics))
        }
        Attribute::MmLocks => parse::lock::locks(arguments, item, &tables, &mut diagnostics),
        Attribute::Operation => expand::operation::operation(parse::operation::operation(
            arguments,
            item,
            &tables,
            &mut diagnostics,
        )),
    };
    diagnostics.finish(output)
}

/// `#[lock_owner]`
pub fn lock_owner(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::default();
    let item = parse::owner::owner(arguments, item, &mut diagnostics);
    diagnostics.finish(expand::owner::owner(&item))
}

/// `#[requires_held(…)]` and the like.
pub fn contract(contract: Contract, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::default();
    let item = parse::contract::contract(contract, arguments, item, &mut diagnostics);
    diagnostics.finish(expand::contract::contract(contract, item))
}
