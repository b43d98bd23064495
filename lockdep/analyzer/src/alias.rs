//! Which classes of undeclared locks are one: homes that one lock may be stored in.
//!
//! A home behind a shared pointer is not a class of its own: it stands for every lock that was ever put there
//! (`stored.rs`), and a nesting that was seen through it holds for each of these. Locks are told apart by where they are
//! constructed and by the calls that have them constructed; what is in one field only is that field's, whichever
//! construction it is of. Two places are not one because a third was given the locks of both: that would find circles
//! that no locks close. A home that was given a lock of which nothing is known stands for a lock of its own as
//! well, which is an assumption (`link.rs`). It is worked out once, when all functions are analyzed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::context::Context;
use crate::home::{Home, HomeId, Key};
use crate::index::{BodyId, Entry};
use crate::locks::{is_generic, split};
use crate::mir::ir::{BodyKind, Operand, Rvalue, Span, StatementKind, Ty};
use crate::stored::Origin;
use crate::summary::{ClassId, Summary};

/// If a home stands for more classes than this, they are not told apart.
const MAX_CLASSES: usize = 8;

/// One class, by the homes that lead to it; more than one only where a lock is in several places.
type Final = BTreeSet<HomeId>;

/// What the classes that were met stand for.
#[derive(Debug, Default)]
pub struct Aliases {
    of: BTreeMap<ClassId, BTreeSet<Final>>,
    /// Homes that were given a lock of which nothing is known, and where.
    pub lost: BTreeMap<HomeId, BTreeSet<Span>>,
}

impl Aliases {
    /// Works out what each of the classes `met` stands for.
    pub fn new(
        context: &Context<'_>,
        summaries: &[Summary],
        entries: &BTreeSet<BodyId>,
        met: &BTreeSet<ClassId>,
    ) -> Aliases {
        let mut search = Search { context, into: BTreeMap::new(), open: BTreeSet::new() };
        let mut aliases = Aliases::default();
        for (body, summary) in summaries.iter().enumerate() {
            for (into, origin) in &summary.stores {
                // What nobody analyzed lends is looked at by nobody analyzed.
                let Origin::Home(into) = into else { continue };
                match origin {
                    Origin::Home(from) => drop(search.into.entry(*into).or_default().insert(*from)),
                    // What nobody analyzed gives is a lock of its own.
                    Origin::Given(_) if entries.contains(&body) => drop(search.open.insert(*into)),
                    Origin::Given(_) => {}
                    Origin::Lost(span) => {
                        search.open.insert(*into);
                        aliases.lost.entry(*into).or_default().insert(span.clone());
                    }
                }
            }
        }
        search.read_statics();
        let mut stands_for: BTreeMap<ClassId, BTreeSet<HomeId>> = BTreeMap::new();
        let mut shown_by: BTreeMap<HomeId, Final> = BTreeMap::new();
        for class in met {
            let Some((Key::Home(home), _)) = context.placed_key(*class) else { continue };
            let found = search.locks(home, context.placed.type_of(*class).as_ref());
            for lock in &found {
                let shown = shown_by.entry(*lock).or_default();
                if !context.is_construction(home) {
                    shown.insert(home);
                }
            }
            stands_for.insert(*class, found);
        }
        let shown = |lock: &HomeId| match shown_by.get(lock) {
            Some(homes) if !homes.is_empty() && context.is_construction(*lock) => homes.clone(),
            _ => BTreeSet::from([*lock]),
        };
        let all = stands_for.iter().map(|(class, locks)| (*class, locks.iter().map(shown).collect()));
        aliases.of = merged(all.collect());
        aliases
    }

    /// The classes that a class stands for, and their names.
    pub fn classes(&self, context: &Context<'_>, class: ClassId) -> Vec<(String, Final)> {
        let of = self.of.get(&class).into_iter().flatten();
        let mut found: Vec<(String, Final)> =
            of.map(|homes| (self.name(context, homes), homes.clone())).collect();
        found.sort();
        found
    }

    /// Statics are shown before fields, fields before constructions.
    fn name(&self, context: &Context<'_>, homes: &Final) -> String {
        let rank = |home: HomeId| match context.placed.home(home) {
            Home::Static(_) => 0,
            Home::Field(..) => 1,
            Home::Part(..) | Home::Inside(_) => 2,
            Home::Site(..) | Home::Fresh(..) => 3,
            Home::Either(_) => 4,
        };
        let mut named: Vec<(u8, String)> =
            homes.iter().map(|home| (rank(*home), context.home_name(*home))).collect();
        named.sort();
        let mut names = named.into_iter().map(|(_, name)| name);
        let first = names.next().unwrap_or_default();
        match (names.next(), names.count()) {
            (None, _) => first,
            (Some(second), 0) => format!("{first} = {second}"),
            (Some(second), more) => format!("{first} = {second} (and {more} more)"),
        }
    }
}

/// Makes one of the classes among which too many would have to be told apart.
fn merged(mut of: BTreeMap<ClassId, BTreeSet<Final>>) -> BTreeMap<ClassId, BTreeSet<Final>> {
    while let Some(many) = of.values().find(|finals| finals.len() > MAX_CLASSES).cloned() {
        let one: Final = many.iter().flatten().copied().collect();
        for finals in of.values_mut() {
            if finals.iter().any(|class| many.contains(class)) {
                finals.retain(|class| !many.contains(class));
                finals.insert(one.clone());
            }
        }
    }
    of
}

