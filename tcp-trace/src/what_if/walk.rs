// SPDX-License-Identifier: MIT OR Apache-2.0
//! The walk of `__inet_hash_connect` over a range: its passes, and the order of candidates in each.
//!
//! Within a pass, candidates are numbered: number `n` is the port `low + step * n`, one higher in the second pass. The
//! walk starts somewhere and wraps around. In a range with an odd number of ports the search leaves one out, so that
//! candidate 0 of the first pass and the one at the high end replace each other: see [`Pass::next`].

use crate::aggregate::ports::range::Range;

/// Upper limit of random additional steps of a start, `get_random_u32_below(8)`.
pub const RANDOM_STEPS: u32 = 8;

/// A range as a search walks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// The range.
    pub range: Range,
    /// Number of candidates per pass.
    pub pass: u32,
    /// `net.ipv4.ip_local_port_step_width`, if it has an effect: the distance between candidates is then random.
    pub step_width: Option<u32>,
}

/// One of the passes of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Number of candidates that the pass visits.
    pub candidates: u32,
    /// The last candidate; equal to the number of candidates if one is never visited.
    pub last: u32,
    step: u32,
    /// Port of candidate 0.
    first_port: u16,
}

impl Walk {
    /// A search of this range with this `ip_local_port_step_width`.
    pub fn new(range: Range, step_width: u32) -> Self {
        let step = step(range);
        let remaining = if step == 2 && range.ports() > 1 { range.ports() & !1 } else { range.ports() };
        let pass = (remaining / step).max(1);
        Self { range, pass, step_width: (step_width > 1 && pass > 1).then_some(step_width) }
    }

    /// The first pass.
    pub fn first(&self) -> Pass {
        let last = if step(self.range) == 2 { (self.range.ports() - 1) / 2 } else { self.range.ports() - 1 };
        Pass { candidates: self.pass, last, step: step(self.range), first_port: self.range.low }
    }

    /// The pass over the other half, if there is one.
    pub fn second(&self) -> Option<Pass> {
        (step(self.range) == 2 && self.range.ports() > 1).then(|| Pass {
            candidates: self.pass,
            last: self.pass - 1,
            step: 2,
            first_port: self.range.low + 1,
        })
    }

    /// The distances that the kernel may draw, each with its share of the draws (`scan_step`).
    pub fn strides(&self) -> Vec<(u32, u32)> {
        let Some(width) = self.step_width else { return vec![(1, 1)] };
        let upper = width.min(self.pass);
        let mut shares = std::collections::BTreeMap::new();
        (1..=upper).for_each(|drawn| *shares.entry(coprime(drawn, self.pass, upper)).or_insert(0) += 1);
        shares.into_iter().collect()
    }
}

fn step(range: Range) -> u32 {
    if range.one_pass { 1 } else { 2 }
}

/// The next distance without a common divisor with the number of candidates, as the kernel chooses it.
fn coprime(mut stride: u32, candidates: u32, upper: u32) -> u32 {
    while gcd(stride, candidates) != 1 {
        stride += 1;
        if stride.is_multiple_of(2) && candidates.is_multiple_of(2) {
            stride += 1;
        }
        if stride > upper {
            return 1;
        }
    }
    stride
}

pub(super) fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Pass {
    /// Port of a candidate.
    pub fn port(&self, candidate: u32) -> u16 {
        self.first_port + (candidate * self.step) as u16
    }

    /// Candidate of a port of the range; `None`: the port belongs to the other pass.
    pub fn candidate(&self, port: u16) -> Option<u32> {
        let relative = u32::from(port.checked_sub(self.first_port)?);
        (relative.is_multiple_of(self.step) && relative / self.step <= self.last).then(|| relative / self.step)
    }

    /// The next candidate, which wraps around at the high end: `port -= remaining`.
    pub fn next(&self, candidate: u32, stride: u32) -> u32 {
        let next = candidate + stride;
        if next > self.last { next - self.candidates } else { next }
    }

    /// Whether one candidate is visited only by a search from the low end.
    pub fn is_odd(&self) -> bool {
        self.last == self.candidates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(low: u16, high: u16) -> Walk {
        Walk::new(Range::of_namespace((low, high)), 0)
    }

    #[test]
    fn even_ranges_have_two_equal_passes() {
        let walk = of(32_768, 60_999);
        let (first, second) = (walk.first(), walk.second().expect("a second pass"));
        assert_eq!((first.candidates, first.last, second.last), (14_116, 14_115, 14_115));
        assert_eq!((first.port(14_115), second.port(14_115)), (60_998, 60_999));
        assert_eq!(
            (first.candidate(32_770), first.candidate(32_771), second.candidate(32_771)),
            (Some(1), None, Some(1))
        );
        assert_eq!((first.next(14_115, 1), first.candidate(60_999), first.candidate(1)), (0, None, None));
    }

    #[test]
    fn odd_ranges_go_round_past_their_low_end() {
        let walk = of(41_001, 41_041);
        let (first, second) = (walk.first(), walk.second().expect("a second pass"));
        assert_eq!((first.candidates, first.last, first.port(20), first.next(20, 1)), (20, 20, 41_041, 1));
        assert!(first.is_odd() && !second.is_odd());
        assert_eq!((second.last, second.next(19, 1)), (19, 0));
    }

    #[test]
    fn single_ports_and_ranges_of_the_socket_s_own() {
        assert_eq!((of(5, 5).pass, of(5, 5).first().last, of(5, 5).second()), (1, 0, None));
        let own = Walk::new(Range { low: 45_000, high: 45_010, one_pass: true }, 0);
        assert_eq!((own.pass, own.second(), own.first().port(10)), (11, None, 45_010));
    }

    #[test]
    fn strides_have_no_divisor_in_common_with_the_pass() {
        assert_eq!(of(41_000, 41_039).strides(), [(1, 1)]);
        // 20 candidates: 2 and 4 and 6 become 3, 7 and 7; 5 becomes 7.
        let walk = Walk::new(Range::of_namespace((41_000, 41_039)), 7);
        assert_eq!(walk.strides(), [(1, 1), (3, 2), (7, 4)]);
    }
}
