//! A function that checks its roles on entry.
//!
//! One comparison per pair of parameters with different roles, lower role first; `enter_operation` in
//! `lockdep` says what is compared.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::parse_quote;

use crate::model::item::{OperationItem, Parameter};

/// The item under `#[operation]`.
pub fn operation(item: OperationItem) -> TokenStream {
    match item {
        OperationItem::Function(mut function, parameters) => {
            if !parameters.is_empty() {
                // What is reported at run time is said to happen at the name of the function.
                let checks = checks(&parameters, function.sig.ident.span());
                function.block.stmts.insert(0, parse_quote!({ #checks }));
            }
            function.into_token_stream()
        }
        OperationItem::Inert(item) => item,
    }
}

/// Every parameter has the type of its role, and every two of different roles stand to each other as these
/// say.
fn checks(parameters: &[Parameter], entry: Span) -> TokenStream {
    let pairs = parameters.iter().enumerate().flat_map(|(low, lower)| {
        let above = move |(_, upper): &(usize, &Parameter)| lower.role.rank < upper.role.rank;
        parameters.iter().enumerate().filter(above).map(move |(high, _)| (local(low), local(high)))
    });
    let calls: Vec<TokenStream> = pairs
        .map(|(low, high)| quote_spanned!(entry=> ::lockdep::__private::enter_operation(#low, #high);))
        .collect();
    let types = parameters.iter().enumerate().map(|(index, Parameter { name, role })| {
        // With one role there is nothing to compare; that the type fits is checked all the same.
        let local = if calls.is_empty() { quote!(_) } else { local(index).into_token_stream() };
        let role = &role.path;
        // A parameter of the wrong type is an error at its name in the signature.
        quote_spanned!(name.span()=> let #local: &::lockdep::InRole<'_, _, #role> = &#name;)
    });
    quote!(#(#types)* #(#calls)*)
}

/// A name that no parameter can have: `mixed_site` keeps it apart.
fn local(index: usize) -> Ident {
    format_ident!("role_{index}", span = Span::mixed_site())
}
