// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of what goes from a full map, and of what is merged.

use tcp_trace_common::{
    bind::{RawBindCounts, RawBindSite, RawBindTotals, RawBinder},
    time_wait::{RawTimeWaitTotals, event},
};

use super::*;

/// No process has it.
const ENDED: u32 = u32::MAX;

fn sorted<K: Copy + Ord, V>(mut rows: Vec<(K, V)>) -> Vec<(K, V)> {
    rows.sort_by_key(|(key, _)| *key);
    rows
}

#[test]
fn places_that_bind_make_room_once_their_process_has_ended_and_stay_in_the_answer() {
    let site = |tgid, frame| RawBindSite { process_start_ns: 1, tgid, any_port: 1, frames: [frame, 0, 0, 0] };
    let own = std::process::id();
    let mut sites: Retired<RawBindSite, u64> = Retired::new();
    let rows = vec![(site(own, 1), 3), (site(ENDED, 1), 5), (site(ENDED, 2), 7)];
    let calls = |rows: Vec<(RawBindSite, u64)>| {
        let mut calls: Vec<_> = rows.into_iter().map(|(site, calls)| (site.tgid, site.frames[0], calls)).collect();
        calls.sort_unstable();
        calls
    };
    let all = [(own, 1, 3), (ENDED, 1, 5), (ENDED, 2, 7)];
    // There is room: nothing goes.
    assert_eq!(calls(sites.pass(rows.clone(), false, |_| panic!("nothing is taken out"))), all);
    // What cannot be taken out stays, and is not added a second time.
    assert_eq!(calls(sites.pass(rows.clone(), true, |_| false)), all);
    let mut taken = Vec::new();
    let answered = sites.pass(rows, true, |site| {
        taken.push((site.tgid, site.frames[0]));
        true
    });
    assert_eq!((calls(answered), taken), (all.into(), vec![(ENDED, 1), (ENDED, 2)]));
    // A process that has the number again, at the same place.
    let left = vec![(site(own, 1), 4), (site(ENDED, 2), 1)];
    assert_eq!(calls(sites.pass(left, false, |_| false)), [(own, 1, 4), (ENDED, 1, 5), (ENDED, 2, 8)]);
}

#[test]
fn a_namespace_makes_room_when_nothing_was_added_between_two_looks() {
    let of = |entered: u64, left: u64| {
        let mut totals = RawTimeWaitTotals { level: (entered - left) as u32, ..RawTimeWaitTotals::default() };
        (totals.events[usize::from(event::ENTER)], totals.events[usize::from(event::EXPIRED)]) = (entered, left);
        totals
    };
    let mut spaces: Retired<u32, RawTimeWaitTotals> = Retired::new();
    let mut look = |rows: &[(u32, RawTimeWaitTotals)], is_filling| {
        let mut taken = Vec::new();
        let answered = spaces.pass(rows.to_vec(), is_filling, |netns| {
            taken.push(*netns);
            true
        });
        let entered = |(netns, totals): (u32, RawTimeWaitTotals)| (netns, totals.events[usize::from(event::ENTER)]);
        (sorted(answered).into_iter().map(entered).collect::<Vec<_>>(), taken)
    };
    let first = [(1, of(2, 2)), (2, of(3, 3)), (3, of(4, 1))];
    let entered = vec![(1, 2), (2, 3), (3, 4)];
    assert_eq!(look(&first, true), (entered.clone(), vec![]), "whether they are at rest is not known yet");
    assert_eq!(look(&first, false), (entered, vec![]), "there is room again");
    let second = [(1, of(2, 2)), (2, of(9, 9)), (3, of(4, 1))];
    look(&first, true);
    // One rests; to one something was added; in one some are in TIME_WAIT still.
    assert_eq!(look(&second, true), (vec![(1, 2), (2, 9), (3, 4)], vec![1]));
}

