//! The module of an order, its `levels` alias, and the macro by which attributes see its table.
//!
//! Types are written so that class, level and properties can be read off any type that mentions a lock, see
//! `lockdep::class`.

use heck::{ToSnakeCase, ToUpperCamelCase};
use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};
use syn::Visibility;
use syn::ext::IdentExt;

use crate::ask;
use crate::model::order::{Class, Order, Roles};
use crate::model::table::Names;

/// Everything that `lock_order!` leaves in the user's module. `place` tells this call from others in the
/// crate.
pub fn order(order: &Order, place: &str) -> TokenStream {
    let Order { docs, visibility, name, classes, roles } = order;
    let module = module_name(name);
    let markers = classes.iter().map(|class| &class.name).chain(&roles.names);
    let class_items = classes.iter().map(|class| class_item(&module, class));
    let role_items = role_items(roles);
    let list = list(classes);
    let macro_items = macro_items(order, &module, place);
    quote! {
        #(#docs)*
        #[allow(non_camel_case_types, reason = "a class is a type, and is named as its lock")]
        #visibility mod #module {
            #[doc(hidden)]
            #[allow(dead_code, reason = "markers are named through the aliases of the order")]
            pub mod decl {
                #(pub enum #markers {})*
            }
            #(#class_items)*
            #role_items
            #list
        }
        #macro_items
    }
}

/// `Mm` → `mm`.
fn module_name(order: &Ident) -> Ident {
    format_ident!("{}", order.unraw().to_string().to_snake_case(), span = order.span())
}

fn class_item(module: &Ident, class: &Class) -> TokenStream {
    let Class { docs, name, recursive, ordered_by, .. } = class;
    let (order, text) = (module.to_string(), name.unraw().to_string());
    let level = Literal::u16_unsuffixed(class.level());
    let flags = Literal::u8_unsuffixed(class.flags());
    let properties = [
        Some(format!("Level {level}.")),
        recursive.as_ref().map(|reason| match reason {
            Some(reason) => format!("Recursive: {reason}."),
            None => "Recursive.".to_owned(),
        }),
        ordered_by.as_ref().map(|key| format!("Instances nest in ascending `{key}`.")),
    ];
    let properties = properties.into_iter().flatten().collect::<Vec<_>>().join(" ");
    // A class without a doc comment is left bare, so that `missing_docs` still speaks of it.
    let properties = (!docs.is_empty()).then(|| quote!(#[doc = ""] #[doc = #properties]));
    quote! {
        #(#docs)*
        #properties
        pub type #name = ::lockdep::__private::Declared<decl::#name, #level, #flags>;

        impl ::lockdep::__private::Declaration for decl::#name {
            fn class() -> &'static ::lockdep::__private::Class {
                static CLASS: ::lockdep::__private::Class =
                    ::lockdep::__private::Class::new(#order, #text, #level, #flags);
                &CLASS
            }
        }
    }
}

fn role_items(roles: &Roles) -> TokenStream {
    let docs = &roles.docs;
    let items = roles.names.iter().enumerate().map(|(rank, name)| {
        let text = name.unraw().to_string();
        let title = format!("The role `{text}`.");
        let parameter = format_ident!("{}", text.to_upper_camel_case(), span = name.span());
        let parameter_title = format!("A `D` in the role `{text}`, for the signature of an operation.");
        let rank = Literal::usize_unsuffixed(rank);
        let tiers = (roles.tiers != 0).then(|| Literal::u8_unsuffixed(roles.tiers)).into_iter();
        quote! {
            #[doc = #title]
            #[doc = ""]
            #(#docs)*
            #[allow(dead_code, reason = "a role may be named by its parameter type alone")]
            pub type #name = ::lockdep::__private::RoleAt<decl::#name, #rank #(, #tiers)*>;

            #[doc = #parameter_title]
            #[allow(dead_code, reason = "a role may be named by its own type alone")]
            pub type #parameter<'a, D> = ::lockdep::InRole<'a, D, #name>;

            impl ::lockdep::__private::RoleName for decl::#name {
                const NAME: &'static ::core::primitive::str = #text;
            }
        }
    });
    quote!(#(#items)*)
}

fn list(classes: &[Class]) -> TokenStream {
    let names = classes.iter().map(|class| &class.name);
    let count = Literal::usize_unsuffixed(classes.len());
    quote! {
        /// Every lock of this order, in ascending level.
        #[allow(dead_code, reason = "for tables and reports, which not every crate makes")]
        pub fn classes() -> [&'static ::lockdep::__private::Class; #count] {
            [#(<decl::#names as ::lockdep::__private::Declaration>::class()),*]
        }
    }
}

/// The answering macro, imported under the name of the module, and both again as `levels`.
fn macro_items(order: &Order, module: &Ident, place: &str) -> TokenStream {
    let names = Names {
        order: module.clone(),
        classes: order.classes.iter().map(|class| class.name.clone()).collect(),
        roles: order.roles.names.clone(),
    };
    let visibility = &order.visibility;
    let public = matches!(visibility, Visibility::Public(_));
    let name = format_ident!("__lockdep_{}_{}", module, place);
    let answering = ask::answering_macro(&name, &names);
    // Only an exported macro can be imported as `pub`, and a `pub` order is for other crates too.
    let (export, import) = if public {
        (quote!(#[doc(hidden)] #[macro_export]), quote!(pub))
    } else {
        (TokenStream::new(), quote!(pub(crate)))
    };
    let unused =
        quote!(#[allow(unused_imports, reason = "an order may be named in full everywhere, or nowhere")]);
    let levels = (module != "levels").then(|| {
        quote! {
            #[doc(no_inline)]
            #unused
            #visibility use self::#module as levels;
        }
    });
    quote! {
        #[allow(unused_macros, reason = "called by attributes, of which there may be none")]
        #export
        #answering
        #[doc(hidden)]
        #unused
        #import use #name as #module;
        #levels
    }
}
