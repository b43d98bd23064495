//! Types as the compiler prints them.
//!
//! For messages and for comparing by eye; nothing reads it back.

use std::fmt;

use super::Ty;

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn list(f: &mut fmt::Formatter<'_>, types: &[Ty]) -> fmt::Result {
            for (position, ty) in types.iter().enumerate() {
                if position > 0 {
                    f.write_str(", ")?;
                }
                write!(f, "{ty}")?;
            }
            Ok(())
        }
        match self {
            Ty::Path(path, args) if args.is_empty() => f.write_str(path),
            Ty::Path(path, args) => {
                write!(f, "{path}<")?;
                list(f, args)?;
                f.write_str(">")
            }
            Ty::Ref(mutable, inner) => write!(f, "&{}{inner}", if *mutable { "mut " } else { "" }),
            Ty::Ptr(mutable, inner) => write!(f, "*{} {inner}", if *mutable { "mut" } else { "const" }),
            Ty::Tuple(types) => {
                f.write_str("(")?;
                list(f, types)?;
                f.write_str(if types.len() == 1 { ",)" } else { ")" })
            }
            Ty::Slice(inner) => write!(f, "[{inner}]"),
            Ty::Array(inner, length) => write!(f, "[{inner}; {length}]"),
            Ty::FnPtr(params, result) => {
                f.write_str("fn(")?;
                list(f, params)?;
                write!(f, ") -> {result}")
            }
            Ty::FnItem(path) => write!(f, "fn {{{path}}}"),
            Ty::Dyn(bounds) => write!(f, "dyn {bounds}"),
            Ty::Opaque(bounds) => write!(f, "impl {bounds}"),
            Ty::Closure(name) => write!(f, "{{{name}}}"),
            Ty::Projection(text) | Ty::Const(text) | Ty::Other(text) => f.write_str(text),
            Ty::Never => f.write_str("!"),
        }
    }
}

impl fmt::Debug for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