#[test]
fn more_namespaces_than_are_kept_are_one_that_is_none_of_them() {
    const SPACES: u32 = KEPT as u32 + 904;
    let mut totals = RawTimeWaitTotals { entered_fin_wait2: 1, ..RawTimeWaitTotals::default() };
    (totals.events[usize::from(event::ENTER)], totals.events[usize::from(event::EXPIRED)]) = (2, 2);
    let rows: Vec<_> = (1..=SPACES).map(|netns| (netns, totals)).collect();
    let mut spaces: Retired<u32, RawTimeWaitTotals> = Retired::new();
    let mut told: HashMap<_, _> = spaces.pass(rows.clone(), true, |_| true).into_iter().collect();
    for answered in [spaces.pass(rows, true, |_| true), spaces.pass(Vec::new(), false, |_| true)] {
        let answered: HashMap<_, _> = answered.into_iter().collect();
        assert_eq!(answered.len(), KEPT + 1);
        let entered = |totals: &RawTimeWaitTotals| totals.events[usize::from(event::ENTER)];
        assert_eq!(entered(&answered[&0]), 2 * 904, "under no namespace");
        assert_eq!(answered.values().map(entered).sum::<u64>(), 2 * u64::from(SPACES));
        assert_eq!(answered.values().map(|totals| totals.entered_fin_wait2).sum::<u64>(), u64::from(SPACES));
        assert!(answered.iter().filter(|(netns, _)| **netns != 0).all(|(_, totals)| entered(totals) == 2));
        carry(&mut told, &std::mem::take(&mut spaces.merged));
        let same = |(netns, totals): (&u32, &RawTimeWaitTotals)| entered(totals) == entered(&answered[netns]);
        assert!(told.len() == answered.len() && told.iter().all(same), "nothing happened meanwhile");
    }
}

#[test]
fn more_processes_than_are_kept_are_one_of_each_name() {
    const OF_A_NAME: u32 = KEPT as u32;
    let binder = |number: u32| RawBinder { process_start_ns: 1, tgid: u32::MAX - number, netns: 1 };
    let name = |number: u32| if number.is_multiple_of(2) { *b"curl\0\0\0\0\0\0\0\0\0\0\0\0" } else { [b'x'; COMM_LEN] };
    let totals = |number| {
        let counts = RawBindCounts { calls: 3, took_ns: 5, ..RawBindCounts::default() };
        RawBindTotals { any_port: counts, comm: name(number), ..RawBindTotals::default() }
    };
    let rows: Vec<_> = (0..2 * OF_A_NAME).map(|number| (binder(number), totals(number))).collect();
    let mut binders: Retired<RawBinder, RawBindTotals> = Retired::new();
    let mut told = binders.pass(rows.clone(), true, |_| false);
    let answered = binders.pass(rows, true, |_| true);
    carry_in_list(&mut told, &binders.merged);
    let calls = |rows: &[(RawBinder, RawBindTotals)]| {
        let mut calls: Vec<_> = rows.iter().map(|(key, totals)| (key.tgid, totals.any_port.calls)).collect();
        calls.sort_unstable();
        calls
    };
    assert_eq!(calls(&told), calls(&answered), "nothing happened meanwhile");
    assert_eq!(answered.len(), KEPT + 2, "each name has one for all others");
    for comm in [name(0), name(1)] {
        let of_name = answered.iter().filter(|(_, totals)| totals.comm == comm);
        assert_eq!(of_name.map(|(_, totals)| totals.any_port.calls).sum::<u64>(), 3 * u64::from(OF_A_NAME));
    }
    // A number that is used again, of one that is kept apart: it still is.
    let kept = *answered.iter().map(|(key, _)| key).find(|key| binders.kept[*key].any_port.calls == 3).expect("one");
    binders.merged.clear();
    let again = binders.pass(vec![(kept, totals(u32::MAX - kept.tgid))], true, |_| true);
    let calls = |rows: &[(RawBinder, RawBindTotals)]| rows.iter().map(|(_, totals)| totals.any_port.calls).sum::<u64>();
    assert_eq!((again.len(), calls(&again) - calls(&answered), binders.merged.len()), (KEPT + 2, 3, 0));
}
