// SPDX-License-Identifier: MIT OR Apache-2.0
//! How many ports `__inet_hash_connect` looked at, from what it was given and what it chose. Pure, and the same on both
//! sides: the kernel side asks it about attempts that it does not send. Every function is inlined: BPF returns no structs.
//!
//! The search walks the range in steps of two from a start that `port_offset` and `table_perturb` fix, first the
//! parity of the low end, then the other. So the chosen port's distance from the start is the number of candidates.
//! Where a term of that sum is missing the answer is `None`.

use crate::connect::{RawConnect, ended, flag};

/// `i` is raised to a random multiple of the step below this one before `table_perturb` moves on.
const RANDOM_STEPS: u32 = 8;

/// Where the local port came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourcePort {
    /// Chosen from the ephemeral range of the namespace.
    Ephemeral,
    /// Chosen before by `bind()`.
    Bound,
    /// Chosen from the socket's own IP_LOCAL_PORT_RANGE.
    LocalRange,
}

impl SourcePort {
    /// Name in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ephemeral => "ephemeral",
            Self::Bound => "bound",
            Self::LocalRange => "local_range",
        }
    }
}

/// Properties of the walk over a range on this kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Whether every port is tried in one pass with IP_LOCAL_PORT_RANGE (207184853dbd).
    pub socket_range_steps_by_one: bool,
    /// The start comes from `table_perturb` (b2d057560b81).
    pub perturb_table: bool,
    /// Searches are seen at all, so that ports visited may be known: not on the tracepoint tier, whose verifier time is
    /// spared this.
    pub seen: bool,
}

/// Derived properties of one port search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortSearch {
    /// Where the local port came from.
    pub source_port: Option<SourcePort>,
    /// Candidates looked at, the chosen one included.
    pub visited: Option<u32>,
    /// Whether the ports of the other parity were looked at too.
    pub second_pass: Option<bool>,
    /// The range searched, both ends included.
    pub range: Option<(u16, u16)>,
}

/// Derives it from the raw event.
#[inline(always)]
pub fn derive(raw: &RawConnect, walk: Walk) -> PortSearch {
    let entered = raw.flags & flag::SEARCH_ENTERED != 0;
    // The tracepoint tier knows the socket as it was on entering SYN_SENT, just before the search.
    let syn_sent = raw.flags & (flag::SYN_SENT | flag::GAP) == flag::SYN_SENT;
    if !entered && !syn_sent {
        return PortSearch::default();
    }
    if raw.bound_port != 0 {
        return PortSearch { source_port: Some(SourcePort::Bound), ..PortSearch::default() };
    }
    let source_port = Some(if raw.socket_range == 0 { SourcePort::Ephemeral } else { SourcePort::LocalRange });
    let Some(range) = Range::of(raw, walk) else {
        return PortSearch { source_port, ..PortSearch::default() };
    };
    let (visited, second_pass) = match end(raw) {
        End::Found(port) => match range.place(port) {
            Some(place) if walk.seen => (visited(raw, walk, &range, place), Some(place.second_pass)),
            Some(place) => (None, Some(place.second_pass)),
            None => (None, None),
        },
        End::Exhausted => (Some(range.remaining), Some(range.step == 2 && range.remaining > 1)),
        End::Unknown => (None, None),
    };
    PortSearch { source_port, visited, second_pass, range: Some((range.low, range.high)) }
}

enum End {
    Found(u16),
    Exhausted,
    Unknown,
}

#[inline(always)]
fn end(raw: &RawConnect) -> End {
    /// `-EADDRNOTAVAIL`
    const EXHAUSTED: i32 = -99;
    let ret = if raw.flags & flag::SEARCH_LEFT != 0 {
        Some(raw.search_ret)
    } else if raw.sport == 0 && matches!(raw.ended_by, ended::CALL_FAILED | ended::CLOSED) && raw.call_ret != 0 {
        // Without the exit of the search: the call's own errno, where no port had been chosen.
        Some(raw.call_ret)
    } else {
        (raw.sport != 0).then_some(0)
    };
    match ret {
        Some(0) if raw.sport != 0 => End::Found(raw.sport),
        Some(EXHAUSTED) => End::Exhausted,
        _ => End::Unknown,
    }
}

/// The range as the search walks it.
struct Range {
    low: u16,
    high: u16,
    step: u32,
    /// Ports that one search can look at: an odd range loses one port where the step is two.
    remaining: u32,
}

#[derive(Clone, Copy)]
struct Place {
    /// Distance from the low end.
    relative: u32,
    second_pass: bool,
}

