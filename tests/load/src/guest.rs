// SPDX-License-Identifier: MIT OR Apache-2.0
//! A whole benchmark in a guest: stages one after the other, and in each of them all tracers in turn.

use std::{fs, path::Path, thread, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use connect_load::{Answer, Measured, Plan, Run, Stage, Traced};

use crate::{
    busy,
    crowd::Crowd,
    ground::Ground,
    sockets::{Destination, Family},
    timing,
    tracer::{self, Running},
};

/// Time for a tracer to process what is left, and for the kernel to free what it leaves behind.
const AFTERMATH: Duration = Duration::from_millis(200);

/// Time for the kernel to free what the stage before has left: tens of thousands of sockets and a network namespace.
const REST: Duration = Duration::from_secs(2);

/// One in this many connects of a run is made before the first measured one, until caches and tables have their size.
const WARM_UP: u32 = 4;

pub fn run(plan: &Path) -> Result<()> {
    let text = fs::read_to_string(plan).with_context(|| format!("could not read {}", plan.display()))?;
    let plan: Plan = serde_json::from_str(&text).with_context(|| format!("{} is no plan", plan.display()))?;
    for stage in &plan.stages {
        let family = Family::parse(&stage.family.to_string()).map_err(anyhow::Error::msg)?;
        let ground = Ground::enter()?;
        let destination = match (family, stage.destinations) {
            (_, 1) => Destination::listen(family)?,
            (Family::Ipv4, many) => Destination::listen_on_many(many)?,
            (Family::Ipv6, many) => bail!("there is one loopback address of IPv6, not {many}"),
        };
        let _crowd = Crowd::fill(&ground, &destination, stage.fill)?;
        thread::sleep(REST);
        timing::run(&destination, stage.connects / WARM_UP)?;
        for run in &stage.runs {
            let measured = measure(stage, run, &destination).map_err(|error| format!("{error:#}"));
            let &Stage { family, fill, destinations, .. } = stage;
            let answer = Answer { family, fill, destinations, mode: run.mode.clone(), measured };
            println!("{}", serde_json::to_string(&answer)?);
        }
    }
    Ok(())
}

fn measure(stage: &Stage, run: &Run, destination: &Destination) -> Result<Measured> {
    let idle = busy::busy_ns()?;
    let tracer = run.tracer.as_ref().map(Running::start).transpose()?;
    let start_ns = busy::busy_ns()? - idle;
    thread::sleep(AFTERMATH);
    let before = busy::busy_ns()?;
    let timed = timing::run(destination, stage.connects)?;
    thread::sleep(AFTERMATH);
    let after = busy::busy_ns()?;
    let agent_ns = tracer.map(Running::stop).transpose()?;
    thread::sleep(AFTERMATH);
    let stop_ns = busy::busy_ns()? - after;
    ensure!(timed.errors == 0, "{} of {} connects failed", timed.errors, timed.connects);
    let traced = agent_ns.map(|agent_ns| Traced { start_ns, agent_ns, stop_ns, lines: tracer::lines() });
    Ok(Measured { timed, busy_ns: after - before, traced })
}
