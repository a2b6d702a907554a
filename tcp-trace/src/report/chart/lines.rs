// SPDX-License-Identifier: MIT OR Apache-2.0
//! Values over time as steps, with gaps for unknown values.

use std::fmt::Write as _;

use super::{Axis, Key, Plot, Tick, WIDTH};
use crate::report::column::Column;

const HEIGHT: f64 = 100.0;

/// Computes a line's value in a column.
type Value<'a> = Box<dyn Fn(&Column) -> Option<f64> + 'a>;

/// A line of a chart.
pub struct Line<'a> {
    /// Label of the line.
    pub label: String,
    /// Value of the line.
    pub value: Value<'a>,
}

/// Draws lines from 0 to the largest value, each in a class of its own: `s1`, `s2`, ...
pub fn plot(axis: &Axis, columns: &[Column], lines: &[Line<'_>], unit: impl Fn(f64) -> String) -> Plot {
    let values = lines.iter().flat_map(|line| columns.iter().filter_map(|column| (line.value)(column)));
    let top = nice(values.fold(0.0, f64::max));
    let y = |value: f64| HEIGHT - value / top * HEIGHT;
    let mut body = String::new();
    for share in [0.25, 0.5, 0.75] {
        let _ = write!(body, r#"<path class="grid" d="M0 {0}H{WIDTH}"/>"#, HEIGHT * share);
    }
    for (index, line) in lines.iter().enumerate() {
        let mut path = String::new();
        let mut drawing = false;
        for (at, column) in columns.iter().enumerate() {
            let [from, to] = axis.span(columns, at);
            match (line.value)(column) {
                Some(value) => {
                    let _ = match drawing {
                        true => write!(path, "V{:.1}H{to:.1}", y(value)),
                        false => write!(path, "M{from:.1} {:.1}H{to:.1}", y(value)),
                    };
                    drawing = true;
                }
                None => drawing = false,
            }
        }
        let _ = write!(body, r#"<path class="line s{}" d="{path}"/>"#, index + 1);
    }
    let tick = |share: f64| Tick::new(1.0 - share, unit(top * share));
    Plot { name: String::new(), size: "tall", height: HEIGHT, y: [0.0, 0.5, 1.0].map(tick).into(), body }
}

/// Legend of the lines.
pub fn legend(lines: &[Line<'_>]) -> Vec<Key> {
    let key = |(index, line): (usize, &Line<'_>)| Key { class: format!("s{}", index + 1), label: line.label.clone() };
    lines.iter().enumerate().map(key).collect()
}

/// The next of 1, 2, 5, 10, ... times a power of ten.
fn nice(most: f64) -> f64 {
    if most <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(most.log10().floor());
    let steps = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0];
    steps.map(|step| step * power).into_iter().find(|top| *top >= most * 0.999_999).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    #[test]
    fn axes_end_at_round_numbers() {
        for (most, top) in [(0.0, 1.0), (1.0, 1.0), (119.0, 200.0), (14_116.0, 20_000.0), (0.3, 0.4)] {
            assert!((super::nice(most) - top).abs() < 1e-9, "{most}");
        }
    }
}
