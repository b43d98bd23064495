//! Where locks live that come out of code which was not read.
//!
//! A guess from what such code is given; it follows no paths. Called from `foreign.rs`.

use std::collections::BTreeSet;

use crate::flow::Flow;
use crate::home::{Home, HomeId};
use crate::mir::ir::{Call, Operand, Ty};
use crate::path::{Path, Root, Value};
use crate::place::slot_of;
use crate::state::State;

impl Flow<'_, '_> {
    /// Where locks inside the result of a foreign call live: where it was constructed, if it is a lock; otherwise it
    /// is taken to come out of an argument that has a home.
    pub(crate) fn made_home(&self, state: &State, call: &Call, block: usize) -> Option<HomeId> {
        if self.context.lock_type(self.krate, &self.type_of(&call.dest)).is_some() {
            return Some(self.context.home(Home::Site(self.id, block)));
        }
        let handed_on = self.handed_on(state, call);
        let returned = || {
            let names = self.context.names_lock(self.krate, &self.type_of(&call.dest));
            let codes = call.args.iter().filter(|_| names).flat_map(|operand| self.codes_in(state, operand));
            codes.into_iter().find_map(|code| match code {
                Value::Code(body, _) => {
                    let home = self.home_out_of(state, &code, body)?;
                    let anew = self.makes_anew(call);
                    Some(if anew { self.context.made_by_call(home, self.id, block) } else { home })
                }
                _ => None,
            })
        };
        handed_on.or_else(returned).or_else(|| self.constructed(call, block))
    }

    /// The home of what a foreign function makes of its arguments.
    fn handed_on(&self, state: &State, call: &Call) -> Option<HomeId> {
        let first = call.args.iter().find_map(|arg| self.home_of(state, &self.value(state, arg)));
        let homes = call.args.iter().flat_map(|arg| self.homes_in(state, arg));
        self.out_of(homes, &self.type_of(&call.dest)).or(first)
    }

    /// Where a lock in a result of this type comes from, if out of one of these homes: those that have room for it.
    pub(crate) fn out_of(&self, homes: impl Iterator<Item = HomeId>, result: &Ty) -> Option<HomeId> {
        if !self.context.names_lock(self.krate, result) {
            return None;
        }
        let homes: BTreeSet<HomeId> = homes.collect();
        self.context
            .any_of(homes.into_iter().filter(|home| self.context.has_lock_of(*home, self.krate, result)))
    }

    /// The homes of a value or, if it is known by its parts, of these; code has none.
    fn homes_in(&self, state: &State, operand: &Operand) -> Vec<HomeId> {
        let value = self.value(state, operand);
        if let Some(home) = self.home_of(state, &value) {
            return vec![home];
        }
        let slot = match &value {
            Value::To(Path { root: Root::Local(local), steps, .. }) => Some((*local, steps.clone())),
            _ => operand.place().and_then(slot_of),
        };
        let Some((local, steps)) = slot else { return Vec::new() };
        let parts = state.subtree(local, &steps);
        if parts.iter().any(|(_, value)| matches!(value, Value::Code(..))) {
            return Vec::new();
        }
        parts.iter().filter_map(|(_, value)| value.path()?.home).collect()
    }

    /// Where the result of a foreign call was constructed, if no argument could have brought the locks in it.
    fn constructed(&self, call: &Call, block: usize) -> Option<HomeId> {
        let brings = |operand: &Operand| {
            let ty = self.operand_type(operand);
            self.context.shares_lock(self.krate, &ty) || self.context.may_hide(self.krate, &ty)
        };
        let made = self.context.names_lock(self.krate, &self.type_of(&call.dest));
        (made && self.makes_anew(call) && !call.args.iter().any(brings))
            .then(|| self.context.home(Home::Site(self.id, block)))
    }

    /// Whether what a foreign function hands out is made by each call: std keeps nothing to hand out again, but others
    /// may; and what is lent was there before.
    fn makes_anew(&self, call: &Call) -> bool {
        let key = self.context.callee_key(self.krate, &call.callee).unwrap_or_default();
        key.starts_with("std::") && !self.lends(&call.dest)
    }
}
