//! Pausing: it waits, it nests, and it keeps vCPUs out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use hv_core::error::HvError;

use crate::rig::Rig;

#[test]
fn a_pause_returns_only_when_no_vcpu_runs() {
    let rig = Rig::new();
    let run = rig.guest.enter(0).expect("free");
    let paused = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            rig.guest.pause();
            paused.store(true, Ordering::Release);
        });
        while rig.guest.pauses() == 0 {
            thread::yield_now();
        }
        assert!(rig.guest.try_enter(1).expect("vCPU 1 is free").is_none(), "no more enter while it waits");
        thread::sleep(Duration::from_millis(20));
        assert!(!paused.load(Ordering::Acquire));
        drop(run);
    });
    assert!(paused.load(Ordering::Acquire));
}

#[test]
fn pauses_nest() {
    let rig = Rig::new();
    rig.guest.pause();
    rig.guest.pause();
    rig.guest.unpause();
    assert!(rig.guest.try_enter(0).expect("free").is_none());
    rig.guest.unpause();
    assert!(rig.guest.try_enter(0).expect("free").is_some());
}

#[test]
fn a_vcpu_waits_until_the_domain_is_unpaused() {
    let rig = Rig::new();
    rig.guest.pause();
    let entered = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _run = rig.guest.enter(0).expect("free");
            entered.store(true, Ordering::Release);
        });
        thread::sleep(Duration::from_millis(20));
        assert!(!entered.load(Ordering::Acquire));
        rig.guest.unpause();
    });
    assert!(entered.load(Ordering::Acquire));
}

#[test]
fn a_vcpu_runs_once() {
    let rig = Rig::new();
    let run = rig.guest.enter(0).expect("free");
    assert_eq!(rig.guest.enter(0).err(), Some(HvError::VcpuRunning));
    assert_eq!(rig.guest.enter(2).err(), Some(HvError::NoSuchVcpu));
    assert!(rig.guest.enter(1).is_ok());
    drop(run);
    assert!(rig.guest.enter(0).is_ok());
}
