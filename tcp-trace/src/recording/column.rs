// SPDX-License-Identifier: MIT OR Apache-2.0
//! One column: values of one kind under a name, in a self-describing format.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::bytes::{Bytes, Malformed, put_name};
use crate::outside::Text;

/// Kind of a column. The numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Unsigned, 8 bits.
    U8 = 1,
    /// Unsigned, 16 bits.
    U16 = 2,
    /// Unsigned, 32 bits.
    U32 = 3,
    /// Unsigned, 64 bits.
    U64 = 4,
    /// Signed, 64 bits.
    I64 = 5,
    /// 0 or 1.
    Bool = 6,
    /// Nanoseconds since 1970, UTC.
    Timestamp = 7,
    /// UTF-8.
    Text = 8,
    /// Four or sixteen bytes in network order.
    Address = 9,
    /// The bits of an f64.
    F64 = 10,
    /// Any bytes.
    Bytes = 11,
}

impl Kind {
    const ALL: [Self; 11] = [
        Self::U8,
        Self::U16,
        Self::U32,
        Self::U64,
        Self::I64,
        Self::Bool,
        Self::Timestamp,
        Self::Text,
        Self::Address,
        Self::F64,
        Self::Bytes,
    ];

    fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    fn has_dictionary(self) -> bool {
        matches!(self, Self::Text | Self::Address | Self::Bytes)
    }
}

/// Form bit: some values are unknown.
const NULLS: u8 = 1;
/// Form bit: each value is the difference from the previous one.
const DELTA: u8 = 2;

/// Form bit: dictionary entries have lengths of 32 bits, not 16.
const LONG: u8 = 4;
/// Upper limit of the length of an entry.
pub const MAX_ENTRY: usize = 8 << 20;

/// A column that is being filled.
#[derive(Clone, Debug)]
pub struct Column {
    pub(super) name: String,
    kind: Kind,
    values: Vec<u64>,
    /// One bit per row, lowest first; empty if all values are known.
    nulls: Vec<u8>,
    dictionary: HashMap<Box<[u8]>, u64, RandomState>,
    /// Dictionary entries, concatenated in order.
    entries: Vec<u8>,
    /// End of each entry in `entries`.
    ends: Vec<usize>,
    /// Whether an entry is longer than 16 bits can express.
    is_long: bool,
}

impl Column {
    pub(super) fn new(name: String, kind: Kind) -> Self {
        Self {
            name,
            kind,
            values: Vec::new(),
            nulls: Vec::new(),
            dictionary: HashMap::default(),
            entries: Vec::new(),
            ends: Vec::new(),
            is_long: false,
        }
    }

    /// Name in the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Kind of the values.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Values, or indices into the dictionary; `None`: unknown.
    pub fn cells(&self) -> impl Iterator<Item = Option<u64>> {
        self.values.iter().enumerate().map(|(row, value)| {
            let null = self.nulls.get(row / 8).is_some_and(|bits| bits >> (row % 8) & 1 == 1);
            (!null).then_some(*value)
        })
    }

    /// Dictionary entries by index.
    pub fn dictionary(&self) -> impl Iterator<Item = &[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, end)| &self.entries[begin..*end])
    }

    pub(super) fn push(&mut self, value: Option<u64>) {
        let row = self.values.len();
        if value.is_none() || !self.nulls.is_empty() {
            self.nulls.resize(row / 8 + 1, 0);
            self.nulls[row / 8] |= u8::from(value.is_none()) << (row % 8);
        }
        // For an unknown value, repeating the previous one takes least space.
        self.values.push(value.or(self.values.last().copied()).unwrap_or(0));
    }

    /// Adds a value; returns the number of bytes that were added to the dictionary.
    pub(super) fn push_bytes(&mut self, bytes: Option<&[u8]>) -> usize {
        let Some(bytes) = bytes.map(|bytes| self.cut(bytes)) else {
            self.push(None);
            return 0;
        };
        if let Some(place) = self.dictionary.get(bytes) {
            let place = *place;
            self.push(Some(place));
            return 0;
        }
        let place = self.dictionary.len() as u64;
        self.is_long |= bytes.len() > usize::from(u16::MAX);
        self.dictionary.insert(bytes.into(), place);
        self.entries.extend(bytes);
        self.ends.push(self.entries.len());
        self.push(Some(place));
        bytes.len()
    }

    /// Truncates an entry to the limit; text stays valid.
    fn cut<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        let mut end = bytes.len().min(MAX_ENTRY);
        let within_a_letter = |end: usize| bytes.get(end).is_some_and(|byte| byte & 0xc0 == 0x80);
        while self.kind == Kind::Text && within_a_letter(end) {
            end -= 1;
        }
        &bytes[..end]
    }

    pub(super) fn encode(&self, to: &mut Vec<u8>) {
        let differences: Vec<u64> = std::iter::once(0)
            .chain(self.values.iter().copied())
            .zip(&self.values)
            .map(|(before, value)| zigzag(value.wrapping_sub(before)))
            .collect();
        let (plain_width, delta_width) = (width(&self.values), width(&differences));
        let delta = delta_width < plain_width;
        let (values, width) = if delta { (&differences, delta_width) } else { (&self.values, plain_width) };
        put_name(to, &self.name);
        let form = if self.nulls.is_empty() { 0 } else { NULLS }
            | if delta { DELTA } else { 0 }
            | if self.is_long { LONG } else { 0 };
        to.extend([self.kind as u8, form, width as u8]);
        let body_at = to.len();
        to.extend([0; 4]);
        if !self.nulls.is_empty() {
            to.extend(&self.nulls);
            to.resize(to.len() + self.values.len().div_ceil(8) - self.nulls.len(), 0);
        }
        for value in values {
            to.extend(&value.to_le_bytes()[..width]);
        }
        if self.kind.has_dictionary() {
            to.extend((self.dictionary.len() as u32).to_le_bytes());
            for entry in self.dictionary() {
                match self.is_long {
                    true => to.extend((entry.len() as u32).to_le_bytes()),
                    false => to.extend((entry.len() as u16).to_le_bytes()),
                }
                to.extend(entry);
            }
        }
        let len = (to.len() - body_at - 4) as u32;
        to[body_at..body_at + 4].copy_from_slice(&len.to_le_bytes());
    }
}

