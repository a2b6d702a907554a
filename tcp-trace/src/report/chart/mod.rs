// SPDX-License-Identifier: MIT OR Apache-2.0
//! Charts over time as scalable SVG, with axes that keep their size, and the same figures as a table.

pub mod bars;
pub mod heat;
pub mod lines;
pub mod range;

use jiff::Timestamp;
use serde::Serialize;

use super::{column::Column, table::Table};

/// Width of a plot in its own units.
pub const WIDTH: f64 = 1000.0;

/// A chart of the page.
#[derive(Clone, Debug, Serialize)]
pub struct Chart {
    /// Id of its element.
    pub id: String,
    /// Title of the chart.
    pub title: String,
    /// Description in words, for readers who cannot see it.
    pub words: String,
    /// Plots, one above the other, with a common time axis.
    pub plots: Vec<Plot>,
    /// Ticks of the time axis.
    pub x: Vec<Tick>,
    /// Legend of the chart.
    pub legend: Vec<Key>,
    /// The same figures as a table, one row per column of the chart.
    pub table: Table,
}

/// A coordinate system with a drawing.
#[derive(Clone, Debug, Serialize)]
pub struct Plot {
    /// Name of the plot, if there are several.
    pub name: String,
    /// Size: `tall` or `flat`.
    pub size: &'static str,
    /// Height in its own units.
    pub height: f64,
    /// Ticks of the vertical axis.
    pub y: Vec<Tick>,
    /// SVG of numbers and class names only.
    pub body: String,
}

/// A tick on an axis.
#[derive(Clone, Debug, Serialize)]
pub struct Tick {
    /// Position in percent of the axis, from the left or from the top.
    pub at: String,
    /// Label of the tick.
    pub label: String,
}

/// An entry of a legend.
#[derive(Clone, Debug, Serialize)]
pub struct Key {
    /// Class that it is drawn with.
    pub class: String,
    /// Label of the entry.
    pub label: String,
}

impl Tick {
    /// A tick at `share` of the axis, 0 to 1.
    pub fn new(share: f64, label: impl Into<String>) -> Self {
        Self { at: format!("{:.1}", share * 100.0), label: label.into() }
    }
}

/// The time axis of all charts.
#[derive(Clone, Debug)]
pub struct Axis {
    begin: Timestamp,
    end: Timestamp,
}

impl Axis {
    /// An axis from the start of the run to its end.
    pub fn new(begin: Timestamp, end: Timestamp) -> Self {
        Self { begin, end }
    }

    /// Position of a time, in units of a plot's width.
    pub fn x(&self, time: Timestamp) -> f64 {
        let whole = self.end.duration_since(self.begin).as_secs_f64();
        let part = time.duration_since(self.begin).as_secs_f64();
        if whole > 0.0 { (part / whole * WIDTH).clamp(0.0, WIDTH) } else { 0.0 }
    }

    /// Start and end of a column, in units of a plot's width.
    pub fn span(&self, columns: &[Column], index: usize) -> [f64; 2] {
        let from = index.checked_sub(1).map_or(0.0, |before| self.x(columns[before].end));
        [from, self.x(columns[index].end)]
    }

    /// Up to five ticks.
    pub fn ticks(&self) -> Vec<Tick> {
        let whole = self.end.duration_since(self.begin);
        let pattern = if whole.as_secs() < 86_400 { "%H:%M:%S" } else { "%m-%d %H:%M" };
        let tick = |quarter: i32| {
            let time = self.begin.checked_add(whole * quarter / 4).unwrap_or(self.end);
            Tick::new(f64::from(quarter) / 4.0, time.strftime(pattern).to_string())
        };
        // In a run of less than four seconds the quarters would have the same label.
        if whole.as_secs() < 4 { vec![tick(0), tick(4)] } else { (0..=4).map(tick).collect() }
    }
}

/// Formats a time for tables.
pub fn clock(time: Timestamp) -> String {
    time.strftime("%H:%M:%S").to_string()
}
