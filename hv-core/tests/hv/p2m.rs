//! The p2m table: entries, sizes, types, accounting, and agreement with a map.

use std::collections::BTreeMap;

use hv_core::domain::{DomainConfig, DomainKind};
use hv_core::error::HvError;
use hv_core::machine::Machine;
use hv_core::p2m::{P2mEntry, P2mTable};
use hv_core::page_alloc::PageAllocLock;
use hv_core::physmap;
use hv_core::types::{DomainId, Gfn, Mfn, P2mType, PageOrder};
use lockdep::OwnerId;
use proptest::prelude::*;

use crate::rig::Rig;

fn gfn(raw: u64) -> Gfn {
    Gfn::new(raw)
}

#[test]
fn a_2m_entry_is_split_when_one_page_changes() {
    let rig = Rig::new();
    let (machine, guest) = (rig.machine(), &*rig.guest);
    let mfn = physmap::populate(machine, guest, gfn(512), PageOrder::Page2M).expect("memory");
    let tables = guest.page_totals().table_pages;
    let at = |raw| physmap::lookup(machine, guest, gfn(raw)).expect("translated");
    let large = P2mEntry { mfn: Mfn::new(mfn.get() + 7), kind: P2mType::RamRw, order: PageOrder::Page2M };
    assert_eq!(at(519), Some(large));
    assert_eq!((at(511), at(1024)), (None, None));

    let changed =
        physmap::change_type(machine, guest, gfn(519), 1, P2mType::RamRw, P2mType::RamRo).expect("memory");
    assert_eq!(changed, 1);
    let small = P2mEntry { order: PageOrder::Page4K, ..large };
    assert_eq!(at(519), Some(P2mEntry { kind: P2mType::RamRo, ..small }));
    assert_eq!(
        at(520),
        Some(P2mEntry { mfn: Mfn::new(mfn.get() + 8), ..small }),
        "neighbours keep type and frame"
    );
    assert_eq!(guest.page_totals().table_pages, tables + 1, "a split costs one table");

    physmap::remove(machine, guest, gfn(512), PageOrder::Page2M).expect("mapped");
    assert_eq!((at(512), at(519)), (None, None));
    let totals = guest.page_totals();
    assert_eq!((totals.memory_pages, totals.table_pages), (0, tables), "pages and the table came back");
}

#[test]
fn removing_one_page_of_a_2m_entry_frees_that_page() {
    let rig = Rig::new();
    let (machine, guest) = (rig.machine(), &*rig.guest);
    physmap::populate(machine, guest, gfn(0), PageOrder::Page2M).expect("memory");
    physmap::remove(machine, guest, gfn(3), PageOrder::Page4K).expect("mapped");
    assert_eq!(guest.page_totals().memory_pages, 511);
    assert_eq!(physmap::remove(machine, guest, gfn(3), PageOrder::Page4K), Err(HvError::GfnNotMapped));
    physmap::populate(machine, guest, gfn(3), PageOrder::Page4K).expect("the hole can be filled");
}

#[test]
fn global_logging_flips_whole_entries_and_only_writable_memory() {
    let rig = Rig::new();
    let (machine, guest) = (rig.machine(), &*rig.guest);
    physmap::populate(machine, guest, gfn(512), PageOrder::Page2M).expect("memory");
    rig.populate(1);
    rig.populate(2);
    physmap::change_type(machine, guest, gfn(2), 1, P2mType::RamRw, P2mType::RamRo).expect("mapped");
    let device = P2mEntry { mfn: Mfn::new(1 << 30), kind: P2mType::MmioDirect, order: PageOrder::Page4K };
    physmap::map(machine, guest, gfn(3), device).expect("vacant");
    let kinds = || {
        [512, 1, 2, 3].map(|raw| {
            let entry = physmap::lookup(machine, guest, gfn(raw)).expect("translated").expect("mapped");
            (entry.kind, entry.order)
        })
    };
    let before = kinds();
    rig.enable();
    let (logged, ro, mmio) = (P2mType::RamLogdirty, P2mType::RamRo, P2mType::MmioDirect);
    let (small, large) = (PageOrder::Page4K, PageOrder::Page2M);
    assert_eq!(kinds(), [(logged, large), (logged, small), (ro, small), (mmio, small)]);
    rig.shadow(hv_core::abi::ShadowOp::new(hv_core::abi::number::SHADOW_OFF)).expect("log-dirty goes off");
    assert_eq!(kinds(), before);
}

