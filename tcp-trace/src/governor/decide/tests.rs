// SPDX-License-Identifier: MIT OR Apache-2.0
//! The decision against a machine on which each level has its price.

use proptest::prelude::*;

use super::{Decider, HOLD, Sheddable, Spent};
use crate::event::level::{LEAST, Level};

const BUDGET: f64 = 0.01;

/// What a level costs per attempt, in CPU seconds.
fn price(level: Level, probes: bool) -> (f64, f64) {
    match level {
        Level::Full if probes => (41e-6, 4e-6),
        Level::Full => (3e-6, 4e-6),
        Level::Exemplars if probes => (40e-6, 0.01e-6),
        Level::Exemplars | Level::NoPortProbes => (2e-6, 0.01e-6),
        Level::NoEvents => (2e-6, 0.0),
        Level::OneIn(n) => (0.3e-6 + 1.7e-6 / f64::from(n), 0.0),
    }
}

fn spent(decider: &Decider, rate: f64, fixed: f64) -> Spent {
    let (programs, events) = price(decider.level(), decider.sheddable.port_probes);
    Spent { programs: Some(programs * rate), agent: fixed + events * rate, events: events * rate, rate }
}

fn run(decider: &mut Decider, looks: u32, rate: f64, fixed: f64) -> Vec<Level> {
    (0..looks).filter_map(|_| decider.decide(spent(decider, rate, fixed))).collect()
}

fn decider(port_probes: bool) -> Decider {
    Decider::new(BUDGET, Sheddable { each: true, port_probes })
}

#[test]
fn nothing_is_shed_within_the_budget() {
    assert_eq!(run(&mut decider(true), 1000, 100.0, 0.002), []);
}

#[test]
fn sheds_in_order_until_it_fits_and_comes_back() {
    let mut decider = decider(true);
    // 100,000 a second: 45 us each, then 40, then 2, which is 20 times the budget and just what totals may cost.
    let shed = run(&mut decider, 60, 101_000.0, 0.001);
    assert_eq!(shed, [Level::Exemplars, Level::NoPortProbes, Level::NoEvents, Level::OneIn(2)]);
    assert_eq!(run(&mut decider, 60, 10.0, 0.001), [Level::Full]);
}

#[test]
fn events_of_each_go_long_before_totals() {
    let mut decider = decider(false);
    assert_eq!(run(&mut decider, 60, 10_000.0, 0.001), [Level::Exemplars]);
    let mut decider = Decider::new(BUDGET, Sheddable { each: false, port_probes: false });
    assert_eq!(run(&mut decider, 60, 10_000.0, 0.001), []);
}

#[test]
fn an_accident_sheds_nothing() {
    let mut decider = decider(true);
    run(&mut decider, 10, 100.0, 0.001);
    let accident = Spent { programs: Some(0.015), agent: 0.001, events: 0.0, rate: 100.0 };
    assert_eq!(decider.decide(accident), None);
    assert_eq!(run(&mut decider, 10, 100.0, 0.001), []);
}

#[test]
fn what_cannot_be_shed_sheds_nothing_else() {
    let mut decider = decider(true);
    assert_eq!(run(&mut decider, 100, 20.0, 0.04), []);
    let idle = Spent { programs: Some(0.5), agent: 0.04, events: 0.0, rate: 0.0 };
    assert_eq!((0..100).filter_map(|_| decider.decide(idle)).count(), 0);
}

#[test]
fn a_hundred_percent_is_no_bound() {
    let mut decider = Decider::new(1.0, Sheddable { each: true, port_probes: true });
    assert_eq!(run(&mut decider, 100, 1e6, 0.1), []);
}

#[test]
fn no_port_probes_no_step_for_them() {
    let mut decider = decider(false);
    let levels = run(&mut decider, 60, 110_000.0, 0.001);
    assert_eq!(levels.first(), Some(&Level::Exemplars));
    assert!(!levels.contains(&Level::NoPortProbes));
    assert_eq!(run(&mut decider, 60, 10.0, 0.001), [Level::Full]);
}

#[test]
fn the_end_of_the_ladder() {
    let mut decider = decider(true);
    run(&mut decider, 100, 1e7, 0.001);
    assert_eq!(decider.level(), Level::OneIn(LEAST));
}

#[test]
fn all_is_back_within_five_looks_of_calm() {
    let mut decider = decider(true);
    // However often it came back too early before.
    for _ in 0..20 {
        run(&mut decider, 10, 1e7, 0.001);
        run(&mut decider, 5, 10.0, 0.001);
        assert_eq!(decider.level(), Level::Full);
    }
}

proptest! {
    /// Whatever comes: the first one back only after a while, and what does not change settles.
    #[test]
    fn never_flaps(loads in prop::collection::vec((0.0..1e6_f64, 0.0..0.05_f64, 1..40_u32), 1..40), probes: bool) {
        let mut decider = decider(probes);
        let mut since_change = 0;
        for (rate, fixed, looks) in loads {
            for _ in 0..looks {
                let before = decider.level();
                since_change += 1;
                if let Some(after) = decider.decide(spent(&decider, rate, fixed)) {
                    prop_assert_ne!(before, after);
                    prop_assert!(after > before || since_change >= HOLD, "{before:?} -> {after:?} after {since_change}");
                    since_change = 0;
                }
            }
        }
        // A constant load leads to a stable level, whatever was before.
        run(&mut decider, 2_000, 500.0, 0.001);
        prop_assert_eq!(run(&mut decider, 500, 500.0, 0.001).len(), 0);
    }

    /// At rest the sheddable part is what the level may cost, or there is nothing left to shed.
    #[test]
    fn keeps_the_budget(rate in 0.0..1e7_f64, fixed in 0.0..0.05_f64) {
        let mut decider = decider(true);
        run(&mut decider, 200, rate, fixed);
        let spent = spent(&decider, rate, fixed);
        let within = spent.sheddable() <= decider.bearable(decider.level()) * 1.0001;
        prop_assert!(within || decider.level() == Level::OneIn(LEAST), "{:?} {spent:?}", decider.level());
    }
}
