// SPDX-License-Identifier: MIT OR Apache-2.0
//! The default range with its first half full: the cliff itself, counted.

use std::net::SocketAddr;

use anyhow::{Result, ensure};

use super::ports::{Series, compare};
use crate::{
    harness::{Report, not_run},
    netns,
    socket::{LOCALHOST, Socket},
    tiers::Tier,
    tool::Tool,
    witness::Witness,
};

const RANGE: (u16, u16) = (32768, 60999);
const HALF: usize = 14116;
/// Each walks the full half under the witness's return probe.
const CONNECTS: usize = 4;

pub fn run(report: &mut Report, tiers: &[Tier]) {
    if !report.wants("default_range") {
        return;
    }
    let tiers: Vec<_> = tiers.iter().copied().filter(|tier| tier.sees_search()).collect();
    let result = netns::within("caller", |netns| {
        let _crowd = first_half()?;
        for &tier in &tiers {
            report.test(&format!("default_range/{tier}"), || {
                let witness = Witness::attach()?;
                let tool = Tool::start_with_each_event(tier, &["--port-probes", "never"])?;
                let mut series = Series::new(&witness, LOCALHOST, RANGE);
                series.ports.in_use.extend((RANGE.0..=RANGE.1).step_by(2));
                for _ in 0..CONNECTS {
                    series.connect(false)?;
                }
                ensure!(series.steps.iter().all(|step| step.refused == HALF as u64), "the first half is not full");
                let told = compare(&tool.stop()?, netns.inode, &series.steps)?;
                ensure!(told == CONNECTS, "visits were known for {told} of {CONNECTS}");
                Ok(())
            });
        }
        Ok(())
    });
    if let Err(error) = result {
        report.test("default_range", || Err(error));
    }
}

/// Room for that many sockets.
pub fn room_for(sockets: u64) -> Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one `rlimit`.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    let raised = libc::rlimit { rlim_cur: sockets.max(limit.rlim_cur), rlim_max: sockets.max(limit.rlim_max) };
    // SAFETY: the kernel reads one `rlimit`.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raised) } {
        0 => Ok(()),
        _ => Err(not_run("the limit of open files cannot be raised")),
    }
}

/// One connection from every port of the first parity.
pub fn first_half() -> Result<(Socket, Vec<Socket>)> {
    room_for(65_536)?;
    std::fs::write("/proc/sys/net/core/somaxconn", "65535")?;
    let remote = SocketAddr::new(LOCALHOST, 2001);
    let listener = Socket::listener(remote, 65535)?;
    let mut held = Vec::with_capacity(HALF);
    for _ in 0..HALF {
        let socket = Socket::resetting(LOCALHOST)?;
        let errno = socket.connect(remote);
        ensure!(errno == 0, "errno {errno} after {} connects", held.len());
        held.push(socket);
    }
    Ok((listener, held))
}
