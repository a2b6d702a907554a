// SPDX-License-Identifier: MIT OR Apache-2.0
//! The range that `connect()` searches, and its two halves: ports of the low end's parity come first.

use crate::kernel::rules::SearchRules;

/// Both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// Low end.
    pub low: u16,
    /// High end.
    pub high: u16,
    /// Every port is tried in one pass: IP_LOCAL_PORT_RANGE on 6.8 and later.
    pub one_pass: bool,
}

/// One number for each half; with one pass all is in the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Halves {
    /// Ports searched first.
    pub first: u32,
    /// Ports searched only when the first half has none left.
    pub second: u32,
}

impl Range {
    /// What is proposed where ports run out. The low end stays even, as does the width.
    pub const PROPOSED: (u16, u16) = (10_240, 65_535);

    /// That of a namespace.
    pub fn of_namespace((low, high): (u16, u16)) -> Self {
        Self { low, high, one_pass: false }
    }

    /// That of a socket with IP_LOCAL_PORT_RANGE.
    pub fn of_socket((low, high): (u16, u16), rules: &SearchRules) -> Self {
        Self { low, high, one_pass: rules.socket_range_steps_by_one }
    }

    /// Whether a port is in it.
    pub fn contains(&self, port: u16) -> bool {
        (self.low..=self.high).contains(&port)
    }

    /// Whether a port of the range is in the half that is searched first.
    pub fn is_first(&self, port: u16) -> bool {
        self.one_pass || (port ^ self.low) & 1 == 0
    }

    /// Its ports.
    pub fn ports(&self) -> u32 {
        u32::from(self.high.saturating_sub(self.low)) + 1
    }

    /// Its halves.
    pub fn halves(&self) -> Halves {
        if self.one_pass {
            return Halves { first: self.ports(), second: 0 };
        }
        Halves { first: self.ports().div_ceil(2), second: self.ports() / 2 }
    }

    /// Ports that no search ever comes to: the search goes in steps of two over an even number of ports, so of a range
    /// with an odd one it leaves out one of the first half; which one depends on the start.
    pub fn never_tried(&self) -> u32 {
        u32::from(!self.one_pass && self.ports() > 1 && !self.ports().is_multiple_of(2))
    }

    /// What people call the first half.
    pub fn first_parity(&self) -> &'static str {
        match (self.one_pass, self.low.is_multiple_of(2)) {
            (true, _) => "whole range",
            (false, true) => "even half",
            (false, false) => "odd half",
        }
    }

    /// What people call the second half.
    pub fn second_parity(&self) -> &'static str {
        if self.low.is_multiple_of(2) { "odd half" } else { "even half" }
    }
}

impl Halves {
    /// One more.
    pub(super) fn add(&mut self, first: bool) {
        if first {
            self.first += 1;
        } else {
            self.second += 1;
        }
    }

    /// Of both.
    pub fn both(&self) -> u32 {
        self.first + self.second
    }

    /// What is left of these.
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