/// Each type against what the guest and the hypervisor may do to such a page.
#[test]
fn types_decide_access() {
    let rig = Rig::new();
    let (machine, guest) = (rig.machine(), &*rig.guest);
    let frame = physmap::populate(machine, &rig.control, gfn(0x80), PageOrder::Page4K).expect("memory");
    let rows = [
        (P2mType::RamRw, true, true),
        (P2mType::RamLogdirty, true, true),
        (P2mType::RamRo, true, false),
        (P2mType::MmioDirect, false, false),
        (P2mType::GrantRw, true, true),
        (P2mType::GrantRo, true, false),
        (P2mType::IoreqServer, true, false),
    ];
    assert_eq!(rows.map(|row| row.0), P2mType::ALL);
    for (at, (kind, readable, writable)) in (0x100..).zip(rows) {
        if kind.is_ram() {
            rig.populate(at);
            if kind != P2mType::RamRw {
                physmap::change_type(machine, guest, gfn(at), 1, P2mType::RamRw, kind).expect("mapped");
            }
        } else {
            let entry = P2mEntry { mfn: frame, kind, order: PageOrder::Page4K };
            physmap::map(machine, guest, gfn(at), entry).expect("vacant");
        }
        let refused = Err(HvError::BadAddress);
        assert_eq!(rig.guest_reads(at, 1).is_ok(), readable, "{kind:?}");
        assert_eq!(rig.guest_writes(at, &[1]), if writable { Ok(()) } else { refused }, "{kind:?}");
    }
    assert_eq!(rig.guest_writes(0xfff, &[1]), Err(HvError::BadAddress), "nothing mapped");
    assert_eq!(rig.guest_reads(u64::MAX >> 12, 8), Err(HvError::BadAddress), "beyond the table");
}

/// A device's frame that the machine does not have is no memory, whatever a grant entry says.
#[test]
fn a_frame_that_the_machine_does_not_have_is_not_touched() {
    let rig = Rig::new();
    let entry = P2mEntry { mfn: Mfn::new(1 << 30), kind: P2mType::GrantRw, order: PageOrder::Page4K };
    physmap::map(rig.machine(), &rig.guest, gfn(5), entry).expect("vacant");
    assert_eq!(rig.guest_writes(5, &[1]), Err(HvError::BadAddress));
    assert_eq!(rig.guest_reads(5, 1), Err(HvError::BadAddress));
}

#[test]
fn copies_cross_page_boundaries() {
    let rig = Rig::new();
    rig.populate(7);
    rig.populate(8);
    let run = rig.guest.enter(0).expect("free");
    let text = *b"across the boundary";
    let at = hv_core::types::Gpa::new(8 * 4096 - 7);
    hv_core::guest_copy::guest_write(rig.machine(), &run, at, &text).expect("mapped");
    let mut back = [0; 19];
    hv_core::guest_copy::guest_read(rig.machine(), &run, at, &mut back).expect("mapped");
    assert_eq!(back, text);
    drop(run);
    assert_eq!(rig.guest_reads(8, 12).expect("mapped"), text[7..]);
}

#[test]
fn a_domain_gets_no_more_than_its_pages_and_a_refused_page_changes_nothing() {
    let rig = Rig::new();
    let machine = rig.machine();
    let config = DomainConfig { max_pages: 6, ..DomainConfig::new(DomainKind::Hvm) };
    let small = rig.create(config);
    let free = machine.nr_free();
    // Four levels of tables and two pages.
    physmap::populate(machine, &small, gfn(0), PageOrder::Page4K).expect("room");
    physmap::populate(machine, &small, gfn(1), PageOrder::Page4K).expect("room");
    let full = physmap::populate(machine, &small, gfn(2), PageOrder::Page4K);
    assert_eq!(full, Err(HvError::MaxPages));
    assert_eq!(machine.nr_free(), free - 6);
    physmap::remove(machine, &small, gfn(1), PageOrder::Page4K).expect("mapped");
    let no_table = physmap::populate(machine, &small, gfn(1 << 18), PageOrder::Page4K);
    assert_eq!(no_table, Err(HvError::MaxPages), "the page fits and its tables do not");
    assert_eq!(small.page_totals().memory_pages, 1);
    physmap::populate(machine, &small, gfn(2), PageOrder::Page4K).expect("what was freed can be used");
}

