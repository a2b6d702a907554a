// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is one column: numbers, times, addresses, names.

use std::{
    net::IpAddr,
    num::{NonZeroU32, NonZeroU64},
};

use jiff::Timestamp;
use tcp_trace_common::{Address, COMM_LEN};

use super::{
    super::{
        bytes::Malformed,
        column::Kind,
        table::{Path, Read, Table},
    },
    Value,
};
use crate::{event::Comm, outside::Text};

/// A value that 64 bits hold.
macro_rules! number {
    ($($type:ty: $kind:pat = $written:expr, $to:expr, $from:expr;)*) => {$(
        impl Value for $type {
            fn write(value: Option<&Self>, path: Path<'_>, to: &mut Table) {
                to.cell(path, $written, value.copied().map($to));
            }

            fn read(path: Path<'_>, from: &mut Read<'_>) -> Result<Option<Self>, Malformed> {
                let Some(column) = from.column(path, |kind| matches!(kind, $kind))? else { return Ok(None) };
                let Some(cell) = column.value() else { return Ok(None) };
                let value: Option<Self> = ($from)(cell);
                value.map(Some).ok_or_else(|| Malformed::new(format!("column {path}: {cell} is out of range")))
            }
        }
    )*};
}

number! {
    u8: Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 = Kind::U8, u64::from, |cell: u64| cell.try_into().ok();
    u16: Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 = Kind::U16, u64::from, |cell: u64| cell.try_into().ok();
    u32: Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 = Kind::U32, u64::from, |cell: u64| cell.try_into().ok();
    u64: Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 = Kind::U64, |value| value, Some;
    i32: Kind::I64 = Kind::I64, |value| i64::from(value) as u64, |cell: u64| (cell as i64).try_into().ok();
    bool: Kind::Bool = Kind::Bool, u64::from, |cell: u64| (cell < 2).then_some(cell == 1);
    f64: Kind::F64 = Kind::F64, f64::to_bits, |cell: u64| Some(f64::from_bits(cell)).filter(|value| value.is_finite());
    NonZeroU32: Kind::U32 = Kind::U32, |value| value.get().into(), |cell: u64| NonZeroU32::new(cell.try_into().ok()?);
    NonZeroU64: Kind::U64 = Kind::U64, NonZeroU64::get, NonZeroU64::new;
    // Until the year 2262.
    Timestamp: Kind::Timestamp = Kind::Timestamp,
        |time: Timestamp| i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX) as u64,
        |cell: u64| Timestamp::from_nanosecond((cell as i64).into()).ok();
}

impl Value for IpAddr {
    fn write(value: Option<&Self>, path: Path<'_>, to: &mut Table) {
        match value {
            Some(IpAddr::V4(v4)) => to.bytes(path, Kind::Address, Some(&v4.octets())),
            Some(IpAddr::V6(v6)) => to.bytes(path, Kind::Address, Some(&v6.octets())),
            None => to.bytes(path, Kind::Address, None),
        }
    }

    fn read(path: Path<'_>, from: &mut Read<'_>) -> Result<Option<Self>, Malformed> {
        let column = from.column(path, |kind| kind == Kind::Address)?;
        column.map(|column| column.bytes()).transpose()?.flatten().map(|bytes| address(bytes, path)).transpose()
    }
}

/// Four bytes or sixteen.
fn address(bytes: &[u8], path: Path<'_>) -> Result<IpAddr, Malformed> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let address = v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
    address.map_err(|_| Malformed::new(format!("column {path}: an address of {} bytes", bytes.len())))
}

/// As the kernel side has it, v4-mapped for IPv4.
impl Value for Address {
    fn write(value: Option<&Self>, path: Path<'_>, to: &mut Table) {
        to.bytes(path, Kind::Address, value.map(|address| address.octets()).as_ref().map(|octets| &octets[..]));
    }

    fn read(path: Path<'_>, from: &mut Read<'_>) -> Result<Option<Self>, Malformed> {
        Ok(IpAddr::read(path, from)?.map(|address| match address {
            IpAddr::V4(v4) => Self::new(v4.to_ipv6_mapped().octets()),
            IpAddr::V6(v6) => Self::new(v6.octets()),
        }))
    }
}

impl Value for Text {
    fn write(value: Option<&Self>, path: Path<'_>, to: &mut Table) {
        to.bytes(path, Kind::Text, value.map(|text| text.as_bytes()));
    }

    fn read(path: Path<'_>, from: &mut Read<'_>) -> Result<Option<Self>, Malformed> {
        let column = from.column(path, |kind| kind == Kind::Text)?;
        Ok(column.map(|column| column.text()).transpose()?.flatten())
    }
}

impl Value for Comm {
    fn write(value: Option<&Self>, path: Path<'_>, to: &mut Table) {
        to.bytes(path, Kind::Text, value.map(Comm::as_bytes));
    }

    fn read(path: Path<'_>, from: &mut Read<'_>) -> Result<Option<Self>, Malformed> {
        let Some(text) = Text::read(path, from)? else { return Ok(None) };
        let comm = Self::from_text(&text);
        comm.map(Some).ok_or_else(|| Malformed::new(format!("column {path}: {text:?} is too long for a comm")))
    }
}

/// A name as the kernel keeps it: with its NULs, or whatever else is in it.
impl Value for [u8; COMM_LEN] {
    fn write(value: Option<&Self>, path: Path<'_>, to: &mut Table) {
        to.bytes(path, Kind::Bytes, value.map(|comm| &comm[..]));
    }

    fn read(path: Path<'_>, from: &mut Read<'_>) -> Result<Option<Self>, Malformed> {
        let column = from.column(path, |kind| kind == Kind::Bytes)?;
        let Some(bytes) = column.map(|column| column.bytes()).transpose()?.flatten() else { return Ok(None) };
        let comm = Self::try_from(bytes);
        comm.map(Some).map_err(|_| Malformed::new(format!("column {path}: a comm of {} bytes", bytes.len())))
    }
}
