//! A function that looks at locks on entry.
//!
//! One assertion per lock, in the order they are written; the methods of the locks say what is reported.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote_spanned};
use syn::parse_quote;
use syn::spanned::Spanned;

use crate::model::contract::{Contract, ContractItem, Demand};

/// The item under the attribute of this contract.
pub fn contract(contract: Contract, item: ContractItem) -> TokenStream {
    match item {
        ContractItem::Function(mut function, demands) => {
            let assertions: Vec<TokenStream> =
                demands.iter().map(|demand| assertion(contract, demand)).collect();
            if !assertions.is_empty() {
                function.block.stmts.insert(0, parse_quote!({ #(#assertions)* }));
            }
            function.into_token_stream()
        }
        ContractItem::Inert(item) => item,
    }
}

/// What is reported at run time is said to happen at the lock in the attribute, and so are errors.
fn assertion(contract: Contract, demand: &Demand) -> TokenStream {
    let method = match contract {
        Contract::RequiresHeld if demand.exclusively => "assert_held_exclusively",
        Contract::RequiresHeld => "assert_held",
        Contract::MustNotHold | Contract::Acquires => "assert_not_held",
    };
    let (lock, span) = (&demand.lock, demand.lock.span());
    let method = format_ident!("{method}", span = span);
    quote_spanned!(span=> (#lock).#method();)
}