#[test]
fn destroying_a_domain_gives_everything_back() {
    let rig = Rig::new();
    let machine = rig.machine();
    let before = machine.nr_free();
    let victim = rig.create(DomainConfig { paging_frames: 9, ..DomainConfig::new(DomainKind::Hvm) });
    physmap::populate(machine, &victim, gfn(512), PageOrder::Page2M).expect("memory");
    physmap::populate(machine, &victim, gfn(1 << 30), PageOrder::Page4K).expect("memory");
    rig.domctl(victim.id(), hv_core::abi::Domctl::Destroy).expect("it is alive");
    assert_eq!(machine.nr_free(), before);
    assert!(victim.is_dying());
    let again = physmap::populate(machine, &victim, gfn(0), PageOrder::Page4K);
    assert_eq!(again, Err(HvError::SubjectDying));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Set { gfn: u64, order: PageOrder, kind: P2mType },
    Remove { gfn: u64, order: PageOrder },
    Change { first: u64, count: u64, from: P2mType, to: P2mType },
    Logging(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let order = prop_oneof![3 => Just(PageOrder::Page4K), 1 => Just(PageOrder::Page2M)];
    // Around the ends of 2 MiB, 1 GiB and 512 GiB regions.
    let gfn = (prop_oneof![Just(0), Just(1 << 9), Just(1 << 18), Just((1 << 27) - 512)], 0..520_u64);
    let place = (gfn, order).prop_map(|((base, offset), order)| {
        let gfn: u64 = base + offset;
        (if order == PageOrder::Page2M { gfn & !511 } else { gfn }, order)
    });
    let kind = proptest::sample::select(&P2mType::ALL[..]);
    let step = prop_oneof![
        4 => (place.clone(), kind.clone()).prop_map(|((gfn, order), kind)| Step::Set { gfn, order, kind }),
        2 => place.clone().prop_map(|(gfn, order)| Step::Remove { gfn, order }),
        2 => (place, 0..600_u64, kind.clone(), kind)
            .prop_map(|((first, _), count, from, to)| Step::Change { first, count, from, to }),
        1 => any::<bool>().prop_map(Step::Logging),
    ];
    proptest::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_table_agrees_with_a_map(steps in steps()) {
        crate::cpus::install();
        let machine = Machine::new(128);
        let pages = PageAllocLock::new(OwnerId::NOBODY, DomainId::new(0), 128);
        let mut table = P2mTable::EMPTY;
        let mut model: BTreeMap<u64, (u64, P2mType)> = BTreeMap::new();
        let mut highest = None;
        for (round, step) in (1..).zip(steps) {
            match step {
                Step::Set { gfn, order, kind } => {
                    let mfn = round * 512;
                    let entry = P2mEntry { mfn: Mfn::new(mfn), kind, order };
                    table.set_entry(&machine, &pages, Gfn::new(gfn), entry).expect("enough tables");
                    model.extend((0..order.pages()).map(|page| (gfn + page, (mfn + page, kind))));
                    highest = highest.max(Some(gfn + order.pages() - 1));
                }
                Step::Remove { gfn, order } => {
                    let mut removed = BTreeMap::new();
                    table
                        .remove(&machine, &pages, Gfn::new(gfn), order, |entry| {
                            let frames = entry.mfn.get()..entry.mfn.get() + entry.order.pages();
                            removed.extend(frames.map(|frame| (frame, entry.kind)));
                        })
                        .expect("enough tables");
                    let gone: BTreeMap<u64, P2mType> =
                        (gfn..gfn + order.pages()).filter_map(|gfn| model.remove(&gfn)).collect();
                    prop_assert_eq!(removed, gone);
                }
                Step::Change { first, count, from, to } => {
                    let changed = table.change_type_range(&machine, &pages, Gfn::new(first), count, (from, to));
                    let range = model.range_mut(first..first + count);
                    let hit: Vec<_> = range.filter(|(_, (_, kind))| *kind == from).collect();
                    prop_assert_eq!(changed, Ok(hit.len() as u64));
                    hit.into_iter().for_each(|(_, (_, kind))| *kind = to);
                }
                Step::Logging(on) => {
                    table.set_logging(&machine, on);
                    let (rw, logged) = (P2mType::RamRw, P2mType::RamLogdirty);
                    let (from, to) = if on { (rw, logged) } else { (logged, rw) };
                    model.values_mut().filter(|(_, kind)| *kind == from).for_each(|(_, kind)| *kind = to);
                }
            }
            let emulated = model.values().filter(|(_, kind)| *kind == P2mType::IoreqServer).count();
            prop_assert_eq!(table.ioreq_pages(), emulated as u64);
            prop_assert_eq!(table.max_gfn(), highest.map(Gfn::new));
            for base in [0, 1 << 18, (1 << 27) - 512] {
                for gfn in base..base + 1536 {
                    let found = table.lookup(&machine, Gfn::new(gfn)).map(|e| (e.mfn.get(), e.kind));
                    prop_assert_eq!(found, model.get(&gfn).copied(), "gfn {:#x}", gfn);
                }
            }
        }
        table.teardown(&machine, &pages);
        prop_assert_eq!((machine.nr_free(), pages.totals().table_pages), (128, 0));
    }
}
