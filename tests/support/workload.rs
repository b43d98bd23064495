//! Several migrations at once on one machine, while everybody writes: the load of the stress and agreement tests.
//!
//! Two vCPUs of the control domain migrate a guest each; the guests' vCPUs and a device model write; the second
//! control domain migrates the first one meanwhile. After some rounds the writers of an epoch end, a last round is
//! made, and images are compared. The end of a run is counted in rounds, or in time by [`Plan::until`].

use std::thread;
use std::time::Instant;

use crate::dice::Dice;
use crate::migration::{Copied, Migration};
use crate::world::World;
use crate::writers::{self, Rations, Written};

/// How much to do.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Times that logging goes on, everything is copied, and logging goes off.
    pub migrations: u64,
    /// Comparisons in each.
    pub epochs: u64,
    /// Rounds of each guest before each of them.
    pub rounds: u64,
    /// Further migrations are begun until then.
    pub until: Option<Instant>,
}

/// What was done, and what was found.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// By the writers.
    pub written: Written,
    /// From the guests.
    pub guests: Copied,
    /// From the control domain.
    pub control: Copied,
    /// Images compared.
    pub images: u64,
    /// Pages that differed from their image; the run ends with the first ones.
    pub lost: Vec<String>,
}

/// Does it.
///
/// # Panics
/// When one of the threads does.
pub fn run(world: &World, plan: &Plan) -> Tally {
    let mut tally = Tally::default();
    let mut dice = Dice::new(1);
    let mut migrations = 0;
    while tally.lost.is_empty()
        && (migrations < plan.migrations || plan.until.is_some_and(|until| Instant::now() < until))
    {
        migrate(world, plan, &mut dice, &mut tally);
        migrations += 1;
    }
    tally
}

fn migrate(world: &World, plan: &Plan, dice: &mut Dice, tally: &mut Tally) {
    let (rations, nobodys) = ([Rations::default(), Rations::default()], Rations::default());
    let of_guest = |vcpu: usize, seed| {
        let controller = (&world.control, vcpu as u32);
        Migration::begin(world, controller, (&world.guests[vcpu], &rations[vcpu]), seed)
    };
    let mut of_guests = [of_guest(0, dice.bits()), of_guest(1, dice.bits())];
    let mut of_control = Migration::begin(world, (&world.upper, 0), (&world.control, &nobodys), dice.bits());
    for _ in 0..plan.epochs {
        tally.written = tally.written.plus(epoch(world, plan.rounds, &mut of_guests, &mut of_control, dice));
        for (name, migration) in
            ["guest 0", "guest 1"].iter().zip(&of_guests).chain([(&"control", &of_control)])
        {
            let differing = migration.differing();
            tally.images += 1;
            tally.lost.extend(differing.iter().map(|gfn| format!("{name}: {gfn:?}")));
        }
        if !tally.lost.is_empty() {
            break;
        }
    }
    tally.guests = of_guests.into_iter().map(Migration::end).fold(tally.guests, Copied::plus);
    tally.control = tally.control.plus(of_control.end());
}

/// Ends the writers of an epoch, and the rounds of the second control domain, also when somebody panics.
struct End<'a> {
    writers: [&'a Rations; 2],
    upper: &'a Rations,
}

impl End<'_> {
    fn of_writers(&self) {
        self.writers.into_iter().for_each(Rations::stop);
    }
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.of_writers();
        self.upper.stop();
    }
}

/// Rounds of everybody at once, and the last one after the writers ended.
fn epoch(
    world: &World,
    rounds: u64,
    of_guests: &mut [Migration<'_>; 2],
    of_control: &mut Migration<'_>,
    dice: &mut Dice,
) -> Written {
    let rations = of_guests.each_ref().map(Migration::rations);
    rations.into_iter().for_each(Rations::reopen);
    // A round of the second control domain for each of the first: it pauses the first, which must get somewhere.
    let pace = Rations::default();
    let written = thread::scope(|scope| {
        let end = End { writers: rations, upper: &pace };
        let mut writers = Vec::new();
        for (guest, rations) in world.guests.iter().zip(rations) {
            for vcpu in 0..guest.domain.vcpus() {
                let dice = Dice::new(dice.bits());
                writers.push(scope.spawn(move || writers::vcpu(world, guest, vcpu, rations, dice)));
            }
        }
        let dice = Dice::new(dice.bits());
        writers.push(scope.spawn(move || writers::device_model(world, rations[0], dice)));
        scope.spawn(|| {
            let mut eaten = 0;
            while pace.wait(&mut eaten) {
                of_control.round();
            }
        });
        let pace = &pace;
        let controllers = of_guests.each_mut().map(|migration| {
            scope.spawn(move || {
                for _ in 0..rounds {
                    migration.round();
                    pace.grant();
                }
                migration
            })
        });
        let of_guests = controllers.map(|thread| thread.join().expect("a controller goes through"));
        end.of_writers();
        let written = writers.into_iter().map(|thread| thread.join().expect("a writer goes through"));
        let written = written.fold(Written::default(), Written::plus);
        of_guests.into_iter().for_each(Migration::last_round);
        written
    });
    of_control.last_round();
    written
}
