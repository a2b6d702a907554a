// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events as Parquet, one file per signal, readable by DuckDB, ClickHouse and pandas.

use std::{
    collections::BTreeMap,
    fs::DirBuilder,
    io,
    net::{IpAddr, Ipv6Addr},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use parquet::{
    basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel},
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type},
    errors::ParquetError,
    file::{
        properties::{WriterProperties, WriterPropertiesPtr},
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::types::{Type, TypePtr},
};

use super::{
    column::{Column, Kind},
    events::Events,
    table::Table,
};
use crate::{
    exit::Failure,
    export::whole_file::WholeFile,
    stream::{Consumer, Message, Written},
};

/// Rows per row group: enough to compress well, few enough for memory.
const GROUP: u32 = 1 << 16;

/// Consumes messages and writes their events.
pub struct ParquetWriter {
    folder: PathBuf,
    properties: WriterPropertiesPtr,
    events: Events,
    files: BTreeMap<&'static str, SerializedFileWriter<WholeFile>>,
    rows: u64,
}

impl ParquetWriter {
    /// Writes into a folder, which is created if missing.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create(folder: &Path) -> Result<Self, Failure> {
        let made = if folder.is_dir() { Ok(()) } else { DirBuilder::new().mode(0o700).recursive(true).create(folder) };
        made.map_err(|source| Failure::Output { to: folder.display().to_string(), source })?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(concat!("tcp-trace ", env!("CARGO_PKG_VERSION")).into());
        Ok(Self {
            folder: folder.to_owned(),
            properties: Arc::new(properties.build()),
            events: Events::default(),
            files: BTreeMap::new(),
            rows: 0,
        })
    }

    /// Number of written events.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    fn put(&mut self) -> Result<(), Failure> {
        let events = std::mem::take(&mut self.events);
        self.rows += u64::from(events.count());
        for (name, table) in events.tables() {
            let path = self.folder.join(format!("{name}.parquet"));
            if !self.files.contains_key(name) {
                let schema = schema(name, table).map_err(|error| broken(&path, error))?;
                let file = SerializedFileWriter::new(WholeFile::create(&path)?, schema, Arc::clone(&self.properties));
                self.files.insert(name, file.map_err(|error| broken(&path, error))?);
            }
            let file = self.files.get_mut(name).expect("it was just made");
            group(name, file, table).map_err(|error| broken(&path, error))?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.put()?;
        for (name, file) in std::mem::take(&mut self.files) {
            let path = self.folder.join(format!("{name}.parquet"));
            file.into_inner().map_err(|error| broken(&path, error))?.keep()?;
        }
        Ok(())
    }
}

impl Consumer for ParquetWriter {
    fn consume(&mut self, message: Message<'_>) -> Result<(), Failure> {
        match message {
            Message::Event(event) => {
                self.events.push(event);
                if self.events.count() >= GROUP { self.put() } else { Ok(()) }
            }
            Message::End(_) => self.finish(),
            _ => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<Written, Failure> {
        Ok(Written::Yes)
    }
}

fn broken(path: &Path, error: ParquetError) -> Failure {
    Failure::Output { to: path.display().to_string(), source: io::Error::other(error) }
}

/// The schema of a table; every column is optional.
fn schema(name: &str, table: &Table) -> Result<TypePtr, ParquetError> {
    let field = |column: &Column| {
        let (physical, logical) = types(column.kind());
        let name = column_name(column);
        let field = Type::primitive_type_builder(&name, physical);
        field.with_repetition(Repetition::OPTIONAL).with_logical_type(logical).build().map(Arc::new)
    };
    let fields = table.columns().iter().map(field).collect::<Result<_, _>>()?;
    Type::group_type_builder(name).with_fields(fields).build().map(Arc::new)
}

/// Replaces the dot: `range.low` would need quotes in every query.
fn column_name(column: &Column) -> String {
    column.name().replace('.', "_")
}

fn types(kind: Kind) -> (Physical, Option<LogicalType>) {
    match kind {
        Kind::U8 => (Physical::INT32, Some(LogicalType::integer(8, false))),
        Kind::U16 => (Physical::INT32, Some(LogicalType::integer(16, false))),
        Kind::U32 => (Physical::INT32, Some(LogicalType::integer(32, false))),
        Kind::U64 => (Physical::INT64, Some(LogicalType::integer(64, false))),
        Kind::I64 => (Physical::INT64, None),
        Kind::Bool => (Physical::BOOLEAN, None),
        Kind::Timestamp => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::NANOS))),
        Kind::F64 => (Physical::DOUBLE, None),
        Kind::Text | Kind::Address => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Bytes => (Physical::BYTE_ARRAY, None),
    }
}

fn group(name: &str, file: &mut SerializedFileWriter<WholeFile>, table: &Table) -> Result<(), ParquetError> {
    let mut group = file.next_row_group()?;
    for column in table.columns() {
        let Some(mut to) = group.next_column()? else { break };
        match column.kind() {
            Kind::U8 | Kind::U16 | Kind::U32 => put::<Int32Type>(&mut to, column, |value| Some(value as u32 as i32))?,
            Kind::U64 | Kind::I64 | Kind::Timestamp => put::<Int64Type>(&mut to, column, |value| Some(value as i64))?,
            Kind::Bool => put::<BoolType>(&mut to, column, |value| Some(value == 1))?,
            Kind::F64 => put::<DoubleType>(&mut to, column, |bits| Some(f64::from_bits(bits)))?,
            Kind::Text | Kind::Bytes | Kind::Address => {
                // A local address that was never chosen is all zeros; elsewhere that means any address.
                let may_be_unchosen = column.name() == "saddr" && matches!(name, "connect" | "state");
                let is_known = |entry: &&[u8]| !may_be_unchosen || entry.iter().any(|byte| *byte != 0);
                let word = |entry| Some(entry).filter(is_known).map(|entry| word(column.kind(), entry));
                let words: Vec<Option<ByteArray>> = column.dictionary().map(word).collect();
                put::<ByteArrayType>(&mut to, column, |place| words[place as usize].clone())?;
            }
        }
        to.close()?;
    }
    group.close().map(drop)
}

fn word(kind: Kind, entry: &[u8]) -> ByteArray {
    let v4 = || <[u8; 4]>::try_from(entry).map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(entry).map(|octets| IpAddr::from(Ipv6Addr::from(octets)));
    match (kind, v4().or_else(|_| v6())) {
        (Kind::Address, Ok(address)) => ByteArray::from(address.to_string().as_str()),
        _ => ByteArray::from(entry.to_vec()),
    }
}

fn put<T: DataType>(
    to: &mut SerializedColumnWriter<'_>,
    column: &Column,
    value: impl Fn(u64) -> Option<T::T>,
) -> Result<(), ParquetError> {
    let mut values = Vec::new();
    let mut known: Vec<i16> = Vec::new();
    for cell in column.cells().map(|cell| cell.and_then(&value)) {
        known.push(cell.is_some().into());
        values.extend(cell);
    }
    to.typed::<T>().write_batch(&values, Some(&known), None).map(drop)
}

#[cfg(test)]
mod tests;
