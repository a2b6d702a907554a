// SPDX-License-Identifier: MIT OR Apache-2.0
//! Distributions of durations and counts: log-linear buckets (H2), exact maximum.

use histogram::Histogram;
// There are 32 buckets per power of two. A quantile is the middle of its bucket, so it is off by at most 1.6 %. Values
// from 2^40 on (18 minutes in ns) count as the last bucket; the maximum stays exact.
use tcp_trace_common::folded::{GROUPING_POWER, MAX_VALUE_POWER};

use crate::model::folded::FoldedPhase;

/// Summary of a distribution. The quantiles are `None` while nothing was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// Number of recorded values.
    pub count: u64,
    /// Median.
    pub p50: Option<u64>,
    /// 90th percentile.
    pub p90: Option<u64>,
    /// 99th percentile.
    pub p99: Option<u64>,
    /// The largest value, exact.
    pub max: Option<u64>,
    /// Power-of-two buckets from the first to the last that holds a value.
    pub buckets: Vec<Bucket>,
}

/// Values from `low` to `high`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// 0, or a power of two.
    pub low: u64,
    /// One less than the next power of two.
    pub high: u64,
    /// Number of values in the bucket.
    pub count: u64,
}

/// Records values of one distribution.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    histogram: Histogram,
    count: u64,
    min: u64,
    max: u64,
}

impl Recorder {
    pub(super) fn new() -> Self {
        let histogram = Histogram::new(GROUPING_POWER, MAX_VALUE_POWER).expect("constants within the crate's limits");
        Self { histogram, count: 0, min: u64::MAX, max: 0 }
    }

