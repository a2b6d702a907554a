// SPDX-License-Identifier: MIT OR Apache-2.0
//! Distributions of durations and counts: log-linear buckets (H2), exact maximum.

use histogram::Histogram;

/// 32 buckets to a power of two: a quantile is off by 1.6 % at most, as the middle of its bucket stands for all of it.
const GROUPING_POWER: u8 = 5;
/// Values from 2^40 on (18 minutes in ns) count as the last bucket; the maximum stays exact.
const MAX_VALUE_POWER: u8 = 40;

/// What to draw and print of a distribution. The quantiles are `None` while nothing was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// Values recorded.
    pub count: u64,
    /// Median.
    pub p50: Option<u64>,
    /// 90th percentile.
    pub p90: Option<u64>,
    /// 99th percentile.
    pub p99: Option<u64>,
    /// The largest value, exactly.
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
    /// How many.
    pub count: u64,
}

/// Records values.
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
        self.histogram.checked_add_assign(&other.histogram).expect("same buckets, counts of events");
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    pub(super) fn clear(&mut self) {
        self.histogram.reset();
        (self.count, self.min, self.max) = (0, u64::MAX, 0);
    }

    pub(super) fn distribution(&self) -> Distribution {
        if self.count == 0 {
            return Distribution::default();
        }
        let quantile = |share| {
            let bucket = self.histogram.quantile_bucket(share).ok().flatten()?;
            // The last bucket also holds what is beyond it.
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

    proptest! {
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
