// SPDX-License-Identifier: MIT OR Apache-2.0
//! One kernel, one guest, with every stage and mode.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Result, ensure};
use connect_load::{Answer, Plan, Run, Stage};

use super::{
    Options, figures,
    modes::{CONNECTS_TO_DESTINATIONS, DEFAULTS, DESTINATIONS, FAMILIES, FILLS, Mode, UNTRACED, UNTRACED_AGAIN},
    peers,
};
use crate::{
    accelerator::Accelerator,
    guest::{Ended, Guest, Screen},
    kernels, static_build,
    workspace::target,
};

/// Time limit: a guest that counts instructions is several times slower.
const SILENCE_LIMIT: Duration = Duration::from_secs(30 * 60);

/// Memory in MiB for both ends of every held connection, and for the peers.
const MEMORY_MIB: u32 = 2048;

const PROGRAMS: &[&str] = &["tcp-trace", "connect-load"];

/// The profile of releases.
const PROFILE: &str = "release";

/// Builds once the programs for all guests and this machine; returns their folder. They are built together, because a
/// package alone has other features of its dependencies, which would all be built again.
pub fn build() -> Result<PathBuf> {
    static_build::build(&[&["tcp-trace-guest-init"], PROGRAMS].concat(), PROFILE)
}

pub fn measure(line: &str, options: &Options) -> Result<figures::Guest> {
    let kernel = kernels::get(line)?;
    let folder = target("bench").join(line);
    fs::create_dir_all(&folder)?;
    let plan = folder.join("plan.json");
    fs::write(&plan, serde_json::to_string_pretty(&plan_of(options))?)?;
    let mut guest = Guest::new(&kernel, ["connect-load", "guest", "/root/plan.json"].map(str::to_owned).to_vec());
    guest.memory_mib = MEMORY_MIB;
    guest.cpus = 1;
    guest.programs = PROGRAMS;
    PROFILE.clone_into(&mut guest.profile);
    guest.put = vec![plan];
    let mut packages = Vec::new();
    if options.wanted().any(Mode::is_peer) {
        guest.foreign = Some(peers::get(line)?);
        packages = peers::packages(line)?;
    }
    guest.silence_limit = Some(SILENCE_LIMIT);
    let mut answers: Vec<Answer> = Vec::new();
    let mut said = String::new();
    let Ended { code, .. } = guest.boot(
        Accelerator::Counting,
        Screen::Lines(&mut |text| match serde_json::from_str::<Answer>(text) {
            Ok(answer) => {
                let Answer { family, fill, destinations, ref mode, .. } = answer;
                eprintln!("{line:>5} | IPv{family} {fill:>2} % to {destinations} {mode}: {}", brief(&answer));
                answers.push(answer);
            }
            Err(_) => said += &format!("{text}\n"),
        }),
    )?;
    ensure!(code == 0, "connect-load ended with {code} in the guest with kernel {line}\n{said}");
    Ok(figures::Guest::new(line, &kernel.release, packages, &answers))
}

fn brief(answer: &Answer) -> String {
    match &answer.measured {
        Ok(measured) => format!("median {} instructions", measured.timed.median_ns),
        Err(why) => format!("not run: {why}"),
    }
}

fn plan_of(options: &Options) -> Plan {
    let is_asked = |asked: Option<u32>, value| asked.is_none_or(|asked| asked == value);
    let untraced = |name: &str| [Run { mode: name.to_owned(), tracer: None }];
    let around =
        |traced: Vec<Run>| untraced(UNTRACED).into_iter().chain(traced).chain(untraced(UNTRACED_AGAIN)).collect();
    let run = |mode: &Mode| Run { mode: mode.name.to_owned(), tracer: Some(mode.tracer()) };
    let mut plan = Plan::default();
    for family in FAMILIES.into_iter().filter(|family| is_asked(options.family, *family)) {
        for (fill, connects) in FILLS.into_iter().filter(|(fill, _)| is_asked(options.fill, *fill)) {
            let traced = options.wanted().filter(|mode| mode.fills.contains(&fill)).map(run).collect();
            plan.stages.push(Stage { family, fill, destinations: 1, connects, runs: around(traced) });
        }
    }
    let to_many = options.wanted().find(|mode| mode.name == DEFAULTS);
    if let Some(mode) = to_many.filter(|_| is_asked(options.family, 4) && is_asked(options.fill, 0)) {
        for destinations in DESTINATIONS {
            let (connects, runs) = (CONNECTS_TO_DESTINATIONS, around(vec![run(mode)]));
            plan.stages.push(Stage { family: 4, fill: 0, destinations, connects, runs });
        }
    }
    plan
}