/// Width in bytes of the largest value.
fn width(values: &[u64]) -> usize {
    let all = values.iter().fold(0, |all, value| all | value);
    (64 - all.leading_zeros() as usize).div_ceil(8)
}

/// Zigzag encoding: small differences, up or down, become small numbers.
fn zigzag(difference: u64) -> u64 {
    (difference << 1) ^ ((difference as i64 >> 63) as u64)
}

fn unzigzag(value: u64) -> u64 {
    (value >> 1) ^ (value & 1).wrapping_neg()
}

/// A column that was read, row after row.
#[derive(Debug)]
pub struct Read<'a> {
    /// Name in the file.
    pub name: &'a str,
    /// Kind of the values.
    pub kind: Kind,
    delta: bool,
    width: usize,
    nulls: Option<&'a [u8]>,
    values: &'a [u8],
    /// Offset and length of each entry in `entries`, of which there may be millions.
    dictionary: Vec<(u32, u32)>,
    entries: &'a [u8],
    /// Entries that were used as text, shared; empty until the first use.
    texts: Vec<Option<Text>>,
    row: usize,
    before: u64,
}

impl<'a> Read<'a> {
    /// Parses a column; `None`: of a kind that is unknown to this version.
    pub(super) fn parse(bytes: &mut Bytes<'a>, rows: usize) -> Result<Option<Self>, Malformed> {
        let name = bytes.name()?;
        let (kind, form, width) = (Kind::of(bytes.u8()?), bytes.u8()?, usize::from(bytes.u8()?));
        let len = bytes.u32()? as usize;
        let mut body = Bytes(bytes.take(len)?);
        let Some(kind) = kind else { return Ok(None) };
        if width > 8 {
            return Err(Malformed::new(format!("column {name}: values of {width} bytes")));
        }
        let nulls = (form & NULLS != 0).then(|| body.take(rows.div_ceil(8))).transpose()?;
        let values = body.take(rows * width)?;
        let (mut dictionary, mut entries) = (Vec::new(), &[][..]);
        if kind.has_dictionary() {
            let count = body.u32()? as usize;
            if count > rows {
                return Err(Malformed::new(format!("column {name}: a dictionary of {count} for {rows} rows")));
            }
            entries = body.0;
            for _ in 0..count {
                let len = if form & LONG == 0 { body.u16()?.into() } else { body.u32()? };
                dictionary.push(((entries.len() - body.0.len()) as u32, len));
                body.take(len as usize)?;
            }
        }
        let delta = form & DELTA != 0;
        Ok(Some(Self {
            name,
            kind,
            delta,
            width,
            nulls,
            values,
            dictionary,
            entries,
            texts: Vec::new(),
            row: 0,
            before: 0,
        }))
    }

    /// The value of the next row; `None`: unknown. There must be a next row.
    pub fn value(&mut self) -> Option<u64> {
        let row = self.row;
        self.row += 1;
        let mut word = [0; 8];
        word[..self.width].copy_from_slice(&self.values[row * self.width..(row + 1) * self.width]);
        let mut value = u64::from_le_bytes(word);
        if self.delta {
            value = self.before.wrapping_add(unzigzag(value));
            self.before = value;
        }
        let null = self.nulls.is_some_and(|nulls| nulls[row / 8] >> (row % 8) & 1 == 1);
        (!null).then_some(value)
    }

    /// The value of the next row in a column with a dictionary.
    ///
    /// # Errors
    /// When the dictionary has no such entry.
    pub fn bytes(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let Some(place) = self.value() else { return Ok(None) };
        self.entry(place as usize).map(Some)
    }

    /// The value of the next row as text, shared by all rows with the same value.
    ///
    /// # Errors
    /// When the dictionary has no such entry, or it is not UTF-8.
    pub fn text(&mut self) -> Result<Option<Text>, Malformed> {
        let Some(place) = self.value() else { return Ok(None) };
        let place = place as usize;
        if let Some(Some(text)) = self.texts.get(place) {
            return Ok(Some(text.clone()));
        }
        let bytes = self.entry(place)?;
        let text =
            std::str::from_utf8(bytes).map_err(|_| Malformed::new(format!("column {}: not UTF-8", self.name)))?;
        let text = Text::from(text);
        self.texts.resize(self.dictionary.len(), None);
        self.texts[place] = Some(text.clone());
        Ok(Some(text))
    }

    fn entry(&self, place: usize) -> Result<&'a [u8], Malformed> {
        let (begin, len) = self.dictionary.get(place).ok_or_else(|| self.no_entry())?;
        Ok(&self.entries[*begin as usize..][..*len as usize])
    }

    fn no_entry(&self) -> Malformed {
        Malformed::new(format!("column {}: an index beyond its dictionary", self.name))
    }
}
