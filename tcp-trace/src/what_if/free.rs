// SPDX-License-Identifier: MIT OR Apache-2.0
//! Free candidates of a pass, one bit each; the next one is found by words.

use super::walk::Pass;

/// The candidates of one pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Free {
    pass: Pass,
    words: Vec<u64>,
    count: u32,
}

impl Free {
    /// The free candidates of a pass.
    pub fn of(pass: Pass, is_free: impl Fn(u16) -> bool) -> Self {
        let mut free = Self { pass, words: vec![0; pass.last as usize / 64 + 1], count: 0 };
        (0..=pass.last).filter(|candidate| is_free(pass.port(*candidate))).for_each(|candidate| free.give(candidate));
        free
    }

    /// Number of free candidates.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Number of free candidates that a search finds which does not start at the low end.
    pub fn within_reach(&self) -> u32 {
        self.count - u32::from(self.pass.is_odd() && self.is_free(0))
    }

    /// Whether a candidate is free.
    pub fn is_free(&self, candidate: u32) -> bool {
        self.words[candidate as usize / 64] >> (candidate % 64) & 1 == 1
    }

    /// Takes a candidate; returns whether it was free.
    pub fn take(&mut self, candidate: u32) -> bool {
        let was_free = self.is_free(candidate);
        self.words[candidate as usize / 64] &= !(1 << (candidate % 64));
        self.count -= u32::from(was_free);
        was_free
    }

    /// Releases a candidate.
    pub fn give(&mut self, candidate: u32) {
        self.count += u32::from(!self.is_free(candidate));
        self.words[candidate as usize / 64] |= 1 << (candidate % 64);
    }

    /// The first free candidate of a search from `start`, and the number of visited candidates; `None`: there is none.
    pub fn seek(&self, start: u32, stride: u32) -> Option<(u32, u32)> {
        if self.count == 0 {
            return None;
        }
        if stride == 1 { self.seek_by_words(start) } else { self.seek_one_by_one(start, stride) }
    }

    fn seek_one_by_one(&self, start: u32, stride: u32) -> Option<(u32, u32)> {
        let mut candidate = start;
        for visited in 1..=self.pass.candidates {
            if self.is_free(candidate) {
                return Some((candidate, visited));
            }
            candidate = self.pass.next(candidate, stride);
        }
        None
    }

    fn seek_by_words(&self, start: u32) -> Option<(u32, u32)> {
        let end = if start == 0 { self.pass.candidates - 1 } else { self.pass.last };
        if let Some(found) = self.first_in(start, end) {
            return Some((found, found - start + 1));
        }
        // After the last candidate comes 1, if the last one replaces 0.
        let low = self.pass.next(self.pass.last, 1);
        let found = self.first_in(low, start.checked_sub(1)?)?;
        Some((found, self.pass.last - start + 1 + found - low + 1))
    }

    /// The first free candidate from `from` to `to`, both included.
    fn first_in(&self, from: u32, to: u32) -> Option<u32> {
        if from > to {
            return None;
        }
        let mut index = from as usize / 64;
        let mut word = self.words[index] & (u64::MAX << (from % 64));
        while word == 0 {
            index += 1;
            if index > to as usize / 64 {
                return None;
            }
            word = self.words[index];
        }
        let found = index as u32 * 64 + word.trailing_zeros();
        (found <= to).then_some(found)
    }
}
