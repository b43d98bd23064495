//! `#[mm_lock]` on a newtype or a static, `#[mm_locks]` on a struct with named fields.
//!
//! Both run twice: once without tables, only to learn which tables are named ([`tables_of_lock`],
//! [`tables_of_locks`]), and once with them. Errors are reported by the second run alone.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::{Attribute, Field, Fields, Item, ItemStruct, Path};

use crate::diagnostics::Diagnostics;
use crate::model::item::LockItem;
use crate::model::lock::set_class;
use crate::model::table::{ClassRef, Tables};

const LOCK: &str = "mm_lock";

/// The table that `#[mm_lock(arguments)]` names.
pub fn tables_of_lock(arguments: TokenStream) -> Vec<Path> {
    super::class_ref(arguments, None).into_iter().map(|class| class.table).collect()
}

/// The tables that the fields of `item` name.
pub fn tables_of_locks(item: TokenStream) -> Vec<Path> {
    let Ok(item) = syn::parse2::<ItemStruct>(item) else { return Vec::new() };
    let marks = item.fields.iter().flat_map(|field| &field.attrs).filter(|mark| super::is_helper(mark, LOCK));
    marks.flat_map(|mark| super::helper_arguments(mark).map(tables_of_lock).unwrap_or_default()).collect()
}

/// The item under `#[mm_lock(arguments)]`.
pub fn lock(
    arguments: TokenStream,
    item: TokenStream,
    tables: &Tables,
    diagnostics: &mut Diagnostics,
) -> LockItem {
    let class = diagnostics
        .take(super::class_ref(arguments, None))
        .and_then(|class| tables.class(&class, diagnostics));
    let Some(parsed) = diagnostics.take(syn::parse2::<Item>(item.clone())) else {
        return LockItem::Inert(item);
    };
    match parsed {
        // In error, the type stays as it is.
        Item::Static(mut lock) => {
            diagnostics.take(set_class(&mut lock.ty, class));
            LockItem::Static(Box::new(lock))
        }
        Item::Struct(mut newtype) => match &mut newtype.fields {
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                match diagnostics.take(set_class(&mut fields.unnamed[0].ty, class)) {
                    Some(()) => LockItem::Newtype(Box::new(newtype)),
                    None => LockItem::Inert(item),
                }
            }
            fields => {
                diagnostics.push(not_a_newtype(fields, &newtype.ident));
                LockItem::Inert(super::without_helpers(Item::Struct(newtype), LOCK).into_token_stream())
            }
        },
        other => {
            let (kind, span) = super::kind_of(&other);
            let message = format!("`#[mm_lock]` belongs on a newtype struct or a static, not on {kind}");
            diagnostics.report(span, message);
            LockItem::Inert(item)
        }
    }
}

fn not_a_newtype(fields: &Fields, name: &Ident) -> syn::Error {
    match fields {
        Fields::Named(_) => syn::Error::new(
            name.span(),
            "a struct with named fields: write `#[mm_locks]` on it, and `#[mm_lock(order = …)]` on the fields",
        ),
        Fields::Unnamed(fields) if !fields.unnamed.is_empty() => syn::Error::new_spanned(
            &fields.unnamed[1],
            "a newtype has one field, the lock; for several, name them and write `#[mm_locks]` on the struct",
        ),
        _ => syn::Error::new(
            name.span(),
            format!("missing lock type: expected a lock such as `struct {name}(Mutex<T>);`"),
        ),
    }
}

/// The item under `#[mm_locks]`.
pub fn locks(
    arguments: TokenStream,
    item: TokenStream,
    tables: &Tables,
    diagnostics: &mut Diagnostics,
) -> TokenStream {
    super::no_arguments(arguments, "mm_locks", diagnostics);
    let parsed = match diagnostics.take(syn::parse2::<Item>(item.clone())) {
        Some(Item::Struct(mut parsed)) if matches!(parsed.fields, Fields::Named(_)) => {
            let mut marked = 0;
            for field in &mut parsed.fields {
                marked += usize::from(locks_field(field, tables, diagnostics));
            }
            if marked == 0 {
                let message = "no field is marked: write `#[mm_lock(order = …)]` on each lock";
                diagnostics.report(parsed.ident.span(), message);
            }
            return parsed.into_token_stream();
        }
        Some(parsed) => parsed,
        None => return item,
    };
    let (kind, span) = match &parsed {
        Item::Struct(item) => match item.fields {
            Fields::Unit => ("a unit struct", item.ident.span()),
            _ => ("a tuple struct; for a newtype write `#[mm_lock(order = …)]`", item.ident.span()),
        },
        other => super::kind_of(other),
    };
    diagnostics.report(span, format!("`#[mm_locks]` belongs on a struct with named fields, not on {kind}"));
    super::without_helpers(parsed, LOCK).into_token_stream()
}

/// Whether the field is marked; its class is set.
fn locks_field(field: &mut Field, tables: &Tables, diagnostics: &mut Diagnostics) -> bool {
    let marks = super::take_helpers(&mut field.attrs, LOCK);
    let Some((mark, more)) = marks.split_first() else { return false };
    for mark in more {
        diagnostics.push(syn::Error::new_spanned(mark, "a lock has one level; this is a second"));
    }
    let class = diagnostics.take(class_of(mark)).and_then(|class| tables.class(&class, diagnostics));
    diagnostics.take(set_class(&mut field.ty, class));
    true
}

fn class_of(mark: &Attribute) -> syn::Result<ClassRef> {
    super::class_ref(super::helper_arguments(mark)?, Some(mark))
}
