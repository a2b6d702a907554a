// SPDX-License-Identifier: MIT OR Apache-2.0
//! Head-room: the connects that are left before the parity cliff, or, where a search has one pass, before the range is
//! full.

use super::{Group, PortSpace, PortsSnapshot, Route};

/// The head-room of one pair of source and destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadRoom {
    /// Connects that are left.
    pub left: u32,
    /// Ports that are searched first, taken or not.
    pub of: u32,
    /// Source and destination.
    pub route: Route,
}

impl HeadRoom {
    fn of_group(group: &Group) -> Self {
        let (range, held) = (group.range, group.held);
        Self {
            left: held.to_cliff(range).unwrap_or_else(|| held.to_exhaustion(range)),
            of: range.halves().first.saturating_sub(range.never_tried()),
            route: group.route,
        }
    }

    /// What is left, as a share.
    pub fn share(&self) -> f64 {
        f64::from(self.left) / f64::from(self.of.max(1))
    }
}

impl PortsSnapshot {
    /// The pair of source and destination with the least head-room among those that are listed.
    pub fn least_room(&self, by: impl Fn(&HeadRoom) -> f64) -> Option<HeadRoom> {
        self.groups.iter().map(HeadRoom::of_group).min_by(|a, b| by(a).total_cmp(&by(b)))
    }

    /// A lower bound of the head-room, connects left and ports searched first, that destinations have that are not
    /// listed: for each namespace, as if all ports that every search skips were searched first, and as if such a
    /// destination took as many ports as the listed one that takes fewest.
    pub fn unlisted_room(&self) -> impl Iterator<Item = (u32, u32)> {
        let own = |group: &Group| group.seen().saturating_sub(group.held.in_common());
        let most = self.groups.iter().map(own).min().unwrap_or(0);
        let hidden = self.more_groups > 0 || self.groups.is_empty();
        self.spaces.iter().filter(move |_| hidden).filter_map(move |space| {
            let range = space.range?;
            let of = range.halves().first.saturating_sub(range.never_tried());
            Some((of.saturating_sub(space.skipped()).saturating_sub(most), of))
        })
    }
}

impl Group {
    /// Ports of the range with any socket, reusable TIME_WAIT included.
    fn seen(&self) -> u32 {
        self.held.taken().both() + self.held.by(super::held::By::TimeWaitReusable).both()
    }
}

impl PortSpace {
    /// At most this many ports of the range are skipped for every destination, as far as known: a port may be counted
    /// twice.
    fn skipped(&self) -> u32 {
        [Some(self.reserved), Some(self.listening), self.bound, self.marked].into_iter().flatten().sum()
    }
}
