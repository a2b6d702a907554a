// SPDX-License-Identifier: MIT OR Apache-2.0
//! Incident `refused`: no process listens on the port.

use super::{Stage, VICTIM, say, tally::Tally, workload};

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    let tally = Tally::new();
    stage.ready()?;
    say(&format!("{} connects a second to {}, where no process listens", stage.rate, stage.destination));
    let victim = workload::resetting_victim(stage, &tally)?;
    stage.stop.wait(stage.duration);
    stage.stop.end();
    let _ = victim.join();
    say(&format!("{VICTIM} saw {}", tally.take()));
    Ok(())
}
