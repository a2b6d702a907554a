// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of the model against `__inet_hash_connect`, written out candidate by candidate.

use std::collections::HashSet;

use proptest::prelude::*;

use super::{
    random::Random,
    search::Searches,
    walk::{RANDOM_STEPS, Walk},
};
use crate::aggregate::ports::range::Range;

/// One search of net/ipv4/inet_hashtables.c (7.2) with given random numbers: port, candidates, and the advance of the
/// table.
fn kernel(
    range: Range,
    table: u32,
    scan_step: u32,
    random_steps: u32,
    taken: &HashSet<u16>,
) -> (Option<u16>, u32, Option<u32>) {
    let (low, high) = (u32::from(range.low), u32::from(range.high) + 1);
    let step = if range.one_pass { 1 } else { 2 };
    let mut remaining = high - low;
    if !range.one_pass && remaining > 1 {
        remaining &= !1;
    }
    let mut offset = table % remaining;
    if !range.one_pass {
        offset &= !1;
    }
    let mut visited = 0;
    loop {
        let mut port = low + offset;
        let mut i = 0;
        while i < remaining {
            if port >= high {
                port -= remaining;
            }
            visited += 1;
            if !taken.contains(&(port as u16)) {
                return (Some(port as u16), visited, Some(i.max(random_steps * step) + step));
            }
            i += step;
            port += scan_step * step;
        }
        if range.one_pass {
            return (None, visited, None);
        }
        offset += 1;
        if !(offset & 1 == 1 && remaining > 1) {
            return (None, visited, None);
        }
    }
}

fn ranges() -> impl Strategy<Value = Range> {
    (1025_u16..2000, 0_u16..300, any::<bool>()).prop_map(|(low, width, one_pass)| Range {
        low,
        high: low + width,
        one_pass,
    })
}

proptest! {
    #[test]
    fn the_model_is_the_kernel(
        range in ranges(),
        share in 0.0_f64..=1.0,
        seed in any::<u64>(),
        step_width in prop_oneof![Just(0_u32), 0_u32..400],
    ) {
        let mut random = Random::new(seed);
        let mut taken: HashSet<u16> = HashSet::new();
        for port in range.low..=range.high {
            if f64::from(random.below(1000)) < share * 1000.0 {
                taken.insert(port);
            }
        }
        let walk = Walk::new(range, step_width);
        let mut searches = Searches::new(walk, |port| !taken.contains(&port));
        let step = if range.one_pass { 1 } else { 2 };
        let mut table = random.below(walk.pass) * step;
        searches.begin_at(table / step);
        for _ in 0..50 {
            // The model's own random numbers, in its order.
            let mut ahead = random.clone();
            let scan_step = searches.draw_stride(&mut ahead);
            let steps = ahead.below(RANDOM_STEPS);
            let (port, visited, moved) = kernel(range, table, scan_step, steps, &taken);
            let found = searches.search(&mut random);
            prop_assert_eq!(found.visited, visited);
            prop_assert_eq!(found.candidate, port.map(|port| searches.place(port).expect("in the range")));
            prop_assert_eq!(found.second_pass, visited > walk.pass);
            table = table.wrapping_add(moved.unwrap_or(0));
            // Most connections stay, some close.
            if let (Some(place), Some(port)) = (found.candidate, port) {
                if random.below(3) > 0 {
                    searches.take(place);
                    taken.insert(port);
                }
                if random.below(4) == 0 && let Some(gone) = taken.iter().next().copied() {
                    searches.give(searches.place(gone).expect("in the range"));
                    taken.remove(&gone);
                }
            }
        }
    }

    /// Strides as the kernel's own loop draws them.
    #[test]
    fn strides_are_drawn_as_the_kernel_draws_them(range in ranges(), width in 2_u32..400) {
        let walk = Walk::new(range, width);
        prop_assume!(walk.step_width.is_some());
        let range = walk.pass;
        let upper_bound = range.min(width);
        let gcd = |mut a: u32, mut b: u32| { while b != 0 { (a, b) = (b, a % b) } a };
        let mut drawn = std::collections::BTreeMap::new();
        for random in 1..=upper_bound {
            let mut scan_step = random;
            while gcd(scan_step, range) != 1 {
                scan_step += 1;
                if scan_step & 1 == 0 && range & 1 == 0 {
                    scan_step += 1;
                }
                if scan_step > upper_bound {
                    scan_step = 1;
                    break;
                }
            }
            *drawn.entry(scan_step).or_insert(0) += 1;
        }
        prop_assert_eq!(walk.strides(), drawn.into_iter().collect::<Vec<_>>());
    }

    /// Held connections reach the second pass exactly when the model predicts it.
    #[test]
    fn the_cliff_is_where_it_is_told(range in ranges(), seed in any::<u64>(), share in 0.0_f64..=1.0) {
        // A search from the low end, one in as many as there are ports, visits another port of an odd range.
        prop_assume!(range.never_tried() == 0);
        let mut random = Random::new(seed);
        let taken: HashSet<u16> =
            (range.low..=range.high).filter(|_| f64::from(random.below(1000)) < share * 1000.0).collect();
        let mut searches = Searches::new(Walk::new(range, 0), |port| !taken.contains(&port));
        searches.begin_at(random.below(searches.places()));
        let (to_cliff, to_exhaustion) = (searches.to_cliff(), searches.to_exhaustion());
        for number in 0..to_exhaustion {
            let found = searches.search(&mut random);
            prop_assert_eq!(found.second_pass, to_cliff.is_some_and(|to_cliff| number >= to_cliff));
            searches.take(found.candidate.expect("a port is left"));
        }
        prop_assert_eq!(searches.search(&mut random).candidate, None);
    }
}
