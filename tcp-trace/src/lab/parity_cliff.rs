// SPDX-License-Identifier: MIT OR Apache-2.0
//! Incident `parity-cliff`: the port range fills up to its half and beyond, towards one destination.

use std::time::Duration;

use super::{
    Stage, VICTIM,
    held_connections::HeldConnections,
    netns::{self, PortRange, Sysctl},
    say, sockets,
    tally::Tally,
    workload,
};

/// Time before the cliff: long enough to see on a screen, updated once a second, that all is well.
const HEALTHY: Duration = Duration::from_secs(5);
/// Shares of the range in percent: well below the cliff, and beyond it. The cliff is at one half, where the first
/// parity is full.
const BELOW_PERCENT: u32 = 45;
const BEYOND_PERCENT: u32 = 51;

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    let range = PortRange::read()?;
    let _listener = listener(stage, range)?;
    let mut held = HeldConnections::new(stage.destination)?;
    held.grow_to(range.share(BELOW_PERCENT), &stage.stop)?;
    say(&format!(
        "{} of {} ports ({BELOW_PERCENT} %) are taken towards {}",
        held.held(),
        range.ports(),
        stage.destination
    ));

    let tally = Tally::new();
    stage.ready()?;
    let victim = workload::resetting_victim(stage, &tally)?;
    let healthy = HEALTHY.min(stage.duration / 3);
    let mut when = "below the cliff";
    if !stage.stop.wait(healthy) {
        say(&format!("{when}, {VICTIM} saw {}", tally.take()));
        held.grow_to(range.share(BEYOND_PERCENT), &stage.stop)?;
        say(&format!("while more were taken, {VICTIM} saw {}", tally.take()));
        say(&format!("{} ports are taken: at {BEYOND_PERCENT} % the first parity is full", held.held()));
        when = "beyond the cliff";
        stage.stop.wait(stage.duration.saturating_sub(healthy));
    }
    stage.stop.end();
    let _ = victim.join();
    say(&format!("{when}, {VICTIM} saw {}", tally.take()));
    Ok(())
}

/// A listener that never accepts, with room for the whole range and for everything that the victim leaves behind: a
/// connection that was reset stays in the accept queue.
pub(super) fn listener(stage: &Stage, range: PortRange) -> anyhow::Result<rustix::fd::OwnedFd> {
    let left_behind = u64::from(stage.rate) * (stage.duration.as_secs() + 1);
    let backlog = i32::try_from(u64::from(range.ports()) + left_behind).unwrap_or(i32::MAX);
    netns::set_sysctl(Sysctl::Somaxconn, &backlog.to_string())?;
    Ok(sockets::listener(stage.destination, backlog.unsigned_abs())?)
}
