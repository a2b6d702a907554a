// SPDX-License-Identifier: MIT OR Apache-2.0
//! One incident at a time, in a network namespace of its own: for people who learn, for the demo and for the tests.
//!
//! The namespace is held by this process alone, by no file and no other process. It is gone when the process is gone,
//! also after kill -9; so are its sockets, its TIME_WAIT entries and its sysctls.

mod accept_queue;
mod bind_before_connect;
mod blackhole;
mod close_wait;
mod descriptors;
mod held_connections;
mod linger_reset;
mod listener_chain;
mod netns;
mod out_of_descriptors;
mod parity_cliff;
mod poisoned_buckets;
mod range_full;
mod refused;
mod sockets;
mod stop;
mod syn_queue;
mod tally;
mod time_wait_flood;
mod workload;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use anyhow::Context as _;

pub use netns::NotPermitted;

use crate::export::destination;

/// The name that every victim's thread bears: what an engineer would look for in the tool's answer.
const VICTIM: &str = "checkout-api";

/// An incident that can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// More than half of the port range taken towards one destination: every connect() walks the full parity first
    ParityCliff,
    /// The whole port range taken towards one destination: connect() fails with EADDRNOTAVAIL
    RangeFull,
    /// Short connections that the client closes first: TIME_WAIT grows by each of them
    TimeWaitFlood,
    /// A proxy binds to port 0 before it connects: each connection has its port to itself, towards all destinations
    BindBeforeConnect,
    /// Half of the ports carry the mark of a bind() by somebody who only looked: every connect() skips them
    PoisonedBuckets,
    /// Nobody listens: connect() fails with ECONNREFUSED
    Refused,
    /// Every SYN is dropped: connect() times out, or its caller gives up
    Blackhole,
    /// A server that accepts too slowly: its accept queue is full, SYNs are dropped, connect() takes seconds
    AcceptQueue,
    /// Handshakes that nobody ends fill the SYN queue: SYN cookies at first, then, without them, drops
    SynQueue,
    /// A service that listens once for each of 2,000 devices, on one port: the kernel looks at all of them for each SYN
    ListenerChain,
    /// A client that never closes what the server closed: sockets pile up in CLOSE_WAIT
    CloseWait,
    /// SO_LINGER of 0 s: each close() is a RST; and of some seconds: close() waits for them
    LingerReset,
    /// A client that keeps its connections until it may have no more descriptors: socket() fails with EMFILE
    OutOfDescriptors,
}

impl Scenario {
    /// What to watch it with, from another terminal.
    pub fn watch(self) -> &'static str {
        match self {
            Self::ParityCliff | Self::RangeFull | Self::Refused | Self::Blackhole => {
                "connect-latency --comm checkout-api"
            }
            Self::TimeWaitFlood => "time-wait",
            Self::AcceptQueue | Self::SynQueue => "listen",
            Self::ListenerChain => "listen --lookup-cost",
            Self::BindBeforeConnect | Self::PoisonedBuckets => "bind",
            Self::CloseWait | Self::LingerReset => "states",
            Self::OutOfDescriptors => "doctor",
        }
    }

    /// Connects a second of the victim, where the user does not say.
    fn default_rate(self) -> u32 {
        match self {
            Self::ParityCliff
            | Self::RangeFull
            | Self::Refused
            | Self::AcceptQueue
            | Self::SynQueue
            | Self::ListenerChain => 50,
            Self::BindBeforeConnect | Self::PoisonedBuckets => 20,
            Self::CloseWait | Self::LingerReset => 30,
            Self::TimeWaitFlood => 500,
            Self::Blackhole | Self::OutOfDescriptors => 10,
        }
    }
}

/// How an incident is to be held.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long.
    pub duration: Duration,
    /// Connects a second.
    pub rate: Option<u32>,
    /// Over ::1 rather than 127.0.0.1.
    pub ipv6: bool,
    /// Created once the incident is there.
    pub ready_file: Option<PathBuf>,
}

/// What every scenario is given.
struct Stage {
    destination: SocketAddr,
    duration: Duration,
    rate: u32,
    ready_file: Option<PathBuf>,
    stop: stop::Stop,
}

impl Stage {
    fn ready(&self) -> anyhow::Result<()> {
        let Some(path) = &self.ready_file else { return Ok(()) };
        destination::mark(path).with_context(|| format!("could not create the ready file {}", path.display()))
    }
}

/// Stages `scenario`, holds it, and leaves. Moves the calling thread into a new network namespace, so the process must
/// not need its old one any more.
pub fn run(scenario: Scenario, settings: Settings) -> anyhow::Result<()> {
    let stop = stop::Stop::install()?;
    netns::enter()?;
    let address = if settings.ipv6 { IpAddr::V6(Ipv6Addr::LOCALHOST) } else { IpAddr::V4(Ipv4Addr::LOCALHOST) };
    let stage = Stage {
        destination: SocketAddr::new(address, 8080),
        duration: settings.duration,
        rate: settings.rate.unwrap_or(scenario.default_rate()),
        ready_file: settings.ready_file,
        stop,
    };
    say(&format!("network namespace {} is this incident's own and goes away with it", netns::inode()?));
    say(&format!("watch it from another terminal: sudo tcp-trace {}", scenario.watch()));
    say("and ask for the cause: sudo tcp-trace doctor --watch 10s");
    match scenario {
        Scenario::ParityCliff => parity_cliff::run(&stage),
        Scenario::RangeFull => range_full::run(&stage),
        Scenario::TimeWaitFlood => time_wait_flood::run(&stage),
        Scenario::BindBeforeConnect => bind_before_connect::run(&stage),
        Scenario::PoisonedBuckets => poisoned_buckets::run(&stage),
        Scenario::Refused => refused::run(&stage),
        Scenario::Blackhole => blackhole::run(&stage),
        Scenario::AcceptQueue => accept_queue::run(&stage),
        Scenario::SynQueue => syn_queue::run(&stage),
        Scenario::ListenerChain => listener_chain::run(&stage),
        Scenario::CloseWait => close_wait::run(&stage),
        Scenario::LingerReset => linger_reset::run(&stage),
        Scenario::OutOfDescriptors => out_of_descriptors::run(&stage),
    }
}

/// Progress is no answer: it goes to standard error, and a closed one must not end the incident.
fn say(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "lab: {line}");
}
