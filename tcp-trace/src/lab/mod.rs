// SPDX-License-Identifier: MIT OR Apache-2.0
//! One incident at a time, in a network namespace of its own: for training, the demo and tests.
//!
//! Only this process holds the namespace; no file and no other process does. When the process ends, also by kill -9,
//! the kernel removes the namespace with its sockets, TIME_WAIT entries and sysctls.

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

pub use self::netns::PortRange;
use crate::export::destination;

/// Thread name of every victim, as an engineer would see it in a report.
const VICTIM: &str = "checkout-api";

/// The available incidents.
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
    /// Half of the ports carry the mark of another program's bind(): every connect() skips them
    PoisonedBuckets,
    /// No process listens: connect() fails with ECONNREFUSED
    Refused,
    /// Every SYN is dropped: connect() times out, or its caller gives up
    Blackhole,
    /// A server that accepts too slowly: its accept queue is full, SYNs are dropped, connect() takes seconds
    AcceptQueue,
    /// Handshakes that clients never complete fill the SYN queue: first SYN cookies, then, without cookies, drops
    SynQueue,
    /// A service that listens once for each of 2,000 devices, on one port: the kernel walks all of them for each SYN
    ListenerChain,
    /// A client that never closes after the server has closed: sockets pile up in CLOSE_WAIT
    CloseWait,
    /// SO_LINGER of 0 s: each close() is a RST; SO_LINGER of some seconds: close() blocks that long
    LingerReset,
    /// A client that keeps its connections until its file descriptors run out: socket() fails with EMFILE
    OutOfDescriptors,
}

impl Scenario {
    /// The tcp-trace command that shows the incident, to be run in another terminal.
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

    /// Connects per second of the victim, unless the user sets a rate.
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

/// How to hold an incident.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Duration of the incident.
    pub duration: Duration,
    /// Connects per second.
    pub rate: Option<u32>,
    /// Whether to use ::1 rather than 127.0.0.1.
    pub ipv6: bool,
    /// Port range of the namespace, instead of the kernel's default.
    pub port_range: Option<PortRange>,
    /// File to create once the incident is in place.
    pub ready_file: Option<PathBuf>,
}

/// What every scenario receives.
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

/// Stages `scenario`, holds it and ends. Moves the calling thread into a new network namespace, so the process must not
/// need its old one any more.
pub fn run(scenario: Scenario, settings: Settings) -> anyhow::Result<()> {
    let stop = stop::Stop::install()?;
    netns::enter()?;
    if let Some(range) = settings.port_range {
        range.write()?;
    }
    let address = if settings.ipv6 { IpAddr::V6(Ipv6Addr::LOCALHOST) } else { IpAddr::V4(Ipv4Addr::LOCALHOST) };
    let stage = Stage {
        destination: SocketAddr::new(address, 8080),
        duration: settings.duration,
        rate: settings.rate.unwrap_or(scenario.default_rate()),
        ready_file: settings.ready_file,
        stop,
    };
    say(&format!("network namespace {} belongs to this incident and is removed with it", netns::inode()?));
    say(&format!("watch it from another terminal: sudo tcp-trace {}", scenario.watch()));
    say("find the cause: sudo tcp-trace doctor --watch 10s");
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

/// Writes a progress line to standard error. A closed standard error must not end the incident.
fn say(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "lab: {line}");
}
