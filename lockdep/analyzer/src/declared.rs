//! The lock classes and roles that a program declares, as the types in its text spell them.
//!
//! A class is known by the names of its order and itself, its level and its flags: two crates may declare an order of one
//! name, and where classes of one name differ they are two, shown with their crates. It knows no paths and no locks.
//! Used by `context.rs` and `lib.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU8;

use crate::graph::{Class, Ownership};
use crate::index::{Index, last};
use crate::known::callee_key;
use crate::mir::ir::{Callee, Program, Projection, StatementKind, Terminator, Ty};
use crate::model::{Acquiring, Effect, Models};
use crate::summary::ClassId;

/// What tells declared classes apart: level, `order::class`, flags.
type Spelt = (u16, String, u16);

/// The declared classes of a program.
#[derive(Debug, Default)]
pub struct DeclaredClasses {
    /// In the graph's order.
    pub classes: Vec<Class>,
    numbers: BTreeMap<Spelt, ClassId>,
}

impl DeclaredClasses {
    /// The class that a type argument names.
    pub fn class(&self, ty: &Ty) -> Option<ClassId> {
        self.numbers.get(&declared(ty)?).copied()
    }

    /// Every class that the programs' types mention. One is recursive if it is declared so and no lock of it is of a type
    /// that keeps its holder out.
    pub fn new(programs: &[Program], index: &Index<'_>, models: &Models) -> DeclaredClasses {
        let mut plain: BTreeSet<Spelt> = BTreeSet::new();
        // By where it was met first: a crate, and the marker as that prints it.
        let mut found: BTreeMap<Spelt, (usize, String)> = BTreeMap::new();
        let mut visit = |krate: usize, ty: &Ty| {
            ty.any(&mut |inner| {
                if let (Some(spelt), Some(marker)) = (declared(inner), marker(inner)) {
                    found.entry(spelt).or_insert_with(|| (krate, marker.to_owned()));
                }
                false
            });
        };
        let bodies = programs
            .iter()
            .enumerate()
            .flat_map(|(krate, program)| program.bodies.iter().map(move |b| (krate, b)));
        for (krate, body) in bodies {
            body.locals.iter().for_each(|ty| visit(krate, ty));
            for block in &body.blocks {
                for statement in &block.statements {
                    if let StatementKind::Assign(place, _) = &statement.kind {
                        for projection in &place.projection {
                            if let Projection::Field(_, ty) = projection {
                                visit(krate, ty);
                            }
                        }
                    }
                }
                if let Terminator::Call(call) = &block.terminator
                    && let Callee::Path { generics, .. } = &call.callee
                {
                    generics.iter().flat_map(|(_, types)| types).for_each(|ty| visit(krate, ty));
                    let effect =
                        callee_key(index, models, krate, &call.callee).and_then(|key| models.effect(&key));
                    if let Some(Effect::Acquire(Acquiring { reentrant: false, .. })) = effect {
                        let class = generics.last().and_then(|(_, types)| types.last());
                        plain.extend(class.and_then(declared));
                    }
                }
            }
        }
        let mut alike: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, name, _) in found.keys() {
            *alike.entry(name).or_default() += 1;
        }
        let mut classes = DeclaredClasses::default();
        for (spelt, (krate, marker)) in &found {
            let (level, short, flags) = spelt;
            let mut name = short.clone();
            if alike.get(short.as_str()).is_some_and(|many| *many > 1) {
                let printed = index.printed(*krate, marker).krate;
                let home = if printed.is_empty() { &programs[*krate].krate } else { &printed };
                name = format!("{home}::{short}");
            }
            if classes.classes.iter().any(|known| known.name == name) {
                name = format!("{name}={level}/{flags}");
            }
            classes.numbers.insert(spelt.clone(), classes.classes.len());
            classes.classes.push(Class {
                name,
                level: Some(*level),
                recursive: flags & 1 != 0 && !plain.contains(spelt),
                ordered: flags & 2 != 0,
                ownership: Ownership::Unknown,
            });
        }
        classes
    }
}

