// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the agent takes while hardly anything happens, with default settings: it must never keep itself from telling all.

use std::{thread, time::Duration};

use anyhow::Result;

use super::{Built, Native, agent::Agent};

/// Its first seconds have the rest of its start in them.
const SETTLED: Duration = Duration::from_secs(3);
const LENGTH: Duration = Duration::from_secs(20);

/// Percent of one CPU, at most.
const AT_MOST: f64 = 0.1;

pub fn measure(built: &Built<'_>) -> Result<Vec<Native>> {
    // Of this machine's other connects none is its business.
    let agent = Agent::by_default(built.tcp_trace, &["connect-latency", "--pid", "1"])?;
    thread::sleep(SETTLED);
    let before = agent.ran_ns()?;
    thread::sleep(LENGTH);
    let ran_ns = agent.ran_ns()? - before;
    let percent = ran_ns as f64 / LENGTH.as_nanos() as f64 * 100.0;
    let percent = (percent * 1_000.0).round() / 1_000.0;
    Ok(vec![Native::new("the agent at rest", "% of one CPU", percent).at_most(AT_MOST)])
}
