// SPDX-License-Identifier: MIT OR Apache-2.0
//! The range that `connect()` searches, and its two halves: ports with the parity of the low end come first.

use crate::kernel::rules::SearchRules;

/// A port range, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// Lowest port.
    pub low: u16,
    /// Highest port.
    pub high: u16,
    /// Whether every port is tried in one pass: IP_LOCAL_PORT_RANGE on 6.8 and later.
    pub one_pass: bool,
}

/// One number for each half; with one pass everything is in the first half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Halves {
    /// Number for the ports that are searched first.
    pub first: u32,
    /// Number for the ports that are searched only when the first half has no free port.
    pub second: u32,
}

impl Range {
    /// The range that fixes propose. The low end is even, as is the width.
    pub const PROPOSED: (u16, u16) = (10_240, 65_535);

    /// The range of a namespace.
    pub fn of_namespace((low, high): (u16, u16)) -> Self {
        Self { low, high, one_pass: false }
    }

    /// The range of a socket with IP_LOCAL_PORT_RANGE.
    pub fn of_socket((low, high): (u16, u16), rules: &SearchRules) -> Self {
        Self { low, high, one_pass: rules.socket_range_steps_by_one }
    }

    /// Whether a port is in the range.
    pub fn contains(&self, port: u16) -> bool {
        (self.low..=self.high).contains(&port)
    }

    /// Whether a port of the range is in the half that is searched first.
    pub fn is_first(&self, port: u16) -> bool {
        self.one_pass || (port ^ self.low) & 1 == 0
    }

    /// Number of ports in the range.
    pub fn ports(&self) -> u32 {
        u32::from(self.high.saturating_sub(self.low)) + 1
    }

    /// Number of ports in each half.
    pub fn halves(&self) -> Halves {
        if self.one_pass {
            return Halves { first: self.ports(), second: 0 };
        }
        Halves { first: self.ports().div_ceil(2), second: self.ports() / 2 }
    }

    /// Number of ports that no search tries: the search advances by two over an even number of ports, so in a range
    /// with an odd number it leaves out one port of the first half; which one depends on the start.
    pub fn never_tried(&self) -> u32 {
        u32::from(!self.one_pass && self.ports() > 1 && !self.ports().is_multiple_of(2))
    }

    /// Name of the first half.
    pub fn first_parity(&self) -> &'static str {
        match (self.one_pass, self.low.is_multiple_of(2)) {
            (true, _) => "whole range",
            (false, true) => "even half",
            (false, false) => "odd half",
        }
    }

    /// Name of the second half.
    pub fn second_parity(&self) -> &'static str {
        if self.low.is_multiple_of(2) { "odd half" } else { "even half" }
    }
}

impl Halves {
    /// Adds one to a half.
    pub(super) fn add(&mut self, first: bool) {
        if first {
            self.first += 1;
        } else {
            self.second += 1;
        }
    }

    /// Sum of both halves.
    pub fn both(&self) -> u32 {
        self.first + self.second
    }

    /// The difference, per half.
    pub(super) fn minus(&self, other: Self) -> Self {
        Self { first: self.first.saturating_sub(other.first), second: self.second.saturating_sub(other.second) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parity_of_the_low_end_comes_first() {
        let range = Range::of_namespace((32_768, 60_999));
        assert_eq!((range.ports(), range.halves()), (28_232, Halves { first: 14_116, second: 14_116 }));
        assert!(range.is_first(32_770) && !range.is_first(32_769));
        assert_eq!((range.first_parity(), range.never_tried()), ("even half", 0));
        assert_eq!(Range::of_namespace((1025, 65_535)).first_parity(), "odd half");
    }

    #[test]
    fn of_an_odd_number_of_ports_one_is_never_tried() {
        let range = Range::of_namespace((41_001, 41_041));
        assert_eq!((range.halves(), range.never_tried()), (Halves { first: 21, second: 20 }, 1));
        assert_eq!(Range::of_namespace((5, 5)).never_tried(), 0);
    }

    #[test]
    fn a_socket_s_own_range() {
        let by_one = SearchRules { socket_range_steps_by_one: true, ..SearchRules::default() };
        assert_eq!(Range::of_socket((45_000, 45_010), &by_one).halves(), Halves { first: 11, second: 0 });
        assert_eq!(Range::of_socket((45_000, 45_010), &SearchRules::default()).halves().second, 5);
    }
}
