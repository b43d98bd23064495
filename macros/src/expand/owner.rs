//! `impl LockOwner` for a struct with an owner field.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

use crate::model::item::OwnerItem;

/// The item under `#[lock_owner]`. Without an owner (it was in error) the locks belong to nobody.
pub fn owner(item: &OwnerItem) -> TokenStream {
    let (item, owner) = match item {
        OwnerItem::Struct(item, owner) => (item, owner),
        OwnerItem::Inert(item) => return item.clone(),
    };
    let id = match owner {
        // A field without `id()` is an error at the type of the field.
        Some((field, at)) => quote_spanned!(Span::call_site().located_at(*at)=> self.#field.id()),
        None => quote!(::lockdep::OwnerId::NOBODY),
    };
    let name = &item.ident;
    let (impl_generics, ty_generics, where_clause) = item.generics.split_for_impl();
    quote! {
        #item

        impl #impl_generics ::lockdep::LockOwner for #name #ty_generics #where_clause {
            #[inline]
            fn owner_id(&self) -> ::lockdep::OwnerId {
                #id
            }
        }
    }
}
