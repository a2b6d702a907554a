// SPDX-License-Identifier: MIT OR Apache-2.0
//! Conditions as text that parses to the same condition.

use std::fmt;

use super::{Counted, Order, Phase, Rank, Room, Trigger};

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let equal = |same: bool| if same { "=" } else { "!=" };
        match self {
            Self::Any(parts) => joined(f, parts, " or "),
            Self::All(parts) => joined(f, parts, " and "),
            Self::Quantile(rank, phase, order, bound) => {
                write!(f, "{rank}({phase}) {order} ")?;
                amount(f, *phase, *bound)
            }
            Self::Count(counted, order, bound) => write!(f, "count({counted}) {order} {bound}"),
            Self::Share(counted, order, bound) => write!(f, "share({counted}) {order} {} %", percent(*bound)),
            Self::HeadRoom(order, Room::Connects(bound)) => write!(f, "headroom {order} {bound}"),
            Self::HeadRoom(order, Room::Share(bound)) => write!(f, "headroom {order} {} %", percent(*bound)),
            Self::Takes(phase, order, bound) => {
                write!(f, "{phase} {order} ")?;
                amount(f, *phase, *bound)
            }
            Self::Ends(outcome, same) => write!(f, "outcome {} {}", equal(*same), outcome.name()),
            Self::Comm(comm, same) => {
                let name = comm.to_string();
                let quote = if name.contains('\'') { '"' } else { '\'' };
                write!(f, "comm {} {quote}{name}{quote}", equal(*same))
            }
            Self::Pid(pid, same) => write!(f, "pid {} {pid}", equal(*same)),
            Self::Port(port, same) => write!(f, "port {} {port}", equal(*same)),
            Self::Finds(code, same) => write!(f, "finding {} {code}", equal(*same)),
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, parts: &[Trigger], word: &str) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        match part {
            Trigger::Any(_) | Trigger::All(_) => write!(f, "({part})")?,
            part => write!(f, "{part}")?,
        }
    }
    Ok(())
}

/// Ports as a number, times in the largest unit that leaves no fraction.
fn amount(f: &mut fmt::Formatter<'_>, phase: Phase, bound: u64) -> fmt::Result {
    if phase == Phase::PortsVisited {
        return write!(f, "{bound}");
    }
    let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")];
    match units.into_iter().find(|(factor, _)| bound > 0 && bound.is_multiple_of(*factor)) {
        Some((factor, unit)) => write!(f, "{}{unit}", bound / factor),
        None => write!(f, "{bound}ns"),
    }
}

/// Digits beyond the precision of a share come from binary fractions alone.
fn percent(share: f64) -> f64 {
    (share * 1e8).round() / 1e6
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::Max => "max",
        })
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::PortSearch => "port_search",
            Self::Handshake => "handshake",
            Self::Total => "total",
            Self::PortsVisited => "ports_visited",
        })
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ends(outcome, true) => write!(f, "outcome = {}", outcome.name()),
            Self::Ends(outcome, false) => write!(f, "outcome != {}", outcome.name()),
            Self::SecondPass => f.write_str("second_pass"),
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
            Self::Equal => "=",
            Self::Other => "!=",
        })
    }
}
