//! The items that attributes stand on, validated, with their helper attributes removed.
//!
//! An `Inert` item is in error and is repeated as it stands, so that whatever uses it does not fail as well.
//! Made by `parse.rs`, written by `expand.rs`.

use proc_macro2::{Ident, Span, TokenStream};
use syn::{ItemFn, ItemStatic, ItemStruct, Member};

use super::table::RoleRef;

/// What `#[mm_lock]` stands on, with the class in its type.
pub enum LockItem {
    /// A struct with one unnamed field, the lock.
    Newtype(Box<ItemStruct>),
    /// A static lock.
    Static(Box<ItemStatic>),
    /// In error.
    Inert(TokenStream),
}

/// What `#[lock_owner]` stands on.
pub enum OwnerItem {
    /// A struct, with its owner and where the type of that stands, unless that was in error.
    Struct(Box<ItemStruct>, Option<(Member, Span)>),
    /// In error.
    Inert(TokenStream),
}

/// What `#[operation]` stands on.
pub enum OperationItem {
    /// A function and its parameters with roles; none if anything was in error.
    Function(Box<ItemFn>, Vec<Parameter>),
    /// In error.
    Inert(TokenStream),
}

/// A parameter with a role.
pub struct Parameter {
    /// Its name.
    pub name: Ident,
    /// Its role.
    pub role: RoleRef,
}
