// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the test saw of one connect, by its own eyes and its own clock.

use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use anyhow::Result;
use jiff::Timestamp;
use serde_json::Value;

use crate::socket::Socket;

/// One attempt, ended.
pub struct Seen {
    pub remote: SocketAddr,
    /// What getsockname() said, where there was something to ask.
    pub local: Option<SocketAddr>,
    pub outcome: &'static str,
    pub errno: Option<i32>,
    /// How long connect() took.
    pub call_ns: u64,
    /// From before connect() until the end was known here.
    pub span_ns: u64,
    pub pid: i32,
    pub tid: i32,
    pub comm: String,
    pub since: Timestamp,
    pub until: Timestamp,
    /// Another attempt has the same four-tuple, or none of the two has a local port.
    pub told_apart_by_outcome: bool,
    /// Fields that must have exactly this value.
    pub fields: Vec<(&'static str, Value)>,
}

/// One attempt under way.
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
    /// Calls connect(), and gives its errno.
    pub fn begin(socket: &Socket, remote: SocketAddr) -> (Self, i32) {
        let since = Timestamp::now();
        let begun = Instant::now();
        let errno = socket.connect(remote);
        let call_ns = begun.elapsed().as_nanos() as u64;
        let local = socket.local().ok().filter(|local| local.port() != 0 && !local.ip().is_unspecified());
        (Self { local: local.map(on_the_wire), begun, since, call_ns, ..Self::elsewhere(remote) }, errno)
    }

    /// An attempt that somebody else makes from now on.
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

    /// For a socket that was bound before.
    pub fn remember_local(&mut self, local: SocketAddr) {
        self.local = Some(local);
    }

    /// For a failure that may leave anything in the socket.
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
    /// With one more field that must have exactly this value.
    pub fn with(mut self, field: &'static str, value: impl Into<Value>) -> Self {
        self.fields.push((field, value.into()));
        self
    }
}

/// A connect to where somebody listens: blocking, and closed with a RST.
pub fn established(remote: SocketAddr) -> Result<Seen> {
    let socket = Socket::resetting(remote.ip())?;
    let (attempt, errno) = Attempt::begin(&socket, remote);
    anyhow::ensure!(errno == 0, "connect to {remote}: errno {errno}");
    Ok(attempt.end("established", None))
}

/// A v4-mapped address is IPv4 to everybody but the socket.
fn on_the_wire(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => SocketAddr::new(ip.into(), address.port()),
            None => address,
        },
        IpAddr::V4(_) => address,
    }
}
