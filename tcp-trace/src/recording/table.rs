// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rows of one type as columns. The values of a missing column are unknown, and an unknown column is skipped, so that
//! recordings of other versions can be read.

use std::fmt;

use super::{
    bytes::{Bytes, Malformed, put_name},
    cells::Cells,
    column::{self, Column, Kind},
};

/// Name of a column: the name of a field, after those of the structures that contain it.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    name: &'a str,
}

impl Path<'_> {
    const ROOT: Self = Path { parent: None, name: "" };

    /// The path of a field; without a name, its own fields belong to the parent.
    pub fn child<'b>(&'b self, name: &'b str) -> Path<'b> {
        if name.is_empty() { *self } else { Path { parent: Some(self), name } }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parent {
            Some(parent) if !parent.name.is_empty() => write!(f, "{parent}.{}", self.name),
            _ => f.write_str(self.name),
        }
    }
}

/// A table that is being filled, row by row.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: u32,
    columns: Vec<Column>,
    /// Number of bytes in dictionaries.
    held: usize,
    /// Column of the next cell: each row has the same ones in the same order.
    cursor: usize,
}

impl Table {
    /// A table of these rows.
    pub fn of<'r, R: Cells + 'r>(rows: impl IntoIterator<Item = &'r R>) -> Self {
        let mut table = Self::default();
        rows.into_iter().for_each(|row| table.push(row));
        table
    }

    /// Adds a row.
    pub fn push(&mut self, row: &impl Cells) {
        self.cursor = 0;
        row.put(Path::ROOT, self);
        self.rows += 1;
    }

    /// Columns of the table.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Number of rows.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Number of bytes in its dictionaries.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Appends the encoded table.
    pub fn encode(&self, name: &str, to: &mut Vec<u8>) {
        put_name(to, name);
        to.extend(self.rows.to_le_bytes());
        to.extend((self.columns.len() as u16).to_le_bytes());
        for column in &self.columns {
            column.encode(to);
        }
    }

    pub(super) fn cell(&mut self, path: Path<'_>, kind: Kind, value: Option<u64>) {
        self.column(path, kind).push(value);
    }

    pub(super) fn bytes(&mut self, path: Path<'_>, kind: Kind, bytes: Option<&[u8]>) {
        self.held += self.column(path, kind).push_bytes(bytes);
    }

    fn column(&mut self, path: Path<'_>, kind: Kind) -> &mut Column {
        let place = self.cursor;
        self.cursor += 1;
        if place == self.columns.len() {
            self.columns.push(Column::new(path.to_string(), kind));
        }
        &mut self.columns[place]
    }
}

/// A table that was read.
#[derive(Debug)]
pub struct Read<'a> {
    /// Name in the file.
    pub name: &'a str,
    rows: usize,
    columns: Vec<column::Read<'a>>,
    /// Column of each cell of a row; `None`: missing in the file.
    plan: Vec<Option<usize>>,
    cursor: usize,
}

impl<'a> Read<'a> {
    /// Parses the next table, of at most `most` rows.
    ///
    /// # Errors
    /// When there is no valid table.
    pub fn parse(bytes: &mut Bytes<'a>, most: usize) -> Result<Self, Malformed> {
        let name = bytes.name()?;
        let rows = bytes.u32()? as usize;
        if rows > most {
            return Err(Malformed::new(format!("table {name}: {rows} rows; at most {most} are ever written")));
        }
        let mut columns = Vec::new();
        for _ in 0..bytes.u16()? {
            columns.extend(column::Read::parse(bytes, rows)?);
        }
        Ok(Self { name, rows, columns, plan: Vec::new(), cursor: 0 })
    }

    /// Number of remaining rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Its columns, before any row was read.
    pub fn into_columns(self) -> Vec<column::Read<'a>> {
        self.columns
    }

    /// The next row.
    ///
    /// # Errors
    /// When there is none, or it has other columns.
    pub fn row<R: Cells>(&mut self) -> Result<R, Malformed> {
        self.rows =
            self.rows.checked_sub(1).ok_or_else(|| Malformed::new(format!("table {}: a row short", self.name)))?;
        self.cursor = 0;
        R::take(Path::ROOT, self).map_err(|error| Malformed::new(format!("table {}: {error}", self.name)))
    }

    /// All remaining rows.
    ///
    /// # Errors
    /// See [`row`](Self::row).
    pub fn all<R: Cells>(&mut self) -> Result<Vec<R>, Malformed> {
        (0..self.rows).map(|_| self.row()).collect()
    }

    /// The column of the next cell; `None`: missing in the file.
    pub(super) fn column(
        &mut self,
        path: Path<'_>,
        fits: impl Fn(Kind) -> bool,
    ) -> Result<Option<&mut column::Read<'a>>, Malformed> {
        let place = self.cursor;
        self.cursor += 1;
        if place == self.plan.len() {
            let name = path.to_string();
            let found = self.columns.iter().position(|column| column.name == name);
            if let Some(found) = found
                && (!fits(self.columns[found].kind) || self.plan.contains(&Some(found)))
            {
                return Err(Malformed::new(format!(
                    "column {name}: {:?} is not what it should hold",
                    self.columns[found].kind
                )));
            }
            self.plan.push(found);
        }
        Ok(self.plan[place].map(|found| &mut self.columns[found]))
    }
}
