// SPDX-License-Identifier: MIT OR Apache-2.0
//! Limits around connections: their present state, and what happened during the run.

use crate::{
    inventory::{
        Inventory,
        limits::{Conntrack, Limits},
    },
    kernel::rules::Sysctls,
};

/// Limits at the end and at the start of an interval or run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LimitsSnapshot {
    /// The last state; `None`: not read yet.
    pub now: Option<Limits>,
    /// The first state; equal to `now` if there was only one.
    pub before: Option<Limits>,
    /// Settings, by network namespace.
    pub settings: Vec<Sysctls>,
}

impl LimitsSnapshot {
    /// Packets that conntrack dropped in this time because its table was full.
    pub fn dropped(&self, table: &Conntrack) -> Option<u64> {
        let before = self.before.as_ref()?.conntrack.iter().find(|before| before.netns == table.netns)?;
        table.dropped?.checked_sub(before.dropped?)
    }
}

/// Keeps the limits at the start of the interval and of the run.
#[derive(Clone, Debug, Default)]
pub struct LimitsAggregate {
    first: Option<Limits>,
    interval: Option<Limits>,
    last: Option<Limits>,
    settings: Vec<Sysctls>,
}

impl LimitsAggregate {
    /// Consumes an inventory.
    pub fn survey(&mut self, inventory: &Inventory) {
        let Some(limits) = &inventory.limits else { return };
        self.settings = inventory.spaces.iter().map(|space| space.sysctls.clone()).collect();
        self.first.get_or_insert_with(|| limits.clone());
        self.interval.get_or_insert_with(|| limits.clone());
        self.last = Some(limits.clone());
    }

    /// Ends the interval and returns its snapshot.
    pub fn tick(&mut self) -> LimitsSnapshot {
        let before = std::mem::replace(&mut self.interval, self.last.clone());
        LimitsSnapshot { now: self.last.clone(), before, settings: self.settings.clone() }
    }

    /// The snapshot of the whole run.
    pub fn total(&self) -> LimitsSnapshot {
        LimitsSnapshot { now: self.last.clone(), before: self.first.clone(), settings: self.settings.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::limits::Taken;

    fn look(dropped: u64) -> Inventory {
        let taken = Taken { used: Some(10), limit: Some(10) };
        let table = Conntrack {
            netns: 1,
            taken,
            buckets: None,
            dropped: Some(dropped),
            early_dropped: None,
            time_wait_s: None,
            established_s: None,
        };
        let limits = Limits { conntrack: vec![table], ..Limits::default() };
        Inventory { limits: Some(limits), ..Inventory::default() }
    }

    fn dropped(snapshot: &LimitsSnapshot) -> Option<u64> {
        snapshot.dropped(&snapshot.now.as_ref()?.conntrack[0])
    }

    #[test]
    fn drops_are_counted_by_interval_and_in_all() {
        let mut limits = LimitsAggregate::default();
        assert_eq!(dropped(&limits.tick()), None);
        let answers = [100, 130, 135].map(|count| {
            limits.survey(&look(count));
            dropped(&limits.tick())
        });
        assert_eq!(answers, [Some(0), Some(30), Some(5)]);
        assert_eq!(dropped(&limits.total()), Some(35));
    }
}