    pub(super) fn record(&mut self, value: u64) {
        let fits = value.min((1 << MAX_VALUE_POWER) - 1);
        self.histogram.increment(fits).expect("clamped to the largest value");
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.histogram.checked_add_assign(&other.histogram).expect("same buckets, counts of events");
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Adds values that were recorded in the same buckets elsewhere. Their maximum is known only since the start; if it
    /// is not in the last bucket of the added values, the low end of that bucket is used instead.
    pub(super) fn merge_folded(&mut self, phase: &FoldedPhase) {
        let count: u64 = phase.buckets.iter().sum();
        if count == 0 {
            return;
        }
        let folded = Histogram::from_buckets(GROUPING_POWER, MAX_VALUE_POWER, phase.buckets.clone());
        let folded = folded.expect("as many buckets as the kernel side has");
        let mut filled =
            folded.iter().filter(|bucket| bucket.count() != 0).map(|bucket| (bucket.start(), bucket.end()));
        let first = filled.next().unwrap_or_default();
        let (low, high) = filled.last().unwrap_or(first);
        let within = phase.max >= low && (phase.max <= high || high >= (1 << MAX_VALUE_POWER) - 1);
        let max = if within { phase.max } else { low };
        self.histogram.checked_add_assign(&folded).expect("same buckets, counts of events");
        self.count += count;
        self.min = self.min.min(first.0);
        self.max = self.max.max(max);
    }

    pub(super) fn clear(&mut self) {
        if self.count == 0 {
            return;
        }
        self.histogram.reset();
        (self.count, self.min, self.max) = (0, u64::MAX, 0);
    }

    pub(super) fn distribution(&self) -> Distribution {
        if self.count == 0 {
            return Distribution::default();
        }
        let quantile = |share| {
            let bucket = self.histogram.quantile_bucket(share).ok().flatten()?;
            // The last bucket also contains all larger values.
            let middle = if bucket.end() >= (1 << MAX_VALUE_POWER) - 1 {
                self.max
            } else {
                bucket.start() + (bucket.end() - bucket.start()) / 2
            };
            Some(middle.clamp(self.min, self.max))
        };
        Distribution {
            count: self.count,
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            max: Some(self.max),
            buckets: self.buckets(),
        }
    }

    fn buckets(&self) -> Vec<Bucket> {
        let mut powers = [0_u64; MAX_VALUE_POWER as usize + 1];
        for bucket in self.histogram.iter().filter(|bucket| bucket.count() != 0) {
            powers[(u64::BITS - bucket.start().leading_zeros()) as usize] += bucket.count();
        }
        let first = powers.iter().position(|count| *count != 0);
        let last = powers.iter().rposition(|count| *count != 0);
        let (Some(first), Some(last)) = (first, last) else { return Vec::new() };
        let low = |power: usize| if power == 0 { 0 } else { 1 << (power - 1) };
        (first..=last).map(|power| Bucket { low: low(power), high: (1 << power) - 1, count: powers[power] }).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn recorded(values: &[u64]) -> Recorder {
        let mut recorder = Recorder::new();
        values.iter().for_each(|value| recorder.record(*value));
        recorder
    }

    #[test]
    fn nothing_recorded_is_not_zero() {
        assert_eq!(Recorder::new().distribution(), Distribution::default());
        assert_eq!(Distribution::default().p50, None);
    }

    #[test]
    fn one_value_is_exact() {
        let distribution = recorded(&[2_673_123]).distribution();
        assert_eq!((distribution.p50, distribution.p99), (Some(2_673_123), Some(2_673_123)));
        assert_eq!(distribution.buckets, [Bucket { low: 2_097_152, high: 4_194_303, count: 1 }]);
    }

    #[test]
    fn absurd_values_are_counted() {
        let distribution = recorded(&[0, u64::MAX]).distribution();
        assert_eq!((distribution.count, distribution.max), (2, Some(u64::MAX)));
        assert_eq!(distribution.p99, Some(u64::MAX));
        assert_eq!(distribution.buckets.len(), 41);
    }

    fn folded(values: &[u64], max: u64) -> FoldedPhase {
        let mut buckets = vec![0; tcp_trace_common::folded::BUCKETS];
        values.iter().for_each(|value| buckets[tcp_trace_common::folded::bucket(*value)] += 1);
        FoldedPhase { buckets, max }
    }

    #[test]
    fn the_largest_of_before_is_not_the_largest_of_now() {
        let mut recorder = Recorder::new();
        recorder.merge_folded(&folded(&[1_000, 5_000], 1 << 30));
        assert_eq!((recorder.distribution().count, recorder.distribution().max), (2, Some(4_992)));
        recorder.merge_folded(&FoldedPhase::default());
        assert_eq!(recorder.distribution().count, 2);
    }

    proptest! {
        #[test]
        fn folding_is_recording(a in prop::collection::vec(any::<u64>(), 0..50),
                                b in prop::collection::vec(0..1_u64 << 39, 1..50)) {
            let mut merged = recorded(&a);
            merged.merge_folded(&folded(&b, b.iter().copied().max().unwrap_or(0)));
            let (merged, both) = (merged.distribution(), recorded(&[a, b].concat()).distribution());
            prop_assert_eq!(&merged.buckets, &both.buckets);
            prop_assert_eq!((merged.count, merged.max), (both.count, both.max));
            // Quantiles are kept within the least value, which is known less exactly.
            for (merged, both) in [(merged.p50, both.p50), (merged.p99, both.p99)] {
                let (merged, both) = (merged.unwrap() as f64, both.unwrap() as f64);
                prop_assert!((merged - both).abs() <= both * 0.03, "{merged} is not {both}");
            }
        }

        #[test]
        fn quantiles_are_close(mut values in prop::collection::vec(0..1_u64 << 38, 1..400)) {
            let distribution = recorded(&values).distribution();
            values.sort_unstable();
            for (quantile, share) in [(distribution.p50, 0.5), (distribution.p90, 0.9), (distribution.p99, 0.99)] {
                let rank = ((values.len() as f64 * share).ceil() as usize).clamp(1, values.len());
                let (exact, got) = (values[rank - 1] as f64, quantile.unwrap() as f64);
                prop_assert!((got - exact).abs() <= exact * 0.03, "{got} is not {exact}");
            }
            prop_assert_eq!(distribution.max, values.last().copied());
            prop_assert_eq!(distribution.buckets.iter().map(|bucket| bucket.count).sum::<u64>(), distribution.count);
            for bucket in &distribution.buckets {
                let inside = values.iter().filter(|value| (bucket.low..=bucket.high).contains(value)).count();
                prop_assert_eq!(inside as u64, bucket.count);
            }
        }

        #[test]
        fn merging_is_recording(a in prop::collection::vec(any::<u64>(), 0..50),
                                b in prop::collection::vec(any::<u64>(), 0..50)) {
            let mut merged = recorded(&a);
            merged.merge(&recorded(&b));
            prop_assert_eq!(merged.distribution(), recorded(&[a, b].concat()).distribution());
        }
    }
}
