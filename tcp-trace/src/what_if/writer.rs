// SPDX-License-Identifier: MIT OR Apache-2.0
//! Follows to the end, and then writes what would be.

use super::follow::{Asked, Student};
use super::tier::Tier;
use crate::answer::Format;
use crate::circumstances::Circumstances;
use crate::clock;
use crate::exit::Failure;
use crate::export::sink::{Sink, Written};
use crate::export::{csv, json, rows_what_if};
use crate::road::{Follow, Happening};
use crate::view::screen::Layout;
use crate::view::{what_if, what_if_tier};

/// One question, and where its answer goes.
#[derive(Debug)]
pub struct Writer {
    student: Student,
    title: String,
    format: Format,
    layout: Layout,
    sink: Sink,
}

impl Writer {
    /// Nothing happened yet.
    pub fn new(circumstances: &Circumstances, asked: Asked, format: Format, layout: Layout, sink: Sink) -> Self {
        let tier = circumstances.tier(super::QUESTION).map(|tier| format!("tier {tier}"));
        let how = tier.unwrap_or_else(|| "nothing is traced".into());
        let title = format!("tcp-trace what-if  kernel {}  {how}", circumstances.kernel);
        Self { student: Student::new(circumstances, asked), title, format, layout, sink }
    }
}

/// The size of a tier, as it is written.
pub fn tier(tier: &Tier, format: Format, layout: Layout) -> Vec<u8> {
    let mut out = Vec::new();
    let rows = rows_what_if::of_tier(tier);
    match format {
        Format::Text => out.extend(what_if_tier::text(tier, layout).bytes()),
        Format::Json => rows.iter().for_each(|row| json::row(&mut out, clock::now().wall, row)),
        Format::Csv => csv::rows(&mut out, clock::now().wall, &rows),
    }
    out
}

impl Follow for Writer {
    fn follow(&mut self, happening: Happening<'_>) -> Result<(), Failure> {
        self.student.learn(happening);
        let Happening::End(now) = happening else { return Ok(()) };
        let outlook = self.student.outlook(now);
        let mut out = Vec::new();
        match self.format {
            Format::Text => out.extend(what_if::text(&self.title, &outlook, self.layout).bytes()),
            Format::Json => {
                for row in rows_what_if::of(&outlook) {
                    json::row(&mut out, outlook.time, &row);
                }
            }
            Format::Csv => csv::rows(&mut out, outlook.time, &rows_what_if::of(&outlook)),
        }
        self.sink.write(&out).map(|_| ())
    }

    fn flush(&mut self) -> Result<Written, Failure> {
        self.sink.flush()
    }
}
