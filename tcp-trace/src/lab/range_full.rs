// SPDX-License-Identifier: MIT OR Apache-2.0
//! Incident `range-full`: every port of the range is taken towards one destination.

use super::{
    Stage, VICTIM, held_connections::HeldConnections, netns::PortRange, parity_cliff, say, stop::Stop, tally::Tally,
    workload,
};

/// Number of ports that are filled at a time.
const WINDOW: u16 = 64;

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    let range = PortRange::read()?;
    let _listener = parity_cliff::listener(stage, range)?;
    let mut held = HeldConnections::new(stage.destination)?;
    say(&format!("taking all {} ports towards {}", range.ports(), stage.destination));
    fill(&mut held, range, &stage.stop)?;
    say(&format!("{} of {} ports are taken", held.held(), range.ports()));

    let tally = Tally::new();
    stage.ready()?;
    let victim = workload::resetting_victim(stage, &tally)?;
    stage.stop.wait(stage.duration);
    stage.stop.end();
    let _ = victim.join();
    say(&format!("{VICTIM} saw {}", tally.take()));
    Ok(())
}

/// Takes all ports through a window that moves along the range. With the whole range open, each connect of the second
/// half would walk the full parity first, which takes minutes in total.
pub(super) fn fill(held: &mut HeldConnections, range: PortRange, stop: &Stop) -> anyhow::Result<()> {
    let mut low = range.low;
    loop {
        let high = low.saturating_add(WINDOW - 1).min(range.high);
        PortRange { low, high }.write()?;
        held.grow_to(u32::from(high) - u32::from(range.low) + 1, stop)?;
        match high.checked_add(1) {
            Some(next) if high < range.high && !stop.is_over() => low = next,
            _ => return range.write(),
        }
    }
}
