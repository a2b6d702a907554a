// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tests, one file a theme.

mod bad_input;
mod bind;
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
mod programs;
mod proxy;
mod recording;
mod signals;
mod states;
mod theme;
mod time_wait;
mod time_wait_owners;
mod what_if;
mod what_if_changes;

use crate::harness::Report;
use crate::tiers::Tier;

/// Everything, in an order in which only the first test depends on what was before: nothing.
pub fn run_all(report: &mut Report) {
    let tiers = Tier::available();
    let best = tiers[0];
    let names: Vec<_> = tiers.iter().map(Tier::to_string).collect();
    println!("kernel {}: {}", crate::tiers::release(), names.join(", "));
    ports::first_after_boot(report, best);
    for &tier in &tiers {
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
        leftovers::run(report, tier);
        filters::run(report, tier);
        ledger::run(report, tier);
    }
    ports_default_range::run(report, &tiers);
    what_if::run(report, best);
    ledger::storms(report, &tiers);
    bad_input::run(report);
    programs::run(report, best);
    flamegraph::run(report, &tiers);
    proxy::run(report, best);
    incidents::run(report, best);
    inventory::run(report);
    doctor::run(report);
    limits::run(report);
    recording::run(report);
    // Last: there is no way back.
    lockdown::run(report);
}
