// SPDX-License-Identifier: MIT OR Apache-2.0
//! When the port probes are attached: always, never, or in bursts whose share of the time is the overhead allowed.
//!
//! A probe on every candidate costs about as much as the candidate itself, so a burst at worst doubles the cost of
//! searches while it lasts: a share of the time equal to the allowed overhead keeps within it.

use std::time::Duration;

use tokio::time::Instant;

use super::attach::Attached;

/// Long enough for some slow searches (milliseconds each) to begin and end within it.
const BURST: Duration = Duration::from_millis(100);

/// When to attach them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum PortProbes {
    /// In bursts within --max-overhead, once searches are slow or fail
    #[default]
    Auto,
    /// All the time: exact shares, at about the cost of the search itself
    Always,
    /// Not at all
    Never,
}

/// Decides, and keeps the programs that it decides about.
#[derive(Debug)]
pub struct Bursts {
    attached: Attached,
    when: PortProbes,
    max_overhead: f64,
    began: Option<Instant>,
    not_before: Instant,
    count: u64,
}

impl Bursts {
    /// Attaches at once if they are to be there always.
    ///
    /// # Errors
    /// When they were asked for and cannot be had.
    pub fn new(mut attached: Attached, when: PortProbes, max_overhead: f64) -> anyhow::Result<Self> {
        if when == PortProbes::Always {
            attached.attach_port_probes()?;
        }
        Ok(Self { attached, when, max_overhead, began: None, not_before: Instant::now(), count: 0 })
    }

    /// How many bursts there were; `None` where there are none to count.
    pub fn count(&self) -> Option<u64> {
        (self.when == PortProbes::Auto).then_some(self.count)
    }

    /// Runs of programs missed so far, port probes included; `None` where the kernel does not count them.
    pub fn runs_missed(&self) -> Option<u64> {
        self.attached.missed()
    }

    /// When the burst under way is over.
    pub fn end(&self) -> Option<Instant> {
        self.began.map(|began| began + BURST)
    }

    /// Begins a burst if there is something to explain and the budget allows.
    pub fn consider(&mut self, evidence: bool) {
        let now = Instant::now();
        if self.when != PortProbes::Auto || !evidence || self.began.is_some() || now < self.not_before {
            return;
        }
        match self.attached.attach_port_probes() {
            Ok(()) => {
                self.began = Some(now);
                self.count += 1;
            }
            Err(error) => {
                tracing::info!("no port probes: {error:#}");
                self.attached.detach_port_probes();
                self.when = PortProbes::Never;
            }
        }
    }

    /// Ends the burst, and waits as long as its share of the time asks for.
    pub fn stop(&mut self) {
        self.attached.detach_port_probes();
        if let Some(began) = self.began.take() {
            // Attaching and detaching are part of what a burst costs.
            self.not_before = began + began.elapsed().div_f64(self.max_overhead);
        }
    }
}
