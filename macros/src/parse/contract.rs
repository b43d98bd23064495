//! `#[requires_held]`, `#[must_not_hold]`, `#[acquires]`: which locks a function demands to be held, or not.
//!
//! The locks are expressions in terms of the parameters; whether they are locks, the compiler says. What is asserted on
//! entry is written by `expand/contract.rs`.

use proc_macro2::TokenStream;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Expr, Ident, ItemFn, Token};

use crate::diagnostics::{self, Diagnostics};
use crate::model::contract::{Contract, ContractItem, Demand};

/// What stands before a lock that has to be held in that way.
const EXCLUSIVELY: &str = "exclusively";

/// `self.paging`, `exclusively: table`.
struct Argument {
    mode: Option<Ident>,
    lock: Expr,
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> syn::Result<Argument> {
        let named = input.peek(Ident) && input.peek2(Token![:]) && !input.peek2(Token![::]);
        let mode = if named { Some(input.parse()?) } else { None };
        if named {
            input.parse::<Token![:]>()?;
        }
        Ok(Argument { mode, lock: input.parse()? })
    }
}

/// The item under the attribute of this contract.
pub fn contract(
    contract: Contract,
    arguments: TokenStream,
    item: TokenStream,
    diagnostics: &mut Diagnostics,
) -> ContractItem {
    let function = match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let reason = "the locks are looked at on entry";
            super::no_function(item.clone(), contract.name(), reason, error, diagnostics);
            return ContractItem::Inert(item);
        }
    };
    let name = contract.name();
    for (keyword, span) in [
        ("a `const fn`", function.sig.constness.map(|token| token.span)),
        ("an `async fn`", function.sig.asyncness.map(|token| token.span)),
    ] {
        if let Some(span) = span {
            let message =
                format!("`#[{name}]` does not go with {keyword}: what is held is asked when the body begins");
            diagnostics.report(span, message);
        }
    }
    let demands = diagnostics.take(demands(contract, arguments)).unwrap_or_default();
    let demands = if diagnostics.is_empty() { demands } else { Vec::new() };
    ContractItem::Function(Box::new(function), demands)
}

fn demands(contract: Contract, arguments: TokenStream) -> syn::Result<Vec<Demand>> {
    let name = contract.name();
    if arguments.is_empty() {
        let message =
            format!("missing lock: write `#[{name}(…)]` with one lock or more, such as `self.table`");
        return Err(syn::Error::new(proc_macro2::Span::call_site(), message));
    }
    let parser = Punctuated::<Argument, Token![,]>::parse_terminated;
    let arguments = syn::parse::Parser::parse2(parser, arguments)?;
    let demand = |Argument { mode, lock }| match mode {
        None => Ok(Demand { exclusively: false, lock }),
        Some(mode) if mode == EXCLUSIVELY && contract == Contract::RequiresHeld => {
            Ok(Demand { exclusively: true, lock })
        }
        Some(mode) => {
            let known: &[String] =
                if contract == Contract::RequiresHeld { &[EXCLUSIVELY.to_owned()] } else { &[] };
            Err(syn::Error::new(mode.span(), diagnostics::unknown("mode", &mode.to_string(), known, "modes")))
        }
    };
    arguments.into_iter().map(demand).collect()
}
