//! `#[lock_owner]`: which field says whose locks these are.
//!
//! It knows nothing of tables; owners exist at run time only.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Index, Item, ItemStruct, Member};

use crate::diagnostics::Diagnostics;
use crate::model::item::OwnerItem;

/// The item under `#[lock_owner]`.
pub fn owner(arguments: TokenStream, item: TokenStream, diagnostics: &mut Diagnostics) -> OwnerItem {
    super::no_arguments(arguments, "lock_owner", diagnostics);
    match diagnostics.take(syn::parse2::<Item>(item.clone())) {
        Some(Item::Struct(mut item)) => {
            let field = owner_field(&mut item, diagnostics);
            OwnerItem::Struct(Box::new(item), field)
        }
        Some(other) => {
            let (kind, span) = super::kind_of(&other);
            diagnostics.report(span, format!("`#[lock_owner]` belongs on a struct, not on {kind}"));
            OwnerItem::Inert(super::without_helpers(other, "owner").into_token_stream())
        }
        None => OwnerItem::Inert(item),
    }
}

fn owner_field(item: &mut ItemStruct, diagnostics: &mut Diagnostics) -> Option<(Member, Span)> {
    let mut first = None;
    for (index, field) in item.fields.iter_mut().enumerate() {
        for mark in super::take_helpers(&mut field.attrs, "owner") {
            if let Err(error) = mark.meta.require_path_only() {
                diagnostics.push(error);
            }
            if first.is_some() {
                let message = "a second field is marked `#[owner]`; locks have one owner";
                diagnostics.push(syn::Error::new_spanned(mark, message));
            } else {
                let name = field.ident.clone().map_or(Member::Unnamed(Index::from(index)), Member::Named);
                first = Some((name, field.ty.span()));
            }
        }
    }
    if first.is_none() {
        let message = "no field is marked `#[owner]`: mark the one of type `lockdep::Owner`";
        diagnostics.report(item.ident.span(), message);
    }
    first
}
