// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cost of user space on this machine: an event, a start, a stream of connects without loss.
//!
//! Other programs use this machine too. Times are the best of several short runs, because other load only increases
//! them.

mod agent;
mod rest;
mod road;
mod start;
mod stream;

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::guest;

/// One figure, and whether it meets its bound.
#[derive(Debug, Serialize, Deserialize)]
pub struct Native {
    pub name: String,
    /// The figure; `None` if it could not be measured.
    pub value: Option<f64>,
    pub unit: String,
    /// The bound in words: `at least 1500000`.
    pub bound: Option<String>,
    /// Whether the bound is met; `None` without a bound. What was not measured meets no bound.
    pub met: Option<bool>,
}

/// Programs in the profile of releases.
struct Built<'a> {
    tcp_trace: &'a Path,
    connect_load: &'a Path,
}

pub fn measure() -> Result<Vec<Native>> {
    let programs = guest::build()?;
    let (tcp_trace, connect_load) = (&programs.join("tcp-trace"), &programs.join("connect-load"));
    let built = Built { tcp_trace, connect_load };
    let mut figures = road::measure()?;
    figures.extend(start::measure(&built)?);
    figures.extend(rest::measure(&built)?);
    figures.extend(stream::measure(&built)?);
    for figure in &figures {
        let value = figure.value.map_or_else(|| "not run".to_owned(), |value| format!("{value} {}", figure.unit));
        eprintln!("native | {}: {value}", figure.name);
    }
    Ok(figures)
}

impl Native {
    fn new(name: &str, unit: &str, value: impl Into<Option<f64>>) -> Self {
        let (name, unit) = (name.to_owned(), unit.to_owned());
        Self { name, value: value.into(), unit, bound: None, met: None }
    }

    fn at_least(self, least: f64) -> Self {
        let met = self.value.is_some_and(|value| value >= least);
        Self { bound: Some(format!("at least {least}")), met: Some(met), ..self }
    }

    fn at_most(self, most: f64) -> Self {
        let met = self.value.is_some_and(|value| value <= most);
        Self { bound: Some(format!("at most {most}")), met: Some(met), ..self }
    }

    fn exactly(self, wanted: f64) -> Self {
        let met = self.value == Some(wanted);
        Self { bound: Some(format!("exactly {wanted}")), met: Some(met), ..self }
    }
}
