// SPDX-License-Identifier: MIT OR Apache-2.0
//! Values as cells: what is one column, what is several, and how each is read again.

mod connects;
mod events;
mod sockets;
mod totals;
mod values;

pub use events::EventTable;
use tcp_trace_common::state::RawInState;

use super::{
    bytes::Malformed,
    table::{Path, Read, Table},
};

/// One or several columns.
pub trait Cells: Sized {
    /// Adds its cells to a row.
    fn put(&self, path: Path<'_>, to: &mut Table);

    /// Reads them again, in the same order.
    ///
    /// # Errors
    /// When they are not there, or not of this type.
    fn take(path: Path<'_>, from: &mut Read<'_>) -> Result<Self, Malformed>;
}

/// One column.
trait Value: Sized {
    /// Adds the cell; `None`: not known.
    fn write(value: Option<&Self>, path: Path<'_>, to: &mut Table);

    /// Reads it again; `None`: not known, or never written.
    fn read(path: Path<'_>, from: &mut Read<'_>) -> Result<Option<Self>, Malformed>;
}

impl<T: Value> Cells for T {
    fn put(&self, path: Path<'_>, to: &mut Table) {
        T::write(Some(self), path, to);
    }

    fn take(path: Path<'_>, from: &mut Read<'_>) -> Result<Self, Malformed> {
        T::read(path, from)?.ok_or_else(|| Malformed::new(format!("column {path}: a value is missing")))
    }
}

impl<T: Value> Cells for Option<T> {
    fn put(&self, path: Path<'_>, to: &mut Table) {
        T::write(self.as_ref(), path, to);
    }

    fn take(path: Path<'_>, from: &mut Read<'_>) -> Result<Self, Malformed> {
        T::read(path, from)
    }
}

/// What belongs to a key.
impl<K: Cells, V: Cells> Cells for (K, V) {
    fn put(&self, path: Path<'_>, to: &mut Table) {
        self.0.put(path.child("key"), to);
        self.1.put(path, to);
    }

    fn take(path: Path<'_>, from: &mut Read<'_>) -> Result<Self, Malformed> {
        Ok((K::take(path.child("key"), from)?, V::take(path, from)?))
    }
}

/// One column an entry.
macro_rules! arrays {
    ($($type:ty),*) => {$(
        impl<const N: usize> Cells for [$type; N] {
            fn put(&self, path: Path<'_>, to: &mut Table) {
                for (index, value) in INDICES.iter().zip(self) {
                    value.put(path.child(index), to);
                }
            }

            fn take(path: Path<'_>, from: &mut Read<'_>) -> Result<Self, Malformed> {
                let mut values = [<$type>::default(); N];
                for (index, value) in INDICES.iter().zip(&mut values) {
                    *value = Cells::take(path.child(index), from)?;
                }
                Ok(values)
            }
        }
    )*};
}
arrays!(u64, RawInState);

/// No array in a recording is longer.
const INDICES: [&str; 32] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20",
    "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31",
];

/// A struct as the cells of its fields. Each column has a name of its own, since names are part of the
/// format: a field may be renamed, a column may not. `""`: the columns of this field are named as they are. `or`: the value
/// for recordings that lack the column. tests/golden/columns.txt has all names.
macro_rules! cells {
    ($type:ty { $($column:literal = $field:ident $(or $absent:literal)?),* $(,)? } $(pad $pad:ident = $value:expr)?) => {
        impl $crate::recording::cells::Cells for $type {
            fn put(&self, path: $crate::recording::table::Path<'_>, to: &mut $crate::recording::table::Table) {
                let Self { $($field,)* $($pad: _)? } = self;
                $($crate::recording::cells::Cells::put($field, path.child($column), to);)*
            }

            fn take(
                path: $crate::recording::table::Path<'_>,
                from: &mut $crate::recording::table::Read<'_>,
            ) -> Result<Self, $crate::recording::bytes::Malformed> {
                Ok(Self {
                    $($field: cells!(@take path.child($column), from $(, $absent)?),)*
                    $($pad: $value,)?
                })
            }
        }
    };
    (@take $path:expr, $from:ident) => { $crate::recording::cells::Cells::take($path, $from)? };
    (@take $path:expr, $from:ident, $absent:literal) => {
        $crate::recording::cells::Value::read($path, $from)?.unwrap_or($absent)
    };
}
use cells;

/// An enum as words. They are part of the format: a name of the domain may change, one of these may not.
macro_rules! words {
    ($type:ty { $($word:literal = $variant:expr),* $(,)? }) => {
        impl $crate::recording::cells::Value for $type {
            fn write(value: Option<&Self>, path: $crate::recording::table::Path<'_>, to: &mut $crate::recording::table::Table) {
                let words = [$(($variant, $word)),*];
                let word = value.and_then(|value| words.iter().find(|(variant, _)| variant == value));
                let kind = $crate::recording::column::Kind::Text;
                to.bytes(path, kind, word.map(|(_, word)| word.as_bytes()));
            }

            fn read(
                path: $crate::recording::table::Path<'_>,
                from: &mut $crate::recording::table::Read<'_>,
            ) -> Result<Option<Self>, $crate::recording::bytes::Malformed> {
                let words = [$(($variant, $word)),*];
                let column = from.column(path, |kind| kind == $crate::recording::column::Kind::Text)?;
                let Some(written) = column.map(|column| column.bytes()).transpose()?.flatten() else { return Ok(None) };
                let found = words.into_iter().find(|(_, word)| word.as_bytes() == written).map(|(variant, _)| variant);
                found.map(Some).ok_or_else(|| {
                    let word = String::from_utf8_lossy(written);
                    $crate::recording::bytes::Malformed::new(format!("column {path}: {word:?} is unknown to this version"))
                })
            }
        }
    };
}
use words;
