//! A validated lock order: classes in ascending level, roles in ascending rank.
//!
//! The constructors recover: what breaks a rule is reported, and the rest stands, so that a wrong line does
//! not make every user of the table fail as well. `parse/order.rs` is the only caller.

use heck::ToSnakeCase;
use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::{Attribute, LitInt, Visibility};

use crate::diagnostics::Diagnostics;

/// By how much `bias-*` disciplines raise a level; the same number as `lockdep::order::BIAS`, which this
/// crate cannot import because `lockdep` depends on it. A test compares the two.
const BIAS: u16 = 64;
/// The highest level that still fits after the bias.
const HIGHEST: u16 = u16::MAX - BIAS;
/// The module of marker types in the expansion.
const RESERVED: &str = "decl";

/// A declared level. 0 is not one, because it stands for "nothing held".
#[derive(Clone)]
pub struct Level {
    value: u16,
    span: Span,
}

impl Level {
    /// The level that `literal` declares.
    pub fn new(literal: &LitInt) -> syn::Result<Level> {
        let out_of_range = |why| {
            let text = format!("level {literal} is out of range: levels are 1 to {HIGHEST}, {why}");
            syn::Error::new(literal.span(), text)
        };
        if !matches!(literal.suffix(), "" | "u16") {
            return Err(syn::Error::new(literal.span(), "a level is a `u16`"));
        }
        match literal.base10_parse::<u16>() {
            Ok(0) => Err(out_of_range("0 stands for \"nothing held\"".to_owned())),
            Ok(value) if value <= HIGHEST => Ok(Level { value, span: literal.span() }),
            _ => Err(out_of_range(format!("so that a bias of {BIAS} still fits"))),
        }
    }
}

/// A lock class: one line of the table.
pub struct Class {
    /// What the lock protects.
    pub docs: Vec<Attribute>,
    /// Its name.
    pub name: Ident,
    /// Its level; nothing if that was in error.
    pub level: Option<Level>,
    /// Whether the holder may acquire the instance again, with the declared reason if there is one.
    pub recursive: Option<Option<String>>,
    /// The key by which instances nest in ascending order.
    pub ordered_by: Option<Ident>,
}

impl Class {
    /// The level, for the expansion. A class in error gets the lowest.
    pub fn level(&self) -> u16 {
        self.level.as_ref().map_or(1, |level| level.value)
    }

    /// The bits of `lockdep::class::Flags`.
    pub fn flags(&self) -> u8 {
        u8::from(self.recursive.is_some()) | u8::from(self.ordered_by.is_some()) << 1
    }
}

/// The roles of an order.
#[derive(Default)]
pub struct Roles {
    /// What the roles mean.
    pub docs: Vec<Attribute>,
    /// Their names, lowest first.
    pub names: Vec<Ident>,
    /// How many domains a chain of controllers has at most; 0 for any number.
    pub tiers: u8,
}

/// The number of tiers that `literal` declares; with fewer than two nobody could be in two roles.
pub fn tiers(literal: &LitInt) -> syn::Result<u8> {
    match literal.base10_parse::<u8>() {
        Ok(tiers) if tiers >= 2 => Ok(tiers),
        _ => Err(syn::Error::new(literal.span(), "`tiers` is a number from 2 to 255: of domains in a chain")),
    }
}

impl Roles {
    /// The chain `names` with this bound of tiers, written at `span`.
    pub fn new(
        docs: Vec<Attribute>,
        names: Vec<Ident>,
        tiers: u8,
        span: Span,
        diagnostics: &mut Diagnostics,
    ) -> Roles {
        if names.len() < 2 {
            diagnostics
                .report(span, "roles are a chain of two or more, such as `roles { subject < control }`");
        }
        let mut kept: Vec<Ident> = Vec::with_capacity(names.len());
        for name in names {
            if !is_name("role", &name, diagnostics) {
                continue;
            }
            match kept.iter().find(|earlier| **earlier == name) {
                Some(earlier) => report_duplicate(&name, earlier, diagnostics),
                None => kept.push(name),
            }
        }
        Roles { docs, names: kept, tiers }
    }
}

/// A lock order.
pub struct Order {
    /// What the order is for.
    pub docs: Vec<Attribute>,
    /// Who may name its classes.
    pub visibility: Visibility,
    /// Its name, such as `Mm`.
    pub name: Ident,
    /// Its classes, in ascending level.
    pub classes: Vec<Class>,
    /// Its roles, if any.
    pub roles: Roles,
}

impl Order {
    /// The order made of these parts.
    pub fn new(
        docs: Vec<Attribute>,
        visibility: Visibility,
        name: Ident,
        classes: Vec<Class>,
        roles: Roles,
        diagnostics: &mut Diagnostics,
    ) -> Order {
        if classes.is_empty() && diagnostics.is_empty() {
            diagnostics.report(name.span(), format!("order `{name}` declares no lock"));
        }
        let mut kept: Vec<Class> = Vec::with_capacity(classes.len());
        for class in classes {
            if !is_name("lock", &class.name, diagnostics) {
                continue;
            }
            check_level(&class, &kept, diagnostics);
            match kept.iter().find(|earlier| earlier.name == class.name) {
                Some(earlier) => report_duplicate(&class.name, &earlier.name, diagnostics),
                None => kept.push(class),
            }
        }
        let mut roles = roles;
        roles.names.retain(|role| match kept.iter().find(|class| class.name == *role) {
            Some(class) => {
                report_duplicate(role, &class.name, diagnostics);
                false
            }
            None => true,
        });
        kept.sort_by_key(Class::level);
        Order { docs, visibility, name, classes: kept, roles }
    }
}

/// Whether `name` can be a name in the module of the order. That is lower case, because `Subject` is the type
/// of a parameter in the role `subject`, and not the name of our own module.
fn is_name(what: &str, name: &Ident, diagnostics: &mut Diagnostics) -> bool {
    let text = name.unraw().to_string();
    if text.chars().any(char::is_uppercase) {
        let lower = text.to_snake_case();
        diagnostics.report(name.span(), format!("the name of a {what} is in lower case: `{lower}`"));
    } else if text == RESERVED {
        diagnostics.report(name.span(), format!("`{RESERVED}` is reserved; choose another name"));
    } else {
        return true;
    }
    false
}

fn check_level(class: &Class, earlier: &[Class], diagnostics: &mut Diagnostics) {
    let Some(level) = &class.level else { return };
    let same = earlier.iter().find_map(|other| {
        let theirs = other.level.as_ref().filter(|theirs| theirs.value == level.value)?;
        Some((&other.name, theirs.span))
    });
    if let Some((other, span)) = same {
        let value = level.value;
        let name = &class.name;
        diagnostics
            .report(level.span, format!("`{name}` declares level {value}, which `{other}` already has"));
        diagnostics.report(span, format!("level {value} is first declared here, by `{other}`"));
    }
}

fn report_duplicate(name: &Ident, first: &Ident, diagnostics: &mut Diagnostics) {
    diagnostics.report(name.span(), format!("`{name}` is declared twice"));
    diagnostics.report(first.span(), format!("`{name}` is first declared here"));
}
