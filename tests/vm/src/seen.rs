// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the test itself observed of one connect, with its own clock.

use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use anyhow::Result;
use jiff::Timestamp;
use serde_json::Value;

use crate::socket::Socket;

/// One attempt that ended.
pub struct Seen {
    pub remote: SocketAddr,
    /// Address from getsockname(), if there was a socket.
    pub local: Option<SocketAddr>,
    pub outcome: &'static str,
    pub errno: Option<i32>,
    /// Duration of connect() in ns.
    pub call_ns: u64,
    /// Time from before connect() until the end was known to the test, in ns.
    pub span_ns: u64,
    pub pid: i32,
    pub tid: i32,
    pub comm: String,
    pub since: Timestamp,
    pub until: Timestamp,
    /// Whether only the outcome distinguishes it: another attempt has the same four-tuple, or neither has a local port.
    pub told_apart_by_outcome: bool,
    /// Fields with exactly these values.
    pub fields: Vec<(&'static str, Value)>,
}

/// One attempt in progress.
pub struct Attempt {
    remote: SocketAddr,
    local: Option<SocketAddr>,
    begun: Instant,
    since: Timestamp,
    call_ns: u64,
    tid: i32,
    comm: String,
}

impl Attempt {
    /// Calls connect(), and returns its errno.
    pub fn begin(socket: &Socket, remote: SocketAddr) -> (Self, i32) {
        let since = Timestamp::now();
        let begun = Instant::now();
        let errno = socket.connect(remote);
        let call_ns = begun.elapsed().as_nanos() as u64;
        let local = socket.local().ok().filter(|local| local.port() != 0 && !local.ip().is_unspecified());
        (Self { local: local.map(on_the_wire), begun, since, call_ns, ..Self::elsewhere(remote) }, errno)
    }

    /// An attempt that another process makes from now on.
    pub fn elsewhere(remote: SocketAddr) -> Self {
        Self {
            remote: on_the_wire(remote),
            local: None,
            begun: Instant::now(),
            since: Timestamp::now(),
            call_ns: u64::MAX,
            // SAFETY: has no preconditions.
            tid: unsafe { libc::gettid() },
            comm: std::thread::current().name().unwrap_or("").to_owned(),
        }
    }

    /// Sets the local address of a socket that was bound before.
    pub fn remember_local(&mut self, local: SocketAddr) {
        self.local = Some(local);
    }

    /// Forgets the local address, after a failure that leaves it undefined.
    pub fn forget_local(&mut self) {
        self.local = None;
    }

    pub fn end(self, outcome: &'static str, errno: Option<i32>) -> Seen {
        Seen {
            remote: self.remote,
            local: self.local,
            outcome,
            errno,
            call_ns: self.call_ns,
            span_ns: self.begun.elapsed().as_nanos() as u64,
            pid: std::process::id() as i32,
            tid: self.tid,
            comm: self.comm,
            since: self.since,
            until: Timestamp::now(),
            told_apart_by_outcome: false,
            fields: Vec::new(),
        }
    }
}

impl Seen {
    /// Adds a field with exactly this value.
    pub fn with(mut self, field: &'static str, value: impl Into<Value>) -> Self {
        self.fields.push((field, value.into()));
        self
    }
}

/// A connect to a listener: blocking, and closed with a RST.
pub fn established(remote: SocketAddr) -> Result<Seen> {
    let socket = Socket::resetting(remote.ip())?;
    let (attempt, errno) = Attempt::begin(&socket, remote);
    anyhow::ensure!(errno == 0, "connect to {remote}: errno {errno}");
    Ok(attempt.end("established", None))
}

/// A v4-mapped address is IPv4 everywhere except in the socket.
fn on_the_wire(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => SocketAddr::new(ip.into(), address.port()),
            None => address,
        },
        IpAddr::V4(_) => address,
    }
}
