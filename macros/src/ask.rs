//! How an attribute gets to see a table that another macro call declared.
//!
//! `lock_order!` leaves a `macro_rules!` beside the module of the order and under the same name. An attribute
//! expands to a call of it, `mm! { request }`; that macro puts its table in front and hands everything on to
//! the hidden proc-macro [`crate::answer`]. With several tables the request goes round until all have
//! answered. Tokens of the user keep their spans on the way, so errors point where they should. What is done
//! with the tables is not decided here. Callers: `lib.rs`, and `expand/order.rs` for the shape of the
//! `macro_rules!`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Path, Token, braced, bracketed, parenthesized};

use crate::model::table::{Names, Tables, key};

/// The attributes that need a table.
#[derive(Clone, Copy)]
pub enum Attribute {
    /// `#[mm_lock]`
    MmLock,
    /// `#[mm_locks]`
    MmLocks,
    /// `#[operation]`
    Operation,
}

impl Attribute {
    const ALL: [Attribute; 3] = [Attribute::MmLock, Attribute::MmLocks, Attribute::Operation];

    /// The name that the user writes.
    pub fn name(self) -> &'static str {
        match self {
            Attribute::MmLock => "mm_lock",
            Attribute::MmLocks => "mm_locks",
            Attribute::Operation => "operation",
        }
    }
}

/// An attribute on its way through the tables.
pub struct Request {
    attribute: Attribute,
    asked: Vec<Path>,
    answers: Vec<Names>,
    arguments: TokenStream,
    item: TokenStream,
}

/// Either the next table to ask, or everything that was asked for.
pub enum Next {
    /// Tokens that ask the next table.
    Ask(TokenStream),
    /// The attribute with its tables.
    Ready {
        /// Which attribute.
        attribute: Attribute,
        /// The tables.
        tables: Tables,
        /// The arguments of the attribute.
        arguments: TokenStream,
        /// The item it stands on.
        item: TokenStream,
    },
}

impl Request {
    /// A request of `attribute` for the tables at `paths`; each is asked once.
    pub fn new(attribute: Attribute, paths: Vec<Path>, arguments: TokenStream, item: TokenStream) -> Request {
        let mut asked: Vec<Path> = Vec::new();
        for path in paths {
            if !asked.iter().any(|known| key(known) == key(&path)) {
                asked.push(path);
            }
        }
        Request { attribute, asked, answers: Vec::new(), arguments, item }
    }

    /// The next step.
    pub fn next(self) -> Next {
        if let Some(table) = self.asked.get(self.answers.len()) {
            return Next::Ask(quote!(#table! { #self }));
        }
        let Request { attribute, asked, answers, arguments, item } = self;
        Next::Ready { attribute, tables: Tables::new(&asked, answers), arguments, item }
    }
}

impl ToTokens for Request {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Request { attribute, asked, answers, arguments, item } = self;
        let attribute = Ident::new(attribute.name(), Span::call_site());
        quote!(#attribute [#(#asked),*] [#(#answers),*] (#arguments) { #item }).to_tokens(tokens);
    }
}

impl ToTokens for Names {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Names { order, classes, roles } = self;
        quote!(#order [#(#classes),*] [#(#roles),*]).to_tokens(tokens);
    }
}

impl Parse for Names {
    fn parse(input: ParseStream<'_>) -> syn::Result<Names> {
        Ok(Names { order: input.parse()?, classes: identifiers(input)?, roles: identifiers(input)? })
    }
}

fn identifiers(input: ParseStream<'_>) -> syn::Result<Vec<Ident>> {
    let content;
    bracketed!(content in input);
    Ok(Punctuated::<Ident, Token![,]>::parse_terminated(&content)?.into_iter().collect())
}

/// A request with one more answer in front: what the `macro_rules!` of a table passes on.
impl Parse for Request {
    fn parse(input: ParseStream<'_>) -> syn::Result<Request> {
        let (answer, asked, answers, arguments, item);
        braced!(answer in input);
        let newest = answer.parse::<Names>()?;
        let name = input.parse::<Ident>()?;
        let attribute = Attribute::ALL.into_iter().find(|attribute| name == attribute.name());
        let attribute =
            attribute.ok_or_else(|| syn::Error::new(name.span(), "not an attribute of lockdep"))?;
        bracketed!(asked in input);
        let asked = asked.parse_terminated(Path::parse_mod_style, Token![,])?.into_iter().collect();
        bracketed!(answers in input);
        let answers = Punctuated::<Names, Token![,]>::parse_terminated(&answers)?;
        let answers = answers.into_iter().chain([newest]).collect();
        parenthesized!(arguments in input);
        let arguments = arguments.parse()?;
        braced!(item in input);
        let item = item.parse()?;
        Ok(Request { attribute, asked, answers, arguments, item })
    }
}

/// The `macro_rules!` called `name` that answers with `names`.
pub fn answering_macro(name: &Ident, names: &Names) -> TokenStream {
    let request = format_ident!("request");
    quote! {
        macro_rules! #name {
            ($($#request:tt)*) => {
                ::lockdep::__private::answer! { { #names } $($#request)* }
            };
        }
    }
}
