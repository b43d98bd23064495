//! Wound/wait mutexes as the self-tests use them: a test double over the checker's public hooks.
//!
//! The context of an acquisition is itself a lock, and mutexes acquired in it name it as their nest lock; that is all
//! that the checker sees. Stamps, back-off and the misuse warnings (Linux: `kernel/locking/ww_mutex.h`,
//! `DEBUG_LOCKS_WARN_ON`) are kept here. It excludes nobody and is not a lock.

use std::collections::BTreeMap;

use lockdep::Map;
use lockdep::held::Mode;

/// How Linux reports a misuse.
const MISUSE: &str = "ww-api-misuse(debug-warn)";

#[derive(Clone, Copy, Default)]
struct Context<'a> {
    stamp: i64,
    acquired: i64,
    done: bool,
    class_lost: bool,
    /// The mutex that it was told to wait for after backing off.
    contending: Option<&'a str>,
}

#[derive(Clone, Copy, Default)]
struct Object<'a> {
    locked: bool,
    context: Option<&'a str>,
}

/// Contexts and mutexes of one case, by name.
#[derive(Default)]
pub struct WoundWait<'a> {
    contexts: BTreeMap<&'a str, Context<'a>>,
    objects: BTreeMap<&'a str, Object<'a>>,
    stamps: i64,
}

enum Outcome {
    Locked,
    Already,
    Deadlock,
    Misuse,
}

impl<'a> WoundWait<'a> {
    /// Plays one event of the wound/wait family.
    ///
    /// # Panics
    /// When it is not one, or does not return what the script says.
    pub fn event(&mut self, words: &[&'a str], maps: &BTreeMap<&'a str, Map>) -> Option<&'static str> {
        match *words {
            ["ww_init", context] => {
                self.stamps += 1;
                self.contexts.insert(context, Context { stamp: self.stamps, ..Context::default() });
                maps[context].acquire(Mode::Exclusive);
                None
            }
            ["ww_done", context] => {
                let done = &mut self.contexts.get_mut(context).expect("initialised").done;
                std::mem::replace(done, true).then_some(MISUSE)
            }
            ["ww_fini", context] => {
                maps[context].release();
                (self.contexts[context].acquired != 0).then_some(MISUSE)
            }
            ["ww_copyctx", to, from, shift] => {
                let shift: i64 = shift.parse().expect("+n or -n");
                let copy = self.contexts[from];
                // A copy holds nothing itself.
                self.contexts.insert(to, Context { stamp: copy.stamp + shift, acquired: 0, ..copy });
                None
            }
            ["ww_setclass", context, "none"] => {
                self.contexts.get_mut(context).expect("initialised").class_lost = true;
                None
            }
            ["ww_setacquired", context, count] => {
                self.contexts.get_mut(context).expect("initialised").acquired =
                    count.parse().expect("a number");
                None
            }
            ["ww_setowner", object, context] => {
                self.objects.entry(object).or_default().context = Some(context);
                None
            }
            ["ww_foreign", object, context] => {
                // Locked, and dropped from this task's held stack: the checker hears of neither.
                self.objects.insert(object, Object { locked: true, context: Some(context) });
                None
            }
            ["ww_unforeign", object] => {
                self.objects.insert(object, Object::default());
                None
            }
            ["ww_try", object, outcome] => {
                let free = !self.objects.entry(object).or_default().locked;
                assert_eq!(free, outcome == "=ok", "ww_try {object}");
                if free {
                    self.objects.insert(object, Object { locked: true, context: None });
                    maps[object].acquired_by_try(Mode::Exclusive);
                }
                None
            }
            ["ww_slow", object, context] => {
                let unprepared = self.contexts[context].contending.is_none();
                let outcome = self.lock(object, context, true, maps);
                (unprepared || matches!(outcome, Outcome::Misuse)).then_some(MISUSE)
            }
            ["ww_lock", object, "-"] => {
                maps[object].acquire(Mode::Exclusive);
                self.objects.insert(object, Object { locked: true, context: None });
                None
            }
            ["ww_lock", object, context, ref outcome @ ..] => {
                match (self.lock(object, context, false, maps), outcome) {
                    (Outcome::Misuse, _) => Some(MISUSE),
                    (Outcome::Locked, []) | (Outcome::Already, ["=EALREADY"]) => None,
                    (Outcome::Deadlock, ["=EDEADLK"]) => None,
                    _ => panic!("another outcome: {words:?}"),
                }
            }
            _ => panic!("no such event: {words:?}"),
        }
    }

    fn lock(&mut self, object: &'a str, name: &'a str, slow: bool, maps: &BTreeMap<&'a str, Map>) -> Outcome {
        let context = self.contexts[name];
        let at = self.objects.get(object).copied().unwrap_or_default();
        let owner = at.context.filter(|_| at.locked);
        if owner == Some(name) {
            return Outcome::Already;
        }
        // As `ww_mutex_lock_acquired` warns: a stale owner, a context past its acquiring, another class, a mutex other
        // than the one to wait for after backing off, or others still held then.
        let wrong = at.context.is_some() && !at.locked
            || context.done
            || context.class_lost
            || context.contending.is_some_and(|wanted| wanted != object || context.acquired != 0);
        if wrong {
            return Outcome::Misuse;
        }
        if owner.is_some_and(|owner| !slow && self.contexts[owner].stamp < context.stamp) {
            // The younger backs off: it does not wait, so the checker does not hear of it.
            self.contexts.get_mut(name).expect("initialised").contending = Some(object);
            return Outcome::Deadlock;
        }
        maps[object].acquire_nested(Mode::Exclusive, &maps[name]);
        let context = self.contexts.get_mut(name).expect("initialised");
        context.contending = None;
        context.acquired += 1;
        self.objects.insert(object, Object { locked: true, context: Some(name) });
        Outcome::Locked
    }

    /// Before an unlock of any lock by name.
    pub fn unlock(&mut self, object: &str) -> Option<&'static str> {
        let object = self.objects.get_mut(object)?;
        let was = std::mem::take(object);
        let context = self.contexts.get_mut(was.context?)?;
        if context.acquired == 0 {
            return Some(MISUSE);
        }
        context.acquired -= 1;
        None
    }
}
