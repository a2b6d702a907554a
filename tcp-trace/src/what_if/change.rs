// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changes, and the setup with them.

use std::fmt;

use crate::{
    aggregate::ports::{range::Range, reuse::Reuse},
    kernel::rules::SearchRules,
};

/// One change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// `net.ipv4.ip_local_port_range`
    Range(u16, u16),
    /// This many source addresses instead of one, used in turn.
    SourceAddresses(u32),
    /// IP_LOCAL_PORT_RANGE on the sockets of the program.
    LocalPortRange(u16, u16),
    /// `net.ipv4.ip_local_port_step_width`
    StepWidth(u32),
    /// `net.ipv4.tcp_tw_reuse=1`
    TwReuse,
    /// This many requests over a connection that carries one today.
    RequestsPerConnection(u32),
}

/// Setup of searches, and the rate around them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The range that is searched.
    pub range: Range,
    /// `net.ipv4.ip_local_port_step_width`
    pub step_width: u32,
    /// When TIME_WAIT can be reused.
    pub reuse: Reuse,
    /// When TIME_WAIT can be reused with `net.ipv4.tcp_tw_reuse=1`.
    pub reuse_allowed: Reuse,
    /// Local addresses that share the connects.
    pub addresses: u32,
    /// Requests per connection that carries one today.
    pub requests: u32,
}

impl fmt::Display for Change {
    /// Formats a change as a flag of the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(low, high) => write!(f, "--range {low}-{high}"),
            Self::SourceAddresses(addresses) => write!(f, "--source-addresses {addresses}"),
            Self::LocalPortRange(low, high) => write!(f, "--local-port-range {low}-{high}"),
            Self::StepWidth(width) => write!(f, "--step-width {width}"),
            Self::TwReuse => f.write_str("--tw-reuse"),
            Self::RequestsPerConnection(requests) => write!(f, "--requests-per-connection {requests}"),
        }
    }
}

impl Change {
    /// The shell command that makes the change; `None`: the program, or the network, must make it.
    pub fn command(&self) -> Option<String> {
        match self {
            Self::Range(low, high) => Some(format!("sysctl -w net.ipv4.ip_local_port_range='{low} {high}'")),
            Self::StepWidth(width) => Some(format!("sysctl -w net.ipv4.ip_local_port_step_width={width}")),
            Self::TwReuse => Some("sysctl -w net.ipv4.tcp_tw_reuse=1".into()),
            Self::SourceAddresses(_) | Self::LocalPortRange(..) | Self::RequestsPerConnection(_) => None,
        }
    }
}

impl Setup {
    /// The setup with the change.
    pub fn with(mut self, change: Change, rules: &SearchRules) -> Self {
        match change {
            Change::Range(low, high) => self.range = Range { low, high, ..self.range },
            Change::LocalPortRange(low, high) => self.range = clamped(self.range, (low, high), rules),
            Change::SourceAddresses(addresses) => self.addresses = addresses.max(1),
            Change::StepWidth(width) => self.step_width = width,
            Change::TwReuse => self.reuse = self.reuse_allowed,
            Change::RequestsPerConnection(requests) => self.requests = requests.max(1),
        }
        self
    }
}

/// The effective range, as in `inet_sk_get_local_port_range`: each end counts if it is within the range of the
/// namespace, the second one after the first was applied.
fn clamped(range: Range, (low, high): (u16, u16), rules: &SearchRules) -> Range {
    let mut ends = (range.low, range.high);
    if (ends.0..=ends.1).contains(&low) {
        ends.0 = low;
    }
    if (ends.0..=ends.1).contains(&high) {
        ends.1 = high;
    }
    Range::of_socket(ends, rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_the_socket_s_own_is_clamped() {
        let range = Range::of_namespace((32_768, 60_999));
        let rules = SearchRules { socket_range_steps_by_one: true, ..SearchRules::default() };
        let ends = |low, high| {
            let range = clamped(range, (low, high), &rules);
            (range.low, range.high, range.one_pass)
        };
        assert_eq!(ends(40_000, 50_000), (40_000, 50_000, true));
        assert_eq!(ends(1024, 50_000), (32_768, 50_000, true));
        assert_eq!(ends(40_000, 65_535), (40_000, 60_999, true));
    }
}
