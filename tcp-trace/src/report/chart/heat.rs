// SPDX-License-Identifier: MIT OR Apache-2.0
//! A distribution over time: one row per power of two, darker for more.

use std::fmt::Write as _;

use super::{Axis, Key, Plot, Tick};
use crate::{
    aggregate::{distribution::Bucket, words::grouped},
    report::column::{Column, Spread},
};

/// Number of shades, the faintest first: classes `h1` to `h6`.
pub const SHADES: usize = 6;

/// Draws one distribution of each column; `None`: there are no values.
pub fn plot<'a>(
    axis: &Axis,
    columns: &'a [Column],
    of: impl Fn(&'a Column) -> &'a Spread,
    unit: impl Fn(u64) -> String,
) -> Option<(Plot, Vec<Key>)> {
    let filled = || columns.iter().flat_map(|column| &of(column).buckets).filter(|bucket| bucket.count > 0);
    let (first, last) = (filled().map(row).min()?, filled().map(row).max()?);
    let most = filled().map(|bucket| bucket.count).max()?;
    let rows = last - first + 1;
    let mut paths = [const { String::new() }; SHADES];
    for (at, column) in columns.iter().enumerate() {
        let [from, to] = axis.span(columns, at);
        for bucket in of(column).buckets.iter().filter(|bucket| bucket.count > 0) {
            let path = &mut paths[shade(bucket.count, most) - 1];
            let _ = write!(path, "M{from:.1} {}H{to:.1}v1H{from:.1}z", last - row(bucket));
        }
    }
    let mut body = String::new();
    for (index, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
        let _ = write!(body, r#"<path class="heat h{}" d="{path}"/>"#, index + 1);
    }
    let plot = Plot { name: String::new(), size: "tall", height: f64::from(rows), y: ticks(first, last, unit), body };
    Some((plot, legend(most)))
}

/// Row of a bucket: 0 for 0, 1 for 1, 2 for 2 and 3, ...
fn row(bucket: &Bucket) -> u32 {
    u64::BITS - bucket.low.leading_zeros()
}

/// Shade of a count, on a logarithmic scale, because one slow connect beside a thousand must be visible.
fn shade(count: u64, most: u64) -> usize {
    let share = (count as f64).ln_1p() / (most as f64).ln_1p();
    ((share * SHADES as f64).ceil() as usize).clamp(1, SHADES)
}

/// Ticks at powers of ten, or at both ends if there is none between them.
fn ticks(first: u32, last: u32, unit: impl Fn(u64) -> String) -> Vec<Tick> {
    let height = f64::from(last - first + 1);
    // The row of value v begins at its bottom with the power of two that v has reached.
    let place = |value: u64| 1.0 - ((value as f64).log2() + 1.0 - f64::from(first)) / height;
    let tens = (0..19).map(|power| 10_u64.pow(power));
    let within: Vec<_> = tens.filter(|value| (0.0..=1.0).contains(&place(*value))).collect();
    // More than four ticks would touch.
    let every = within.len().div_ceil(4).max(1);
    let mut ticks: Vec<_> =
        within.iter().rev().step_by(every).map(|value| Tick::new(place(*value), unit(*value))).collect();
    if ticks.is_empty() {
        let low = if first == 0 { 0 } else { 1 << (first - 1) };
        ticks.push(Tick::new(1.0, unit(low)));
    }
    ticks
}

fn legend(most: u64) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    let mut from = 1_u64;
    for level in 1..=SHADES {
        // The largest count of this shade.
        let to = (((most as f64).ln_1p() * level as f64 / SHADES as f64).exp_m1() + 1e-6).floor() as u64;
        if to < from {
            continue;
        }
        let to = if level == SHADES { most } else { to };
        let label = if from == to { grouped(from) } else { format!("{}-{}", grouped(from), grouped(to)) };
        keys.push(Key { class: format!("heat h{level}"), label });
        from = to + 1;
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_legend_says_what_the_shades_mean() {
        for most in [1, 2, 7, 1_000] {
            let keys = legend(most);
            let covered: u64 = keys
                .iter()
                .map(|key| {
                    let label = key.label.replace(',', "");
                    let (from, to) = label.split_once('-').unwrap_or((&label, &label));
                    let (from, to): (u64, u64) = (from.parse().expect("a number"), to.parse().expect("a number"));
                    for count in [from, to] {
                        assert_eq!(key.class, format!("heat h{}", shade(count, most)), "{count} of {most}");
                    }
                    to - from + 1
                })
                .sum();
            assert_eq!(covered, most);
        }
    }

    #[test]
    fn ticks_are_where_their_values_are() {
        let at = |ticks: &[Tick]| ticks.iter().map(|tick| (tick.label.clone(), tick.at.clone())).collect::<Vec<_>>();
        // Rows of 1, 2-3, 4-7: 1 begins at the bottom.
        assert_eq!(at(&ticks(1, 3, |value| value.to_string())), [("1".into(), "100.0".into())]);
        assert_eq!(ticks(8, 9, |value| value.to_string())[0].label, "128");
    }
}
