// SPDX-License-Identifier: MIT OR Apache-2.0
//! A run over time in bounded memory: when there are too many columns, neighbours are merged in pairs.

use super::column::Column;

/// Upper limit of columns; after the first merge there are at least half as many.
pub const COLUMNS: usize = 120;

/// Columns of about equal length, and the one that is being filled.
#[derive(Clone, Debug)]
pub struct Series {
    columns: Vec<Column>,
    /// Number of intervals per column.
    width: u32,
    growing: Option<Column>,
    /// Number of intervals in the last column.
    grown: u32,
}

impl Default for Series {
    fn default() -> Self {
        Self { columns: Vec::new(), width: 1, growing: None, grown: 0 }
    }
}

impl Series {
    /// Adds an interval.
    pub fn push(&mut self, column: Column) {
        self.growing = Some(match self.growing.take() {
            Some(growing) => growing.with(column),
            None => column,
        });
        self.grown += 1;
        if self.grown < self.width {
            return;
        }
        self.columns.extend(self.growing.take());
        self.grown = 0;
        if self.columns.len() == COLUMNS {
            self.halve();
        }
    }

    /// Adds the rest of an interval, which is too short for a column of its own.
    pub fn append(&mut self, rest: Column) {
        let last = self.growing.take().or_else(|| self.columns.pop());
        let whole = match last {
            Some(last) => last.with(rest),
            None => rest,
        };
        self.columns.push(whole);
    }

    /// Returns all columns, including the unfinished last one.
    pub fn finish(mut self) -> Vec<Column> {
        self.columns.extend(self.growing);
        self.columns
    }

    fn halve(&mut self) {
        let mut all = std::mem::take(&mut self.columns).into_iter();
        while let Some(first) = all.next() {
            self.columns.push(match all.next() {
                Some(second) => first.with(second),
                None => first,
            });
        }
        self.width *= 2;
    }
}
