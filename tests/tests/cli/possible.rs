//! A deadlock that takes a call of whom nobody knows for certain. The text of a program; it is compiled by the tests.
use std::sync::Mutex;

static BOARD: Mutex<u32> = Mutex::new(0);

pub trait Observer {
    fn tell(&self);
}

pub struct Careless;

impl Observer for Careless {
    fn tell(&self) {
        *BOARD.lock().unwrap() += 1;
    }
}

pub struct Deaf;

impl Observer for Deaf {
    fn tell(&self) {}
}

pub fn tell(observer: &dyn Observer) {
    let _board = BOARD.lock();
    observer.tell();
}
