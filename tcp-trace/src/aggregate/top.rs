// SPDX-License-Identifier: MIT OR Apache-2.0
//! The heaviest of many keys in bounded memory: Space-Saving (Metwally, Agrawal, El Abbadi 2005).
//!
//! A key that finds no free counter replaces the lightest one. Every key whose true weight exceeds total/capacity is
//! kept. Weights only rank. Reports print the value, which counts from the moment its key was taken in: it may be too
//! low after a replacement, never too high.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    hash::Hash,
};

use foldhash::fast::RandomState;

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<K, V> {
    /// The key.
    pub key: K,
    /// The value of the key.
    pub value: V,
    /// The key may have been seen before it was taken in: the value is a lower bound.
    pub at_least: bool,
}

#[derive(Clone, Debug)]
struct Counter<K, V> {
    key: K,
    value: V,
    weight: u64,
    taken_over: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Top<K, V> {
    capacity: usize,
    counters: Vec<Counter<K, V>>,
    index: HashMap<K, usize, RandomState>,
    /// Indices of `counters`, lightest first, with a weight that may be stale. Weights only grow, so the true weight is
    /// never less; stale entries are refreshed while searching for the minimum.
    lightest: BinaryHeap<Reverse<(u64, usize)>>,
}

impl<K: Clone + Eq + Hash, V: Default> Top<K, V> {
    pub(super) fn new(capacity: usize) -> Self {
        let (counters, index, lightest) = Default::default();
        Self { capacity: capacity.max(1), counters, index, lightest }
    }

    /// The value of a key, for adding to it; the key's weight grows by `weight`.
    pub(super) fn add(&mut self, key: &K, weight: u64) -> &mut V {
        self.add_or_replace(key, weight).0
    }

    /// The value of a key, as `add` returns it, and the value of the key that it replaced, if any.
    pub(super) fn add_or_replace(&mut self, key: &K, weight: u64) -> (&mut V, Option<V>) {
        let (slot, replaced) = match self.index.get(key) {
            Some(slot) => (*slot, None),
            None => self.take_in(key),
        };
        let counter = &mut self.counters[slot];
        counter.weight = counter.weight.saturating_add(weight);
        (&mut counter.value, replaced)
    }

    fn take_in(&mut self, key: &K) -> (usize, Option<V>) {
        if self.counters.len() < self.capacity {
            let slot = self.counters.len();
            self.counters.push(Counter { key: key.clone(), value: V::default(), weight: 0, taken_over: false });
            self.index.insert(key.clone(), slot);
            self.lightest.push(Reverse((0, slot)));
            return (slot, None);
        }
        let slot = self.lightest();
        let counter = &mut self.counters[slot];
        self.index.remove(&counter.key);
        counter.key = key.clone();
        let replaced = std::mem::take(&mut counter.value);
        counter.taken_over = true;
        self.index.insert(key.clone(), slot);
        (slot, Some(replaced))
    }

    fn lightest(&mut self) -> usize {
        loop {
            let mut first = self.lightest.peek_mut().expect("a capacity of at least one, and all of it taken");
            let Reverse((weight, slot)) = *first;
            let now = self.counters[slot].weight;
            if weight == now {
                return slot;
            }
            // Moves to its new place when the guard is dropped.
            *first = Reverse((now, slot));
        }
    }

    pub(super) fn clear(&mut self) {
        self.counters.clear();
        self.index.clear();
        self.lightest.clear();
    }

    /// Keys, values, weights, and whether the value is a lower bound, unordered.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V, u64, bool)> {
        self.counters.iter().map(|counter| (&counter.key, &counter.value, counter.weight, counter.taken_over))
    }

    /// Marks a key's value as a lower bound.
    pub(super) fn mark(&mut self, key: &K) {
        if let Some(slot) = self.index.get(key) {
            self.counters[*slot].taken_over = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keeps_every_heavy_key(keys in prop::collection::vec(prop_oneof![0..4_u32, 0..200_u32], 0..2_000)) {
            const CAPACITY: usize = 16;
            let mut top: Top<u32, u64> = Top::new(CAPACITY);
            let mut exact: HashMap<u32, u64> = HashMap::new();
            for key in &keys {
                *top.add(key, 1) += 1;
                *exact.entry(*key).or_default() += 1;
            }
            prop_assert!(top.iter().count() <= CAPACITY);
            let kept: HashMap<u32, (u64, u64, bool)> =
                top.iter().map(|(key, value, weight, bound)| (*key, (*value, weight, bound))).collect();
            for (key, count) in exact {
                match kept.get(&key) {
                    Some((value, weight, bound)) => {
                        prop_assert!(*value <= count && count <= *weight);
                        prop_assert!(*bound || *value == count);
                    }
                    None => prop_assert!(count <= keys.len() as u64 / CAPACITY as u64),
                }
            }
        }
    }
}
