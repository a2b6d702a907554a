// SPDX-License-Identifier: MIT OR Apache-2.0
//! Simulates consecutive searches of `__inet_hash_connect` for one source and destination.
//!
//! A search starts where `table_perturb` says, and advances that entry by the distance that it walked, or by up to
//! eight steps if that is more. The next search therefore continues behind the last one. Every ten seconds the inputs
//! of `port_offset` change (`secure_ipv4_port_ephemeral` mixes in the time), and a search starts anywhere.

use super::{
    free::Free,
    random::Random,
    walk::{RANDOM_STEPS, Walk},
};

/// Result of one search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The candidate, and whether it is of the second pass; `None`: no port (EADDRNOTAVAIL).
    pub candidate: Option<(u32, bool)>,
    /// Number of visited candidates.
    pub visited: u32,
    /// Whether the second pass was started.
    pub second_pass: bool,
}

/// The ports of one source and destination, and the start of the next search.
#[derive(Clone, Debug)]
pub struct Searches {
    walk: Walk,
    first: Free,
    second: Option<Free>,
    strides: Vec<(u32, u32)>,
    start: u32,
}

impl Searches {
    /// Searches over a range with these free ports.
    pub fn new(walk: Walk, is_free: impl Fn(u16) -> bool) -> Self {
        let first = Free::of(walk.first(), &is_free);
        let second = walk.second().map(|pass| Free::of(pass, &is_free));
        Self { walk, first, second, strides: walk.strides(), start: 0 }
    }

    /// Ports left until a search needs the second pass; `None`: there is no second pass.
    pub fn to_cliff(&self) -> Option<u32> {
        self.second.as_ref().map(|_| self.first.within_reach())
    }

    /// Number of free ports.
    pub fn to_exhaustion(&self) -> u32 {
        self.first.within_reach() + self.second.as_ref().map_or(0, Free::count)
    }

    /// Number of possible starting points.
    pub fn places(&self) -> u32 {
        self.walk.pass
    }

    /// Whether the distance between two candidates is random.
    pub fn has_strides(&self) -> bool {
        self.strides.len() > 1
    }

    /// Sets the start of the next search.
    pub fn begin_at(&mut self, start: u32) {
        self.start = start % self.walk.pass;
    }

    /// Searches, and advances the start of the next search.
    pub fn search(&mut self, random: &mut Random) -> Found {
        let stride = self.draw_stride(random);
        let (candidate, visited, in_its_pass) = match self.first.seek(self.start, stride) {
            Some((candidate, visited)) => ((candidate, false), visited, visited),
            None => match self.second.as_ref().and_then(|second| second.seek(self.start, stride)) {
                Some((candidate, visited)) => ((candidate, true), self.walk.pass + visited, visited),
                None => {
                    let passes = 1 + u32::from(self.second.is_some());
                    return Found { candidate: None, visited: self.walk.pass * passes, second_pass: passes == 2 };
                }
            },
        };
        let on = (in_its_pass - 1).max(random.below(RANDOM_STEPS)) + 1;
        self.begin_at(self.start + on);
        Found { candidate: Some(candidate), visited, second_pass: candidate.1 }
    }

    /// Takes the port that was found.
    pub fn take(&mut self, (candidate, second): (u32, bool)) {
        if let Some(free) = self.half(second) {
            free.take(candidate);
        }
    }

    /// Releases a port.
    pub fn give(&mut self, (candidate, second): (u32, bool)) {
        if let Some(free) = self.half(second) {
            free.give(candidate);
        }
    }

    /// The candidate of a port.
    pub fn place(&self, port: u16) -> Option<(u32, bool)> {
        let second = self.walk.second();
        let first = self.walk.first().candidate(port).map(|candidate| (candidate, false));
        first.or_else(|| Some((second?.candidate(port)?, true)))
    }

    fn half(&mut self, second: bool) -> Option<&mut Free> {
        if second { self.second.as_mut() } else { Some(&mut self.first) }
    }

    pub(super) fn draw_stride(&self, random: &mut Random) -> u32 {
        let [(only, _)] = self.strides[..] else {
            let mut at = random.below(self.strides.iter().map(|(_, share)| share).sum());
            for (stride, share) in &self.strides {
                match at.checked_sub(*share) {
                    Some(rest) => at = rest,
                    None => return *stride,
                }
            }
            return 1;
        };
        only
    }
}
