// SPDX-License-Identifier: MIT OR Apache-2.0
//! Storms in front of `doctor --watch` as users start it: what it says first.

use std::{
    net::SocketAddr,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::storm::{RANGE, SERVICE, STORMS};
use crate::{
    harness::Report,
    netns,
    socket::{LOCALHOST, Socket},
    tool::{self, Tool},
};

pub fn run(report: &mut Report) {
    report.test("storm/doctor", doctor);
}

/// What user space makes of marks of bind(), so on one kernel.
pub fn marks(report: &mut Report) {
    report.test("storm/bind_before_connect", bind_before_connect);
    report.test("storm/poisoned_buckets", poisoned_buckets);
}

/// `doctor --watch` while the storm rages.
fn doctor() -> Result<()> {
    let storm = STORMS[0].1;
    netns::within("caller", |netns| {
        let (listener, _held) = storm.prepare(netns)?;
        let listener = listener.nonblocking()?;
        first_is(storm.finding, || {
            storm.rage()?;
            accept_all(&listener);
            Ok(())
        })
    })
}

/// Accepts waiting connections, or the accept queue would be full before the tool has seen enough. A connection that
/// was reset may be gone from it, so the test does not wait for a number.
fn accept_all(listener: &Socket) {
    while listener.accept().is_ok() {}
}

/// What `doctor --watch` says first, of what rages meanwhile.
fn first_is(finding: &str, mut rage: impl FnMut() -> Result<()>) -> Result<()> {
    let mut command = Command::new(tool::path());
    command.args(["doctor", "--watch", "5s"]);
    let mut tool = Tool::spawn_in(command, None)?;
    let deadline = Instant::now() + Duration::from_secs(120);
    let code = loop {
        rage()?;
        match tool.wait(Duration::from_millis(1)) {
            Ok(code) => break code,
            Err(error) => ensure!(Instant::now() < deadline, "{error:#}"),
        }
    };
    ensure!(code == Some(0), "it ended with {code:?}: {}", tool.errors());
    let answer = tool.so_far()?;
    let first = answer.of("finding").next().context("nothing found")?;
    ensure!(first["code"] == finding, "first is {first}");
    Ok(())
}

/// Each connection has a port that `bind()` chose, and most of the range is held so.
fn bind_before_connect() -> Result<()> {
    const AT_ONCE: u64 = 500;
    let bound = || {
        let socket = Socket::resetting(LOCALHOST)?;
        socket.bind(SocketAddr::new(LOCALHOST, 0))?;
        let errno = socket.connect(SERVICE);
        ensure!(errno == 0, "errno {errno}");
        Ok(socket)
    };
    netns::within("caller", |netns| {
        let (listener, _) = STORMS[2].1.prepare(netns)?;
        let listener = listener.nonblocking()?;
        let _held = (0..1_200).map(|_| bound()).collect::<Result<Vec<_>>>()?;
        accept_all(&listener);
        first_is("bind-before-connect", || {
            for _ in 0..AT_ONCE {
                bound()?;
            }
            accept_all(&listener);
            Ok(())
        })
    })
}

/// Connections share the ports of a whole half, another socket binds each of these, and from then on every connect(),
/// to any destination, walks that half without finding a port.
fn poisoned_buckets() -> Result<()> {
    const ELSEWHERE: SocketAddr = SocketAddr::new(LOCALHOST, 2003);
    const AT_ONCE: u64 = 500;
    let sharing = || {
        let socket = Socket::resetting(LOCALHOST)?;
        socket.set(libc::SOL_SOCKET, libc::SO_REUSEADDR, &1_i32)?;
        Ok::<_, anyhow::Error>(socket)
    };
    netns::within("caller", |netns| {
        let (_listener, _) = STORMS[2].1.prepare(netns)?;
        let elsewhere = Socket::listener(ELSEWHERE, 65_535)?.nonblocking()?;
        let mut held = Vec::new();
        for _ in RANGE.0..=RANGE.0 + (RANGE.1 - RANGE.0) / 2 {
            let socket = sharing()?;
            ensure!(socket.connect(SERVICE) == 0, "the first half is not available");
            held.push(socket);
        }
        // They stay: from 6.18 on a mark goes with the socket that made it.
        for port in (RANGE.0..=RANGE.1).step_by(2) {
            let socket = sharing()?;
            socket.bind(SocketAddr::new(LOCALHOST, port))?;
            held.push(socket);
        }
        first_is("poisoned-buckets", || {
            for _ in 0..AT_ONCE {
                let errno = Socket::resetting(LOCALHOST)?.connect(ELSEWHERE);
                ensure!(errno == 0, "errno {errno}");
            }
            accept_all(&elsewhere);
            Ok(())
        })
    })
}
