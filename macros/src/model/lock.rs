//! What the type of a lock looks like, and the one thing done to it: a class appended.
//!
//! Names of classes are looked up in `table.rs`. `parse/lock.rs` is the only caller.

use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{GenericArgument, Path, PathArguments, Token, Type, TypePath, parse_quote};

/// Makes `ty` the type of a lock of `class`, which is appended as the last argument. A class in error is
/// replaced by a stand-in, so that an alias such as `Mutex<T, C>` has its arguments.
pub fn set_class(ty: &mut Type, class: Option<Path>) -> syn::Result<()> {
    let Some(arguments) = arguments(ty) else { return Err(missing_lock(ty)) };
    let path = class.unwrap_or_else(|| parse_quote!(::lockdep::__private::Unknown));
    let class = TypePath { attrs: Vec::new(), qself: None, path };
    arguments.push(GenericArgument::Type(Type::Path(class)));
    Ok(())
}

/// The generic arguments of `ty`, a path such as `Mutex<T>`.
fn arguments(ty: &mut Type) -> Option<&mut Punctuated<GenericArgument, Token![,]>> {
    match ty {
        // A type that a `macro_rules!` of the user passed as `$t:ty`.
        Type::Group(group) => arguments(&mut group.elem),
        Type::Path(path) => match &mut path.path.segments.last_mut()?.arguments {
            PathArguments::AngleBracketed(angle) if !angle.args.is_empty() => Some(&mut angle.args),
            _ => None,
        },
        _ => None,
    }
}

fn missing_lock(ty: &Type) -> syn::Error {
    let found = match ty {
        Type::Path(path) => {
            // Tokens print with spaces between them, `std :: string :: String`.
            format!("`{}` is not a lock; ", path.to_token_stream().to_string().replace(' ', ""))
        }
        _ => String::new(),
    };
    let message = format!("missing lock type: {found}expected a lock such as `Mutex<T>`");
    syn::Error::new_spanned(ty, message)
}
