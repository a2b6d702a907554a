// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tables as the page has them.

use serde::Serialize;

/// Heads, rows, and what is to be known of them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Table {
    /// What it is about.
    pub caption: String,
    /// Names of columns; those of numbers are set to the right.
    pub head: Vec<Head>,
    /// Cells in words.
    pub rows: Vec<Row>,
    /// Below it.
    pub notes: Vec<String>,
}

/// A column's name.
#[derive(Clone, Debug, Serialize)]
pub struct Head {
    /// Name.
    pub name: &'static str,
    /// Of numbers.
    pub number: bool,
}

/// A row.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// As many as heads.
    pub cells: Vec<String>,
    /// Where it is in its chart, in units of a plot's width.
    pub span: Option<[String; 2]>,
}

impl Table {
    /// Without rows: names of columns, of numbers if they end in `#`.
    pub fn new(caption: impl Into<String>, heads: &[&'static str]) -> Self {
        let head = |name: &&'static str| match name.strip_suffix('#') {
            Some(name) => Head { name, number: true },
            None => Head { name, number: false },
        };
        Self { caption: caption.into(), head: heads.iter().map(head).collect(), ..Self::default() }
    }

    /// One more row.
    pub fn push(&mut self, cells: impl Into<Vec<String>>) {
        self.rows.push(Row { cells: cells.into(), span: None });
    }

    /// One more row, of a column of a chart.
    pub fn push_at(&mut self, [from, to]: [f64; 2], cells: impl Into<Vec<String>>) {
        self.rows.push(Row { cells: cells.into(), span: Some([format!("{from:.1}"), format!("{to:.1}")]) });
    }

    /// With a word below.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}
