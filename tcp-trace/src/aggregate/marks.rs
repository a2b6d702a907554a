// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ports that carry the mark of a `bind()`: which of them the socket that bound them still holds, and which not.
//!
//! `connect()` skips a port whose bucket has `fastreuse` or `fastreuseport` at 0 or above, towards every destination. A
//! bucket that `connect()` created has both at -1 until another socket binds the port too.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use tcp_trace_common::{
    bind::{RawMark, userlock},
    tcp_state,
};

/// Marked ports of one network namespace, as they are now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The range that `connect()` chooses from, both ends included; all counts below are of ports within it.
    pub range: (u16, u16),
    /// Ports of connections whose port `connect()` had chosen: another socket set the mark later.
    pub poisoned: u64,
    /// Ports of `poisoned` in the half that is searched first.
    pub poisoned_first_half: u64,
    /// Ports of connections that were bound before they connected.
    pub bound: u64,
    /// Ports of listeners.
    pub listening: u64,
    /// Ports of TIME_WAIT alone; the kernel does not keep whether those were bound.
    pub time_wait: u64,
    /// Marked ports outside the range, which no `connect()` tries.
    pub outside: u64,
    /// The ports of `bound`, one bit each, to look up their owners.
    bound_ports: Ports,
}

/// A set of ports, one bit each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ports(Vec<u64>);

impl Ports {
    fn insert(&mut self, port: u16) {
        self.0.resize(1 << 10, 0);
        self.0[usize::from(port >> 6)] |= 1 << (port & 63);
    }

    fn contains(&self, port: u16) -> bool {
        self.0.get(usize::from(port >> 6)).is_some_and(|word| word >> (port & 63) & 1 == 1)
    }
}

/// What the sockets of one port have in common.
#[derive(Clone, Copy, Default)]
struct Port {
    listens: bool,
    /// Whether one of the sockets was bound by its owner.
    was_bound: bool,
    /// Whether one of the sockets certainly got the port from `connect()`.
    was_connected: bool,
    live: u32,
}

impl Marks {
    /// The marked ports of one namespace, from the sockets that the iterator returned.
    pub fn of(sockets: &[RawMark], range: (u16, u16)) -> Self {
        let mut ports: HashMap<u16, Port, RandomState> = HashMap::default();
        for socket in sockets {
            ports.entry(socket.port).or_default().add(socket);
        }
        let mut marks = Self { range, ..Self::default() };
        for (number, port) in ports {
            if !(range.0..=range.1).contains(&number) {
                marks.outside += 1;
                continue;
            }
            match port.held() {
                Held::Listening => marks.listening += 1,
                Held::Bound => {
                    marks.bound += 1;
                    marks.bound_ports.insert(number);
                }
                Held::TimeWait => marks.time_wait += 1,
                Held::Poisoned => {
                    marks.poisoned += 1;
                    marks.poisoned_first_half += u64::from(number % 2 == range.0 % 2);
                }
            }
        }
        marks
    }

    /// Number of ports in the range.
    pub fn ports(&self) -> u64 {
        u64::from(self.range.1.saturating_sub(self.range.0)) + 1
    }

    /// Number of ports in the range that every `connect()` skips.
    pub fn skipped(&self) -> u64 {
        self.poisoned + self.bound + self.listening + self.time_wait
    }

    /// Whether a connection that was bound before it connected holds `port`.
    pub fn is_bound(&self, port: u16) -> bool {
        self.bound_ports.contains(port)
    }
}

enum Held {
    Listening,
    Bound,
    TimeWait,
    Poisoned,
}

impl Port {
    fn add(&mut self, socket: &RawMark) {
        // Only a bucket that connect() created has one mark without the other.
        self.was_connected |= (socket.fastreuse as i8) < 0;
        if socket.userlocks == userlock::UNKNOWN {
            return;
        }
        self.live += 1;
        self.listens |= socket.state == tcp_state::LISTEN;
        self.was_bound |= socket.userlocks & (userlock::BIND_ADDRESS | userlock::BIND_PORT) != 0;
        self.was_connected |= socket.userlocks & userlock::CONNECT_BIND != 0;
    }

    fn held(self) -> Held {
        if self.listens {
            Held::Listening
        } else if self.live == 0 {
            Held::TimeWait
        } else if self.was_bound {
            Held::Bound
        } else if self.was_connected || self.live > 1 {
            Held::Poisoned
        } else {
            // Before 6.18 the kernel does not distinguish a socket that was bound to any address from one that was not
            // bound. With one socket per port, a bound one is more likely.
            Held::Bound
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: u8 = 0xff;

    fn socket(port: u16, state: u8, userlocks: u8, fastreuse: u8, fastreuseport: u8) -> RawMark {
        RawMark { port, fastreuse, fastreuseport, state, userlocks, pad: 0 }
    }

    #[test]
    fn who_holds_a_marked_port() {
        let connected = tcp_state::ESTABLISHED;
        let sockets = [
            socket(32_768, connected, 0, FREE, 0),
            socket(32_769, connected, userlock::CONNECT_BIND, 0, 0),
            socket(32_770, connected, userlock::BIND_ADDRESS, 0, 0),
            socket(32_771, connected, 0, 0, 0),
            socket(32_772, tcp_state::LISTEN, userlock::BIND_PORT, 1, 0),
            socket(32_772, connected, 0, 1, 0),
            socket(32_773, tcp_state::TIME_WAIT, userlock::UNKNOWN, 0, 0),
            socket(443, tcp_state::LISTEN, userlock::BIND_PORT, 0, 0),
        ];
        let marks = Marks::of(&sockets, (32_768, 60_999));
        assert_eq!((marks.poisoned, marks.poisoned_first_half), (2, 1));
        assert_eq!((marks.bound, marks.listening, marks.time_wait, marks.outside), (2, 1, 1, 1));
        assert!(marks.is_bound(32_770) && marks.is_bound(32_771) && !marks.is_bound(32_768));
        assert_eq!((marks.ports(), marks.skipped()), (28_232, 6));
        assert!(!Marks::default().is_bound(1));
    }
}
