//! Input grammar → model, one file per macro; every function gathers all errors before it gives up.
//!
//! The rules that a declaration must obey are the model's (`model.rs`). Here is what the files below share:
//! how an order is named in an attribute, how helper attributes are found and removed, and what is wrong with an item of
//! another kind.

pub mod contract;
pub mod lock;
pub mod operation;
pub mod order;
pub mod owner;

use proc_macro2::{Ident, Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Field, Item, Path, Token, TraitItemFn};

use crate::diagnostics::{self, Diagnostics};
use crate::model::table::ClassRef;

/// The table of an attribute that names none.
const DEFAULT_TABLE: &str = "levels";

/// `order = a::b`, the argument of `#[mm_lock]` and `#[operation]`.
struct OrderArgument(Path);

impl Parse for OrderArgument {
    fn parse(input: ParseStream<'_>) -> syn::Result<OrderArgument> {
        let key = Ident::parse_any(input)?;
        if key != "order" {
            let message =
                diagnostics::unknown("argument", &key.to_string(), &["order".to_owned()], "arguments");
            return Err(syn::Error::new(key.span(), message));
        }
        input.parse::<Token![=]>()?;
        let path = Path::parse_mod_style(input)?;
        input.parse::<Option<Token![,]>>()?;
        if input.is_empty() { Ok(OrderArgument(path)) } else { Err(input.error("unexpected argument")) }
    }
}

/// The class that `order = …` names; `mark` is the helper attribute it stands in, if it is not the macro
/// itself.
fn class_ref(arguments: TokenStream, mark: Option<&Attribute>) -> syn::Result<ClassRef> {
    if arguments.is_empty() {
        let message = "missing level: write `#[mm_lock(order = …)]`";
        return Err(match mark {
            Some(mark) => syn::Error::new_spanned(mark, message),
            None => syn::Error::new(Span::call_site(), message),
        });
    }
    let OrderArgument(mut table) = syn::parse2(arguments)?;
    let Some(last) = table.segments.pop() else { unreachable!("a parsed path has a segment") };
    let class = last.ident;
    if table.segments.is_empty() {
        table = default_table(class.span());
    } else {
        table.segments.pop_punct();
    }
    Ok(ClassRef { table, class })
}

/// `levels`, for an attribute whose argument is at `span`.
fn default_table(span: Span) -> Path {
    Ident::new(DEFAULT_TABLE, span).into()
}

/// Whether the attribute is `name`, perhaps by a path such as `lockdep::name`.
fn is_helper(attribute: &Attribute, name: &str) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == name)
}

/// Removes the helper attributes `name`.
fn take_helpers(attributes: &mut Vec<Attribute>, name: &str) -> Vec<Attribute> {
    let (taken, kept) = std::mem::take(attributes).into_iter().partition(|attr| is_helper(attr, name));
    *attributes = kept;
    taken
}

/// Removes the helper attributes `name` from every field of an item that is in error.
fn without_helpers(mut item: Item, name: &str) -> Item {
    let strip = |field: &mut Field| drop(take_helpers(&mut field.attrs, name));
    match &mut item {
        Item::Struct(item) => item.fields.iter_mut().for_each(strip),
        Item::Union(item) => item.fields.named.iter_mut().for_each(strip),
        Item::Enum(item) => {
            item.variants.iter_mut().flat_map(|variant| variant.fields.iter_mut()).for_each(strip)
        }
        _ => {}
    }
    item
}

/// The tokens between the parentheses of a helper attribute; none for `#[name]`.
fn helper_arguments(attribute: &Attribute) -> syn::Result<TokenStream> {
    match &attribute.meta {
        syn::Meta::Path(_) => Ok(TokenStream::new()),
        meta => Ok(meta.require_list()?.tokens.clone()),
    }
}

/// Reports arguments of a macro that takes none.
fn no_arguments(arguments: TokenStream, macro_name: &str, diagnostics: &mut Diagnostics) {
    if !arguments.is_empty() {
        let message = format!("`#[{macro_name}]` takes no arguments");
        diagnostics.push(syn::Error::new_spanned(arguments, message));
    }
}

/// Reports that `#[macro_name]` stands on something else than a function with a body, which it needs because of `reason`; the
/// declaration if it is a function without one.
fn no_function(
    item: TokenStream,
    macro_name: &str,
    reason: &str,
    error: syn::Error,
    diagnostics: &mut Diagnostics,
) -> Option<TraitItemFn> {
    if let Ok(declaration) = syn::parse2::<TraitItemFn>(item.clone()) {
        let message = format!("`#[{macro_name}]` belongs on a function with a body: {reason}");
        diagnostics.report(declaration.sig.ident.span(), message);
        return Some(declaration);
    }
    match syn::parse2::<Item>(item) {
        Ok(other) => {
            let (kind, span) = kind_of(&other);
            diagnostics.report(span, format!("`#[{macro_name}]` belongs on a function, not on {kind}"));
        }
        Err(_) => diagnostics.push(error),
    }
    None
}

/// What kind of item it is, for "not on …", and the token that says so.
fn kind_of(item: &Item) -> (&'static str, Span) {
    match item {
        Item::Const(item) => ("a constant", item.const_token.span),
        Item::Enum(item) => ("an enum", item.enum_token.span),
        Item::Fn(item) => ("a function", item.sig.fn_token.span),
        Item::Impl(item) => ("an impl", item.impl_token.span),
        Item::Mod(item) => ("a module", item.mod_token.span),
        Item::Static(item) => ("a static", item.static_token.span),
        Item::Struct(item) => ("a struct", item.struct_token.span),
        Item::Trait(item) => ("a trait", item.trait_token.span),
        Item::Type(item) => ("a type alias", item.type_token.span),
        Item::Union(item) => ("a union", item.union_token.span),
        other => ("this item", syn::spanned::Spanned::span(other)),
    }
}
