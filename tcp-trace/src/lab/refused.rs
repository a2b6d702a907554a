// SPDX-License-Identifier: MIT OR Apache-2.0
//! Nobody listens on the port.

use super::tally::Tally;
use super::{Stage, VICTIM, pace, say};

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    let tally = Tally::new();
    stage.ready()?;
    say(&format!("{} connects a second to {}, where nobody listens", stage.rate, stage.destination));
    let victim = pace::resetting_victim(stage, &tally)?;
    stage.stop.wait(stage.duration);
    stage.stop.end();
    let _ = victim.join();
    say(&format!("{VICTIM} saw {}", tally.take()));
    Ok(())
}
