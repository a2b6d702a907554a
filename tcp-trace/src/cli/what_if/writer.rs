// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes what-if reports in each format.

use jiff::Timestamp;

use crate::{
    clock,
    export::{csv, format::Format, json, row::Row, rows},
    view::{screen::Layout, what_if, what_if_tier},
    what_if::{forecast::Forecast, tier::Tier},
};

/// A forecast for this machine.
pub fn forecast(forecast: &Forecast, format: Format, layout: Layout) -> Vec<u8> {
    match format {
        Format::Text => what_if::text(forecast, layout).into_bytes(),
        Format::Json | Format::Csv => written(format, forecast.time, &rows::what_if::of(forecast)),
    }
}

/// The size of a tier of proxies.
pub fn tier(tier: &Tier, format: Format, layout: Layout) -> Vec<u8> {
    match format {
        Format::Text => what_if_tier::text(tier, layout).into_bytes(),
        Format::Json | Format::Csv => written(format, clock::now().wall, &rows::what_if::of_tier(tier)),
    }
}

fn written(format: Format, time: Timestamp, rows: &[Row]) -> Vec<u8> {
    let mut out = Vec::new();
    match format {
        Format::Csv => csv::rows(&mut out, time, rows),
        Format::Text | Format::Json => rows.iter().for_each(|row| json::row(&mut out, time, row)),
    }
    out
}
