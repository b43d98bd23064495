//! A newtype with `Deref` and `From`, or a static, of a lock whose type already names its class.
//!
//! The class was set by `model/lock.rs`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ItemStruct;
use syn::spanned::Spanned;

use crate::model::item::LockItem;

/// The item under `#[mm_lock]`.
pub fn lock(item: &LockItem) -> TokenStream {
    match item {
        LockItem::Newtype(item) => newtype(item),
        LockItem::Static(item) => item.to_token_stream(),
        LockItem::Inert(item) => item.clone(),
    }
}

fn newtype(item: &ItemStruct) -> TokenStream {
    let name = &item.ident;
    let (impl_generics, ty_generics, where_clause) = item.generics.split_for_impl();
    let impls = item.fields.iter().map(|lock| {
        let lock = &lock.ty;
        // What is wrong with the impls, such as data less visible than the newtype, is wrong with the type.
        quote_spanned! {Span::call_site().located_at(lock.span())=>
            impl #impl_generics ::core::ops::Deref for #name #ty_generics #where_clause {
                type Target = #lock;

                #[inline]
                fn deref(&self) -> &Self::Target {
                    &self.0
                }
            }

            impl #impl_generics ::core::convert::From<#lock> for #name #ty_generics
            #where_clause
            {
                #[inline]
                fn from(lock: #lock) -> Self {
                    Self(lock)
                }
            }
        }
    });
    quote!(#item #(#impls)*)
}
