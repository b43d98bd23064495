//! Where locks live that come out of code which was not read.
//!
//! A guess from what such code is given; it follows no paths. Called from `foreign.rs`.

use crate::flow::Flow;
use crate::home::{Home, HomeId};
use crate::mir::ir::{Call, Operand};
use crate::path::Value;
use crate::state::State;

impl Flow<'_, '_> {
    /// Where locks inside the result of a foreign call live: where it was constructed, if it is a lock; otherwise it
    /// is taken to come out of the first argument that has a home.
    pub(crate) fn made_home(&self, state: &State, call: &Call, block: usize) -> Option<HomeId> {
        if self.context.lock_type(self.krate, &self.type_of(&call.dest)).is_some() {
            return Some(self.context.home(Home::Site(self.id, block)));
        }
        let handed_on = call.args.iter().find_map(|arg| self.home_of(state, &self.value(state, arg)));
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
