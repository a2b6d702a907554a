// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the incident observed itself, as an independent witness of what tcp-trace reports.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use histogram::Histogram;
use rustix::io::Errno;

/// Counts of victims, read by the scenario.
#[derive(Clone)]
pub(super) struct Tally(Arc<Mutex<Counts>>);

struct Counts {
    outcomes: BTreeMap<String, u64>,
    connect_ns: Histogram,
}

impl Counts {
    fn new() -> Self {
        Self { outcomes: BTreeMap::new(), connect_ns: Histogram::with_config(&CONFIG) }
    }
}

/// Histogram with a resolution of 1 %.
const CONFIG: histogram::Config = match histogram::Config::new(7, 64) {
    Ok(config) => config,
    Err(_) => panic!("7 and 64 are valid powers"),
};

impl Tally {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Counts::new())))
    }

    /// Counts one `connect()`: how long the call took, and how the attempt ended.
    pub(super) fn count(&self, call: Duration, outcome: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.outcomes.entry(outcome.to_owned()).or_default() += 1;
        let _ = counts.connect_ns.increment(u64::try_from(call.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Returns what was counted since the last call.
    pub(super) fn take(&self) -> TallySnapshot {
        TallySnapshot(std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), Counts::new()))
    }
}

/// The name of a call's outcome: the name of its errno, or `connected`.
pub(super) fn outcome(result: Result<(), Errno>) -> String {
    match result {
        Ok(()) => "established".to_owned(),
        Err(Errno::CONNREFUSED) => "ECONNREFUSED".to_owned(),
        Err(Errno::TIMEDOUT) => "ETIMEDOUT".to_owned(),
        Err(Errno::ADDRNOTAVAIL) => "EADDRNOTAVAIL".to_owned(),
        Err(errno) => format!("errno {}", errno.raw_os_error()),
    }
}

/// The counts of one period.
pub(super) struct TallySnapshot(Counts);

impl fmt::Display for TallySnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connects: u64 = self.0.outcomes.values().sum();
        write!(f, "{connects} connects")?;
        for (outcome, count) in &self.0.outcomes {
            write!(f, ", {count} {outcome}")?;
        }
        if let Ok(Some(bucket)) = self.0.connect_ns.quantile_bucket(0.5) {
            write!(f, "; connect() p50 {} us", bucket.end() / 1000)?;
        }
        Ok(())
    }
}