/// The roles that the programs' types mention.
#[derive(Debug, Default)]
pub struct Roles {
    /// Their names, lowest first.
    pub names: Vec<String>,
    /// How many domains control each other in a chain at most, if each role declares it: where one does not, an operation
    /// may be entered that sees to no bound.
    pub tiers: Option<NonZeroU8>,
}

/// The roles of the programs.
pub fn roles(programs: &[Program]) -> Roles {
    let mut found: BTreeSet<(u16, String)> = BTreeSet::new();
    let mut tiers: BTreeSet<Option<NonZeroU8>> = BTreeSet::new();
    for ty in programs.iter().flat_map(|program| &program.bodies).flat_map(|body| &body.locals) {
        ty.any(&mut |inner| {
            if let Ty::Path(path, args) = inner
                && is_lockdep(path, "RoleAt")
                && let [Ty::Path(name, _), Ty::Const(rank), bound @ ..] = &args[..]
                && let Some(rank) = number(rank)
            {
                found.insert((rank, last(name).to_owned()));
                tiers.insert(match bound {
                    [Ty::Const(bound)] => {
                        number(bound).and_then(|bound| NonZeroU8::new(bound.try_into().ok()?))
                    }
                    _ => None,
                });
            }
            false
        });
    }
    let unbounded = tiers.contains(&None);
    let tiers = tiers.into_iter().flatten().max().filter(|_| !unbounded);
    Roles { names: found.into_iter().map(|(_, name)| name).collect(), tiers }
}

/// What `lockdep::class::Declared<krate::order::decl::class, 16, 1>` says.
fn declared(ty: &Ty) -> Option<Spelt> {
    let marker = marker(ty)?;
    let Ty::Path(_, args) = ty else { return None };
    let [_, Ty::Const(level), Ty::Const(flags)] = &args[..] else { return None };
    let mut segments = marker.rsplit("::");
    let class = segments.next()?;
    let order = segments.nth(1)?;
    Some((number(level)?, format!("{order}::{class}"), number(flags)?))
}

/// The type that stands for a class.
fn marker(ty: &Ty) -> Option<&str> {
    match ty {
        Ty::Path(path, args) if is_lockdep(path, "Declared") => match args.first() {
            Some(Ty::Path(marker, _)) => Some(marker),
            _ => None,
        },
        _ => None,
    }
}

fn is_lockdep(path: &str, item: &str) -> bool {
    path.starts_with("lockdep::") && last(path) == item
}

/// `16`, `16_u16`.
fn number(text: &str) -> Option<u16> {
    text.split('_').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mir::read_body;

    /// A crate that locks one class of an order of this name.
    fn locking(krate: &str, level: u16, flags: u16) -> Program {
        let class = format!("lockdep::class::Declared<mm::decl::p2m, {level}, {flags}>");
        let text = format!(
            "fn f(_1: &{class}) -> () {{\n    let mut _0: ();\n\n    bb0: {{\n        return;\n    }}\n}}\n"
        );
        let (bodies, problems) = read_body("f", &text);
        assert_eq!(problems, []);
        Program { krate: krate.to_owned(), bodies: bodies.into_iter().collect(), ..Program::default() }
    }

    fn classes(programs: &[Program]) -> DeclaredClasses {
        DeclaredClasses::new(programs, &Index::new(programs), &Models::shipped())
    }

    fn names(declared: &DeclaredClasses) -> Vec<&str> {
        declared.classes.iter().map(|class| class.name.as_str()).collect()
    }

    #[test]
    fn classes_of_one_name_are_told_apart() {
        let programs = [locking("far", 16, 1), locking("near", 64, 0)];
        let declared = classes(&programs);
        assert_eq!(names(&declared), ["far::mm::p2m", "near::mm::p2m"]);
        let found = |at: usize| {
            let Ty::Ref(_, class) = &programs[at].bodies[0].locals[1] else { panic!("a reference") };
            let class = &declared.classes[declared.class(class).expect("a class")];
            (class.level, class.recursive)
        };
        assert_eq!([found(0), found(1)], [(Some(16), true), (Some(64), false)]);
    }

    #[test]
    fn a_class_that_several_crates_name_is_one() {
        let programs = [locking("far", 16, 1), locking("near", 16, 1)];
        assert_eq!(names(&classes(&programs)), ["mm::p2m"]);
    }
}
