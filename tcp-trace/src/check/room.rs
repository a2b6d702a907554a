// SPDX-License-Identifier: MIT OR Apache-2.0
//! The least head-room of a run, at any reading of the sockets.

use std::sync::Arc;

use crate::{
    aggregate::ports::{HeadRoom, PortsSnapshot},
    inventory::Inventory,
};

/// Head-room at its least, and what is unknown about it.
#[derive(Debug)]
pub(super) struct Rooms {
    /// Whether one network namespace is read, so that it does not matter which others cannot be.
    is_narrowed: bool,
    /// By the number of connects left.
    pub(super) fewest: Option<HeadRoom>,
    /// By the share of ports left.
    pub(super) smallest: Option<HeadRoom>,
    /// Lower bounds for destinations that are not listed: connects left, and share.
    pub(super) unlisted: Option<(u32, f64)>,
    /// Number of readings.
    readings: u64,
    /// What the sockets do not show, first come.
    unread: Option<String>,
    unknown_marks: Option<String>,
    /// The last snapshot, which several summaries may share.
    last: Option<Arc<PortsSnapshot>>,
}

impl Rooms {
    pub(super) fn new(is_narrowed: bool) -> Self {
        Self {
            is_narrowed,
            fewest: None,
            smallest: None,
            unlisted: None,
            readings: 0,
            unread: None,
            unknown_marks: None,
            last: None,
        }
    }

    /// Takes note of what an inventory could not read.
    pub(super) fn read(&mut self, inventory: &Inventory) {
        self.readings += 1;
        if let Some(warning) = inventory.warnings.first().filter(|_| !self.is_narrowed) {
            self.unread.get_or_insert_with(|| warning.clone());
        }
        if inventory.spaces.is_empty() {
            self.unread.get_or_insert_with(|| "no network namespace was read".into());
        }
        if inventory.spaces.iter().any(|space| space.beyond > 0) {
            self.unread.get_or_insert_with(|| "there were more sockets than one reading keeps".into());
        }
        if inventory.spaces.iter().any(|space| space.marks.is_none()) {
            self.unknown_marks.get_or_insert_with(|| "ports marked by bind() are unknown".into());
        }
    }

    /// Keeps the least head-room.
    pub(super) fn learn(&mut self, ports: &Arc<PortsSnapshot>) {
        if self.readings == 0 || self.last.as_ref().is_some_and(|last| Arc::ptr_eq(last, ports)) {
            return;
        }
        self.last = Some(Arc::clone(ports));
        least(&mut self.fewest, ports.least_room(|room| f64::from(room.left)), |room| f64::from(room.left));
        least(&mut self.smallest, ports.least_room(HeadRoom::share), HeadRoom::share);
        for (left, of) in ports.unlisted_room() {
            let (fewest, smallest) = self.unlisted.unwrap_or((u32::MAX, f64::INFINITY));
            self.unlisted = Some((fewest.min(left), smallest.min(f64::from(left) / f64::from(of.max(1)))));
        }
    }

    /// Why sockets may be missing; `None`: every reading was complete.
    pub(super) fn unread(&self) -> Option<String> {
        if self.readings == 0 { Some("sockets were not read".into()) } else { self.unread.clone() }
    }

    /// Why ports may be skipped that are counted as free.
    pub(super) fn unknown_marks(&self) -> Option<String> {
        self.unknown_marks.clone()
    }
}

fn least(kept: &mut Option<HeadRoom>, new: Option<HeadRoom>, by: impl Fn(&HeadRoom) -> f64) {
    if let Some(new) = new
        && kept.is_none_or(|kept| by(&new) < by(&kept))
    {
        *kept = Some(new);
    }
}
