// SPDX-License-Identifier: MIT OR Apache-2.0
//! What determines the width of a frame.

use crate::aggregate::stacks::Weights;

/// The weight to draw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Weight {
    /// Nanoseconds in the search for a local port
    #[default]
    Search,
    /// Ports that the search visited
    PortsVisited,
    /// Nanoseconds from the SYN to the end of the attempt
    Handshake,
    /// Attempts
    Count,
    /// Nanoseconds on a CPU within connect(), from on-CPU samples
    OnCpu,
}

impl Weight {
    /// All weights, in the order of the command line.
    pub const ALL: [Self; 5] = [Self::Search, Self::PortsVisited, Self::Handshake, Self::Count, Self::OnCpu];

    /// Unit of the numbers.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Search | Self::Handshake | Self::OnCpu => "ns",
            Self::PortsVisited => "ports",
            Self::Count => "connects",
        }
    }

    /// Title in words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Search => "time in connect()'s search for a local port",
            Self::PortsVisited => "ports that connect() visited",
            Self::Handshake => "time in connect()'s handshake",
            Self::Count => "calls of connect()",
            Self::OnCpu => "time on a CPU in connect()",
        }
    }

    /// Name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Search => "port_search",
            Self::PortsVisited => "ports_visited",
            Self::Handshake => "handshake",
            Self::Count => "connects",
            Self::OnCpu => "on_cpu",
        }
    }

    /// The weight of these attempts.
    pub fn of(self, weights: &Weights) -> u64 {
        match self {
            Self::Search => weights.search_ns,
            Self::PortsVisited => weights.ports_visited,
            Self::Handshake => weights.handshake_ns,
            Self::Count => weights.connects,
            Self::OnCpu => weights.on_cpu_ns,
        }
    }

    /// Attempts whose weight is unknown.
    pub fn unknown(self, weights: &Weights) -> u64 {
        match self {
            Self::Search => weights.search_unknown,
            Self::PortsVisited => weights.visited_unknown,
            Self::Handshake => weights.handshake_unknown,
            Self::Count | Self::OnCpu => 0,
        }
    }
}
