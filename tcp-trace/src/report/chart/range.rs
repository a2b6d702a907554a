// SPDX-License-Identifier: MIT OR Apache-2.0
//! The range over time: a row of cells for each half, low ports at the bottom, which shows a half filling up.

use std::fmt::Write as _;

use super::{Axis, Key, Plot, Tick};
use crate::{
    aggregate::ports::{Route, range::Range},
    report::column::{CELLS, Column, Fill},
};

/// The fill of a range in a column.
pub fn fill(column: &Column, route: Route, range: Range) -> Option<&Fill> {
    column.ranges.iter().find(|fill| fill.route == route && fill.range == range)
}

/// A plot for each half, the one that is searched first on top.
pub fn plots(axis: &Axis, columns: &[Column], route: Route, range: Range) -> Vec<Plot> {
    let halves = if range.one_pass { &[0][..] } else { &[0, 1] };
    let name = |half: usize| if half == 0 { range.first_parity() } else { range.second_parity() };
    let plot = |half: &usize| Plot {
        name: name(*half).into(),
        size: "flat",
        height: CELLS as f64,
        y: vec![Tick::new(0.0, range.high.to_string()), Tick::new(1.0, range.low.to_string())],
        body: body(axis, columns, route, range, *half),
    };
    halves.iter().map(plot).collect()
}

fn body(axis: &Axis, columns: &[Column], route: Route, range: Range, half: usize) -> String {
    let mut paths = [const { String::new() }; 6];
    let mut unknown = String::new();
    for (at, column) in columns.iter().enumerate() {
        let [from, to] = axis.span(columns, at);
        let Some(fill) = fill(column, route, range) else {
            let _ = write!(unknown, "M{from:.1} 0H{to:.1}v{CELLS}H{from:.1}z");
            continue;
        };
        let mut cell = 0;
        while cell < CELLS {
            let shade = shade(fill.cells[half][cell]);
            let run = fill.cells[half][cell..].iter().take_while(|share| self::shade(**share) == shade).count();
            if shade > 0 {
                let _ = write!(paths[shade - 1], "M{from:.1} {}H{to:.1}v{run}H{from:.1}z", CELLS - cell - run);
            }
            cell += run;
        }
    }
    let shades = paths.iter().enumerate().map(|(index, path)| (format!("heat h{}", index + 1), path));
    let drawn = std::iter::once(("unknown".into(), &unknown)).chain(shades).filter(|(_, path)| !path.is_empty());
    drawn.fold(String::new(), |mut body, (class, path)| {
        let _ = write!(body, r#"<path class="{class}" d="{path}"/>"#);
        body
    })
}

/// Shade of a cell: 0: none taken; 6: all taken.
fn shade(share: u8) -> usize {
    match share {
        0 => 0,
        255 => 6,
        share => 1 + usize::from(share) * 5 / 255,
    }
}

/// Legend of the shades.
pub fn legend() -> Vec<Key> {
    let labels = ["some taken", "a fifth", "two fifths", "three fifths", "four fifths", "all taken"];
    let key = |(index, label): (usize, &str)| Key { class: format!("heat h{}", index + 1), label: label.into() };
    let unknown = Key { class: "unknown".into(), label: "unknown".into() };
    labels.into_iter().enumerate().map(key).chain([unknown]).collect()
}