impl Range {
    #[inline(always)]
    fn of(raw: &RawConnect, walk: Walk) -> Option<Self> {
        if raw.flags & flag::RANGE == 0 || raw.range_low == 0 || raw.range_low > raw.range_high {
            return None;
        }
        let (mut low, mut high) = (raw.range_low, raw.range_high);
        // inet_sk_get_local_port_range clamps each half by itself, the second against the first's result; an unset
        // half (0) is below every low end.
        let (socket_low, socket_high) = (raw.socket_range as u16, (raw.socket_range >> 16) as u16);
        if raw.socket_range != 0 {
            if (low..=high).contains(&socket_low) {
                low = socket_low;
            }
            if (low..=high).contains(&socket_high) {
                high = socket_high;
            }
        }
        let step = if raw.socket_range != 0 && walk.socket_range_steps_by_one { 1 } else { 2 };
        let width = u32::from(high - low) + 1;
        let remaining = if step == 2 && width > 1 { width & !1 } else { width };
        // Never 0 as it is, but the verifier has to see it too: it divides.
        Some(Self { low, high, step, remaining: remaining.max(1) })
    }

    #[inline(always)]
    fn place(&self, port: u16) -> Option<Place> {
        if !(self.low..=self.high).contains(&port) {
            return None;
        }
        let relative = u32::from(port - self.low);
        Some(Place { relative, second_pass: self.step == 2 && relative & 1 == 1 })
    }

    /// Candidates in one pass.
    #[inline(always)]
    fn pass(&self) -> u32 {
        if self.step == 2 { (self.remaining / 2).max(1) } else { self.remaining }
    }

    /// Counted from the low end again; no place is further than one beyond the end.
    #[inline(always)]
    fn within(&self, place: u32) -> u32 {
        if place >= self.remaining { place - self.remaining } else { place }
    }

    /// Steps from one place to a later one of the same pass, the wrap at the high end included.
    #[inline(always)]
    fn steps(&self, from: u32, to: u32) -> u32 {
        let (from, to) = (self.within(from), self.within(to));
        let distance = if from <= to { to - from } else { to + self.remaining - from };
        if self.step == 2 { distance / 2 } else { distance }
    }
}

#[inline(always)]
fn visited(raw: &RawConnect, walk: Walk, range: &Range, place: Place) -> Option<u32> {
    let before = if place.second_pass { range.pass() } else { 0 };
    let counted = || counted(raw, range, place, before);
    if raw.flags & flag::PERTURB == 0 || !walk.perturb_table {
        return if random_step(raw, range) { None } else { counted() };
    }
    // The first connect after boot fills the table after its entry was read, as does every one before that.
    if raw.perturb_before == 0 {
        return None;
    }
    if random_step(raw, range) {
        // The order of candidates is random, but the table moves on by how many there were, if more than a few.
        if raw.flags & flag::SEARCH_LEFT == 0 {
            return None;
        }
        let moved = raw.perturb_after.wrapping_sub(raw.perturb_before);
        let index = (moved / range.step).checked_sub(1)?;
        let exact = moved > RANDOM_STEPS * range.step && moved.is_multiple_of(range.step) && index < range.pass();
        return exact.then_some(before + index + 1);
    }
    let mut start = raw.perturb_before.wrapping_add((raw.port_offset >> 32) as u32) % range.remaining;
    if range.step == 2 {
        start &= !1;
    }
    let index = range.steps(start + u32::from(place.second_pass), place.relative);
    let visited = before + index + 1;
    if raw.flags & flag::PROBED != 0 && visited <= raw.refused_candidates { counted() } else { Some(visited) }
}

/// Whether the distance between two candidates is random. A width of 1 leaves only the step itself.
#[inline(always)]
fn random_step(raw: &RawConnect, range: &Range) -> bool {
    raw.step_width > 1 && range.pass() > 1
}

/// Without the start: from the first candidate that was asked about, or from how many were refused.
#[inline(always)]
fn counted(raw: &RawConnect, range: &Range, place: Place, before: u32) -> Option<u32> {
    if raw.flags & flag::PROBED == 0 {
        return None;
    }
    if raw.first_candidate == 0 {
        // No candidate was tested, so none was refused.
        let visited = raw.refused_candidates.checked_add(1)?;
        return (visited > before && visited <= range.remaining).then_some(visited);
    }
    let first = range.place(raw.first_candidate)?;
    let visited = match (first.second_pass, place.second_pass) {
        (false, false) | (true, true) => before + range.steps(first.relative, place.relative) + 1,
        (false, true) => before + range.steps(first.relative + 1, place.relative) + 1,
        (true, false) => return None,
    };
    // More skips than a pass has candidates mean that the first one asked about was not the
    // first visited, and the distance went the wrong way round.
    let skipped = visited.checked_sub(raw.refused_candidates.checked_add(1)?)?;
    (skipped < range.pass()).then_some(visited)
}

#[cfg(test)]
mod tests;
