// SPDX-License-Identifier: MIT OR Apache-2.0
//! A run over time in bounded memory: when there are too many columns, each two become one.

use super::column::Column;

/// Columns kept at most; half as many at least, once there were so many.
pub const COLUMNS: usize = 120;

/// Columns of about equal length, and the one that is being filled.
#[derive(Clone, Debug)]
pub struct Series {
    columns: Vec<Column>,
    /// Intervals that make a column.
    width: u32,
    growing: Option<Column>,
    /// Intervals in it.
    grown: u32,
}

impl Default for Series {
    fn default() -> Self {
        Self { columns: Vec::new(), width: 1, growing: None, grown: 0 }
    }
}

impl Series {
    /// Takes an interval.
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

    /// Takes what is left of an interval: too short to stand for itself.
    pub fn append(&mut self, rest: Column) {
        let last = self.growing.take().or_else(|| self.columns.pop());
        let whole = match last {
            Some(last) => last.with(rest),
            None => rest,
        };
        self.columns.push(whole);
    }

    /// Every column, the last one as far as it has come.
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
