// Appended to the source of a library that declares `Player`: each function nests in a way of its own.

pub mod inner {
    pub struct Pair<'a> {
        pub first: &'a super::Player,
        pub second: std::sync::Arc<super::Player>,
    }

    impl Pair<'_> {
        pub fn both(&self) -> u64 {
            let guard = self.first.pawn.lock();
            take(*guard) + *self.second.rook.lock()
        }

        pub fn early(&self) -> u64 {
            let guard = self.first.rook.lock();
            let value = *guard;
            drop(guard);
            value + *self.first.pawn.lock()
        }
    }

    pub fn take(value: u64) -> u64 {
        value
    }
}

pub trait Moves {
    fn step(&self) -> u64;
    fn twice(&self) -> u64 {
        self.step() + self.step()
    }
}

impl Moves for Player {
    fn step(&self) -> u64 {
        let pawn = self.pawn.lock();
        let more = || *self.rook.lock() + *pawn;
        more()
    }
}

pub fn some_paths(player: &Player, wait: bool) -> u64 {
    let pawn = player.pawn.lock();
    let mut sum = *pawn;
    let kept = if wait { Some(pawn) } else { None };
    if let Some(pawn) = &kept {
        sum += **pawn;
    }
    sum + *player.rook.lock()
}

pub async fn later(player: &Player) -> u64 {
    let pawn = player.pawn.lock();
    ready().await;
    *pawn + *player.rook.lock()
}

async fn ready() {}

pub fn loops(players: &[Player]) -> u64 {
    let mut sum = 0;
    for player in players {
        let Some(pawn) = player.pawn.try_lock() else { continue };
        sum += *pawn + *player.rook.lock();
    }
    sum
}

macro_rules! made {
    ($($name:ident)*) => { $(
        pub struct $name(pub std::sync::Arc<Player>);
        impl $name {
            pub fn go(&self) -> u64 {
                let go = || { let pawn = self.0.pawn.lock(); *pawn + *self.0.rook.lock() };
                go()
            }
        }
    )* };
}
made!(Knight Bishop);
