// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tests, one file a theme.

mod bad_input;
mod bind;
mod check;
mod denied;
mod doctor;
mod filters;
mod flamegraph;
mod incidents;
mod inventory;
mod ledger;
mod leftovers;
mod limits;
mod listen;
mod lockdown;
mod options;
mod outcomes;
mod ports;
mod ports_default_range;
mod privileges;
mod programs;
mod proxy;
mod recording;
mod signals;
mod states;
mod storm;
mod storm_doctor;
mod storm_proxy;
mod theme;
mod time_wait;
mod time_wait_owners;
mod what_if;
mod what_if_changes;

use crate::{
    harness::{Part, Report},
    tiers::Tier,
};

/// All parts that are to run here, in an order in which only the first test depends on what was before: nothing.
pub fn run_all(report: &mut Report) {
    let tiers = Tier::available();
    let names: Vec<_> = tiers.iter().map(Tier::to_string).collect();
    println!("kernel {}: {}", crate::tiers::release(), names.join(", "));
    if report.has(Part::Kernel) {
        kernel(report, &tiers);
    }
    if report.has(Part::Ends) {
        ends(report, &tiers);
    }
    if report.has(Part::Once) {
        check::run(report, &tiers);
        storm_doctor::marks(report);
        bad_input::run(report);
        recording::run(report);
    }
    if report.has(Part::Ends) {
        // Last: there is no way back.
        lockdown::run(report);
    }
}

fn kernel(report: &mut Report, tiers: &[Tier]) {
    ports::first_after_boot(report, tiers[0]);
    for &tier in tiers {
        outcomes::run(report, tier);
        signals::run(report, tier);
        denied::run(report, tier);
        options::run(report, tier);
        ports::run(report, tier);
        time_wait::run(report, tier);
        time_wait_owners::run(report, tier);
        states::run(report, tier);
        listen::run(report, tier);
        bind::run(report, tier);
        // Long, and tiers differ in how programs attach: each of them between the ends too would show nothing new.
        if tier == tiers[0] || report.has(Part::Ends) {
            storm::run(report, tier);
        }
    }
    storm::by_default(report);
    storm_doctor::run(report);
    ports_default_range::run(report, tiers);
    inventory::run(report);
}

fn ends(report: &mut Report, tiers: &[Tier]) {
    let best = tiers[0];
    for &tier in tiers {
        leftovers::run(report, tier);
        filters::run(report, tier);
        ledger::run(report, tier);
    }
    storm::with_trouble(report, best);
    storm_proxy::run(report, best);
    time_wait_owners::many_namespaces(report, best);
    what_if::run(report, best);
    ledger::storms(report, tiers);
    privileges::run(report, tiers);
    programs::run(report, best);
    flamegraph::run(report, tiers);
    proxy::run(report, best);
    incidents::run(report, best);
    doctor::run(report);
    limits::run(report);
}