struct Search<'c, 'a> {
    context: &'c Context<'a>,
    /// What was put where.
    into: BTreeMap<HomeId, BTreeSet<HomeId>>,
    /// Places that were given what nobody knows.
    open: BTreeSet<HomeId>,
}

impl Search<'_, '_> {
    /// Statics that are references to statics. Their bodies are constants and not analyzed.
    fn read_statics(&mut self) {
        for Entry { krate, body } in &self.context.index.constants {
            let shared = body.locals.first().is_some_and(|ty| self.context.shares_lock(*krate, ty));
            if body.kind != BodyKind::Static || !shared {
                continue;
            }
            let home = |path: &str| self.context.home(Home::Static(self.context.static_name(*krate, path)));
            let statements = body.blocks.iter().flat_map(|block| &block.statements);
            let named: BTreeSet<HomeId> = statements
                .flat_map(|statement| match &statement.kind {
                    StatementKind::Assign(_, Rvalue::Use(of) | Rvalue::Cast(of, _)) => vec![of],
                    StatementKind::Assign(_, Rvalue::Aggregate(built)) => {
                        built.fields.iter().map(|(_, of)| of).collect()
                    }
                    _ => Vec::new(),
                })
                .filter_map(|of| if let Operand::Static(path) = of { Some(home(path)) } else { None })
                .collect();
            if !named.is_empty() {
                self.into.entry(home(&body.path)).or_default().extend(named);
            }
        }
    }

    /// The locks of a type that may be at a home, by where they live first.
    fn locks(&self, home: HomeId, lock: Option<&Arc<str>>) -> BTreeSet<HomeId> {
        let mut seen = BTreeSet::from([home]);
        let mut pending = vec![home];
        let mut found = BTreeSet::new();
        while let Some(at) = pending.pop() {
            let (given, itself) = self.given(at);
            if itself && (at == home || self.fits(at, lock)) {
                found.insert(at);
            }
            pending.extend(given.into_iter().filter(|next| seen.insert(*next)));
        }
        if found.is_empty() {
            // Places that were given each other's locks only.
            found.extend(
                seen.into_iter().filter(|at| !self.context.is_construction(*at) && self.fits(*at, lock)),
            );
            found.insert(home);
        }
        let within = |at: HomeId| match (lock, self.context.placed.home(at)) {
            (Some(lock), Home::Static(_) | Home::Field(..) | Home::Site(..) | Home::Fresh(..))
                if at != home =>
            {
                self.context.within(at, lock)
            }
            _ => at,
        };
        found.into_iter().map(within).collect()
    }

    /// What was put into a place, and whether a lock may live there that came from nowhere else.
    fn given(&self, at: HomeId) -> (BTreeSet<HomeId>, bool) {
        let into = self.into.get(&at);
        let mut given = into.cloned().unwrap_or_default();
        let itself = match self.context.placed.home(at) {
            Home::Part(whole, part) => {
                let (wholes, itself) = self.given(whole);
                given.extend(wholes.into_iter().map(|whole| self.context.home(Home::Part(whole, part))));
                itself
            }
            // What is inside another lock here may be by itself elsewhere.
            Home::Inside(whole) => {
                let (wholes, itself) = self.given(whole);
                given.extend(wholes);
                itself
            }
            Home::Site(..) | Home::Fresh(..) => {
                let made = self.context.placed.made_at(at);
                let itself = made.is_empty();
                given.extend(made);
                itself
            }
            Home::Either(all) => {
                given.extend(all);
                false
            }
            Home::Static(_) | Home::Field(..) => into.is_none(),
        };
        // A field that holds its lock itself is not given any.
        (given, itself || self.open.contains(&at))
    }

    /// Whether a lock of the type may live there.
    fn fits(&self, home: HomeId, lock: Option<&Arc<str>>) -> bool {
        // The lock of a cell is not spelled as one.
        let Some(lock) = lock.filter(|lock| split(lock).0 != "cell") else { return true };
        let (kind, data) = split(lock);
        let index = self.context.index;
        let fits = |krate: usize, ty: &Ty| {
            ty.any(&mut |inner| match inner {
                Ty::Dyn(_) | Ty::Opaque(_) | Ty::Projection(_) => true,
                Ty::Path(path, _) if index.is_parameter(krate, path) => true,
                Ty::Path(path, _) => match self.context.lock_type(krate, inner) {
                    Some(other) => {
                        let (other_kind, other) = split(&other);
                        kind == other_kind && (data == other || is_generic(data) || is_generic(other))
                    }
                    None => self.context.placed.is_transparent(&index.name(krate, path)),
                },
                _ => false,
            })
        };
        self.context.types_at(home).iter().any(|(krate, ty)| fits(*krate, ty))
    }
}

impl Context<'_> {
    /// Whether a home is no place of the program but where a lock is constructed.
    fn is_construction(&self, home: HomeId) -> bool {
        match self.placed.home(home) {
            Home::Site(..) | Home::Fresh(..) => true,
            Home::Part(whole, _) | Home::Inside(whole) => self.is_construction(whole),
            Home::Either(all) => all.into_iter().all(|home| self.is_construction(home)),
            Home::Static(_) | Home::Field(..) => false,
        }
    }
}
