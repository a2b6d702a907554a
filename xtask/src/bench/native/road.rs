// SPDX-License-Identifier: MIT OR Apache-2.0
//! The road alone: recorded raw events to answers, as tcp-trace/benches/road has it.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Native;
use crate::workspace::{cargo, output};

pub fn measure() -> Result<Vec<Native>> {
    let said = output(cargo().args(["bench", "--locked", "--quiet", "--package", "tcp-trace", "--bench", "road"]))?;
    let line = said.lines().last().unwrap_or_default();
    let said: Value = serde_json::from_str(line).with_context(|| format!("the road's benchmark said {line:?}"))?;
    let mut figures = Vec::new();
    for (way, words) in [("summary", "to an answer"), ("lines", "to an answer and a line of JSON each")] {
        for (destinations, many) in [("few_destinations", "40 destinations"), ("million_destinations", "a million")] {
            let of = |field: &str| said[way][destinations][field].as_f64();
            let rate = Native::new(&format!("raw events {words}, {many}"), "events/s", of("events_per_second"));
            figures.push(if way == "summary" { rate.at_least(1_500_000.0) } else { rate });
            for (field, unit) in [("allocations_per_event", "allocations"), ("bytes_per_event", "bytes")] {
                let figure = Native::new(&format!("{unit} per event {words}, {many}"), unit, of(field));
                figures.push(figure.exactly(0.0));
            }
        }
        let peer = said[way]["python_events_per_second"].as_f64();
        figures.push(Native::new(&format!("raw events {words}, a Python script"), "events/s", peer));
    }
    let rows = said["rows_per_second"].as_f64();
    figures.push(Native::new(
        "rows of processes and destinations to an answer, each another destination",
        "rows/s",
        rows,
    ));
    let resident = said["peak_resident_kib"].as_f64();
    figures.push(Native::new("most memory held, a million destinations seen", "KiB", resident).at_most(65_536.0));
    Ok(figures)
}
