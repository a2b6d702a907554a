// SPDX-License-Identifier: MIT OR Apache-2.0
//! Charts over time as SVG that stretches, axes that do not, and the same figures as a table.

pub mod bars;
pub mod heat;
pub mod lines;
pub mod range;

use jiff::Timestamp;
use serde::Serialize;

use super::{column::Column, table::Table};

/// Units of a plot's width.
pub const WIDTH: f64 = 1000.0;

/// A figure.
#[derive(Clone, Debug, Serialize)]
pub struct Chart {
    /// Of its element.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// What there is to see in it, for who cannot.
    pub words: String,
    /// One above the other, with one axis of time.
    pub plots: Vec<Plot>,
    /// Along the axis of time.
    pub x: Vec<Tick>,
    /// What stands for what.
    pub legend: Vec<Key>,
    /// The same as a table; a row a column.
    pub table: Table,
}

/// A coordinate system with something in it.
#[derive(Clone, Debug, Serialize)]
pub struct Plot {
    /// What it is called, where there are several.
    pub name: String,
    /// `tall` or `flat`
    pub size: &'static str,
    /// Units of its height.
    pub height: f64,
    /// Along the other axis.
    pub y: Vec<Tick>,
    /// SVG made of numbers and class names of our own.
    pub body: String,
}

/// A place on an axis.
#[derive(Clone, Debug, Serialize)]
pub struct Tick {
    /// In percent of its length, from the left or from the top.
    pub at: String,
    /// What stands there.
    pub label: String,
}

/// An entry of a legend.
#[derive(Clone, Debug, Serialize)]
pub struct Key {
    /// How it is drawn.
    pub class: String,
    /// What it is.
    pub label: String,
}

impl Tick {
    /// `share` of the axis, 0 to 1.
    pub fn new(share: f64, label: impl Into<String>) -> Self {
        Self { at: format!("{:.1}", share * 100.0), label: label.into() }
    }
}

/// The time that all charts share.
#[derive(Clone, Debug)]
pub struct Axis {
    begin: Timestamp,
    end: Timestamp,
}

impl Axis {
    /// From the beginning of the run to its end.
    pub fn new(begin: Timestamp, end: Timestamp) -> Self {
        Self { begin, end }
    }

    /// Where a moment is, in units of a plot's width.
    pub fn x(&self, time: Timestamp) -> f64 {
        let whole = self.end.duration_since(self.begin).as_secs_f64();
        let part = time.duration_since(self.begin).as_secs_f64();
        if whole > 0.0 { (part / whole * WIDTH).clamp(0.0, WIDTH) } else { 0.0 }
    }

    /// From where to where a column goes.
    pub fn span(&self, columns: &[Column], index: usize) -> [f64; 2] {
        let from = index.checked_sub(1).map_or(0.0, |before| self.x(columns[before].end));
        [from, self.x(columns[index].end)]
    }

    /// Five moments.
    pub fn ticks(&self) -> Vec<Tick> {
        let whole = self.end.duration_since(self.begin);
        let pattern = if whole.as_secs() < 86_400 { "%H:%M:%S" } else { "%m-%d %H:%M" };
        let tick = |quarter: i32| {
            let time = self.begin.checked_add(whole * quarter / 4).unwrap_or(self.end);
            Tick::new(f64::from(quarter) / 4.0, time.strftime(pattern).to_string())
        };
        // Of less than four seconds the quarters would say the same.
        if whole.as_secs() < 4 { vec![tick(0), tick(4)] } else { (0..=4).map(tick).collect() }
    }
}

/// A moment as tables tell it.
pub fn clock(time: Timestamp) -> String {
    time.strftime("%H:%M:%S").to_string()
}
