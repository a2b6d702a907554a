// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tables on the page.

use serde::Serialize;

/// A table with header, rows and notes.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Table {
    /// Caption of the table.
    pub caption: String,
    /// Names of columns; columns of numbers are right-aligned.
    pub head: Vec<Head>,
    /// Rows of the table.
    pub rows: Vec<Row>,
    /// Notes below the table.
    pub notes: Vec<String>,
}

/// Header of a column.
#[derive(Clone, Debug, Serialize)]
pub struct Head {
    /// Name of the column.
    pub name: &'static str,
    /// Whether the column contains numbers.
    pub number: bool,
}

/// A row.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Cells, one per column.
    pub cells: Vec<String>,
    /// Position in its chart, in units of a plot's width.
    pub span: Option<[String; 2]>,
}

impl Table {
    /// A table without rows; names of number columns end in `#`.
    pub fn new(caption: impl Into<String>, heads: &[&'static str]) -> Self {
        let head = |name: &&'static str| match name.strip_suffix('#') {
            Some(name) => Head { name, number: true },
            None => Head { name, number: false },
        };
        Self { caption: caption.into(), head: heads.iter().map(head).collect(), ..Self::default() }
    }

    /// Adds a row.
    pub fn push(&mut self, cells: impl Into<Vec<String>>) {
        self.rows.push(Row { cells: cells.into(), span: None });
    }

    /// Adds a row for a column of a chart.
    pub fn push_at(&mut self, [from, to]: [f64; 2], cells: impl Into<Vec<String>>) {
        self.rows.push(Row { cells: cells.into(), span: Some([format!("{from:.1}"), format!("{to:.1}")]) });
    }

    /// Adds a note below the table.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}
