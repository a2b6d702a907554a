// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events into what the user asked to read: lines as they come, an answer at every tick, a last one.

use std::{fs, os::unix::fs::MetadataExt as _, time::Duration};

use tcp_trace_common::time_wait::RawTimeWaitTotals;

use crate::{
    aggregate::{
        connect::ConnectAggregate,
        findings::{Finding, Severity, findings},
        ledger::{Cost, Ledger},
        summary::Summary,
        time_wait::{TimeWaitAggregate, TimeWaitSnapshot, TimeWaitTotals},
    },
    clock,
    event::{Connect, Event, Lost, Outcome},
    exit::Failure,
    export::{
        calendar::Calendar,
        csv, json,
        sink::{Sink, Written},
    },
    governor::Stock,
    kernel::rules::{SearchRules, Sysctls},
    probes::tier::Tier,
    view::{
        connect::{Layout, screen},
        events, line,
    },
};

/// Cursor home and everything erased: the next screen takes the place of the last.
const CLEAR: &[u8] = b"\x1b[H\x1b[2J";

/// How answers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people: a screen on a terminal, lines in a pipe
    #[default]
    Text,
    /// One JSON object a line
    Json,
    /// Comma-separated, one connect a line
    Csv,
}

/// What is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// How.
    pub format: Format,
    /// A line for every connect.
    pub connects: bool,
    /// A line for every passage of TIME_WAIT.
    pub time_wait: bool,
    /// An answer at every tick, not only at the end.
    pub intervals: bool,
    /// Only connects that took at least this long.
    pub min_latency: Option<Duration>,
    /// Only connects whose search needed the second parity pass.
    pub second_pass_only: bool,
    /// What a screen may take up; its `top` holds for JSON too.
    pub layout: Layout,
}

impl Wanted {
    /// A terminal gets one screen that changes, unless lines go there.
    fn redraws(&self, sink: &Sink) -> bool {
        sink.is_terminal() && self.intervals && !self.connects && !self.time_wait
    }
}

/// What is known before the first event.
#[derive(Clone, Debug)]
pub struct Setting {
    /// At work for the connect signal.
    pub tier: Tier,
    /// At work for TIME_WAIT; `None`: its totals are sampled from /proc.
    pub time_wait_tier: Option<Tier>,
    /// Release of the kernel.
    pub kernel: String,
    /// How it searches for ports.
    pub rules: SearchRules,
    /// How it is set up to.
    pub sysctls: Sysctls,
    /// What the reader should know about the numbers.
    pub notes: Vec<String>,
}

/// Everything observed so far and where answers go.
#[derive(Debug)]
pub struct Answer {
    setting: Setting,
    wanted: Wanted,
    sink: Sink,
    connects: ConnectAggregate,
    time_wait: TimeWaitAggregate,
    interval_lost: Lost,
    total_lost: Lost,
    ledger: Ledger,
    /// Spent before the interval.
    interval_begin_cost: Cost,
    begin_ns: u64,
    interval_begin_ns: u64,
    worst: Option<Severity>,
    /// What the next write takes; kept for its capacity.
    buffer: Vec<u8>,
    calendar: Calendar,
}

impl Answer {
    /// Nothing observed yet; writes what comes before the first line.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn new(setting: Setting, wanted: Wanted, mut sink: Sink) -> Result<Self, Failure> {
        let mut buffer = Vec::new();
        match wanted.format {
            Format::Csv => csv::header(&mut buffer),
            Format::Text if wanted.connects => buffer.extend(events::header().bytes()),
            Format::Text if !wanted.redraws(&sink) && wanted.intervals => buffer.extend(line::header().bytes()),
            Format::Text | Format::Json => {}
        }
        sink.write(&buffer)?;
        let start = if setting.time_wait_tier.is_none() { sample_proc() } else { TimeWaitSnapshot::new() };
        let now_ns = clock::monotonic_ns();
        Ok(Self {
            setting,
            wanted,
            sink,
            connects: ConnectAggregate::default(),
            time_wait: TimeWaitAggregate::new(start),
            interval_lost: Lost::default(),
            total_lost: Lost::default(),
            ledger: Ledger::default(),
            interval_begin_cost: Cost::default(),
            begin_ns: now_ns,
            interval_begin_ns: now_ns,
            worst: None,
            buffer,
            calendar: Calendar::default(),
        })
    }

    /// Takes one event.
    ///
    /// # Errors
    /// When its line cannot be written.
    pub fn observe(&mut self, event: &Event) -> Result<(), Failure> {
        match event {
            Event::Connect(connect) => {
                self.connects.observe(connect);
                // What is still under way at the end was never sent.
                if connect.outcome == Outcome::Pending {
                    *self.ledger.pending.get_or_insert_default() += 1;
                } else {
                    self.ledger.delivered += 1;
                }
                if !self.lists(connect) {
                    return Ok(());
                }
            }
            Event::TimeWait(_) => {
                self.ledger.time_wait_delivered += 1;
                if !self.wanted.time_wait {
                    return Ok(());
                }
            }
            Event::Detail(_) => {}
            Event::Lost(lost) => {
                add(&mut self.interval_lost, *lost);
                add(&mut self.total_lost, *lost);
            }
        }
        self.buffer.clear();
        match (self.wanted.format, event) {
            (Format::Json, event) => json::event(&mut self.buffer, &mut self.calendar, event),
            (Format::Csv, Event::Connect(connect)) => csv::connect(&mut self.buffer, &mut self.calendar, connect),
            (Format::Text, Event::Connect(connect)) => self.buffer.extend(events::connect(connect).bytes()),
            (Format::Text, Event::TimeWait(time_wait)) => self.buffer.extend(events::time_wait(time_wait).bytes()),
            (Format::Text, Event::Detail(detail)) if !self.wanted.redraws(&self.sink) => {
                self.buffer.extend(events::detail(detail).bytes());
            }
            (Format::Csv, Event::Detail(detail)) => {
                tracing::warn!("{}", events::detail(detail).trim_end());
            }
            // None of them has a row in CSV; a loss, and on a screen the detail, stand in the next text answer.
            (Format::Csv, _) | (Format::Text, Event::Lost(_) | Event::Detail(_)) => {}
        }
        self.sink.write(&self.buffer).map(|_| ())
    }

    /// Takes what the books say now.
    ///
    /// # Errors
    /// When the line of a loss cannot be written.
    pub fn enter(&mut self, stock: Stock) -> Result<(), Failure> {
        let earlier = std::mem::replace(&mut self.ledger.counts, stock.counts);
        self.ledger.cost = stock.cost;
        self.ledger.level = stock.level;
        self.ledger.budget = stock.budget;
        self.ledger.resident_bytes = stock.resident_bytes;
        self.ledger.locked_bytes = stock.locked_bytes;
        self.ledger.calibration = stock.calibration;
        if let Some(folded) = &stock.folded {
            self.connects.observe_folded(folded);
        }
        self.connects.observe_unknown(stock.counts.outcome_unknown().saturating_sub(earlier.outcome_unknown()));
        match stock.counts.lost_since(&earlier) {
            Some(lost) => self.observe(&Event::Lost(lost)),
            None => Ok(()),
        }
    }

    /// Takes the totals that the kernel side keeps of one namespace.
    pub fn observe_time_wait(&mut self, netns: u32, totals: RawTimeWaitTotals) {
        self.time_wait.observe(netns, TimeWaitTotals::from_kernel(&totals));
    }

    /// Answers for the interval that ends now; says whether there is something that port probes could explain.
    ///
    /// # Errors
    /// When the answer cannot be written.
    pub fn tick(&mut self) -> Result<bool, Failure> {
        self.sample_if_needed();
        let connect = self.connects.tick();
        let evidence = connect.second_pass > 0 || connect.ended(Outcome::NoPort) > 0;
        let time_wait = self.time_wait.tick();
        let found = findings(&connect, &time_wait, &self.setting.rules, &self.setting.sysctls);
        self.remember(&found);
        let seconds = seconds_since(self.interval_begin_ns);
        let lost = std::mem::take(&mut self.interval_lost);
        let summary = self.summary(seconds, false, lost, found);
        self.interval_begin_ns = clock::monotonic_ns();
        self.interval_begin_cost = self.ledger.cost;
        if self.wanted.intervals {
            self.write_interval(Summary { connect, time_wait, ..summary })?;
        }
        Ok(evidence)
    }

    /// The final answer.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(&mut self) -> Result<(), Failure> {
        self.sample_if_needed();
        self.ledger.pending.get_or_insert_default();
        let connect = self.connects.total();
        let time_wait = self.time_wait.total();
        let found = findings(&connect, &time_wait, &self.setting.rules, &self.setting.sysctls);
        self.remember(&found);
        let summary = self.summary(seconds_since(self.begin_ns), true, self.total_lost, found);
        let summary = Summary { connect, time_wait, ..summary };
        self.buffer.clear();
        match self.wanted.format {
            Format::Json => self.put_json(&summary),
            Format::Text => self.put_screen(&summary),
            Format::Csv => {}
        }
        self.sink.write(&self.buffer).map(|_| ())
    }

    /// Events that came through so far, whatever they are about.
    pub fn delivered(&self) -> u64 {
        self.ledger.delivered + self.ledger.time_wait_delivered
    }

    /// The worst finding of any answer.
    pub fn worst(&self) -> Option<Severity> {
        self.worst
    }

    /// Sends everything on its way.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn flush(&mut self) -> Result<Written, Failure> {
        self.sink.flush()
    }

    fn lists(&self, connect: &Connect) -> bool {
        self.wanted.connects
            && (!self.wanted.second_pass_only || connect.second_pass == Some(true))
            && self.wanted.min_latency.is_none_or(|least| {
                let took = connect.total_ns.or(connect.handshake_ns);
                took.is_some_and(|took| u128::from(took) >= least.as_nanos())
            })
    }

    fn write_interval(&mut self, summary: Summary) -> Result<(), Failure> {
        self.buffer.clear();
        match self.wanted.format {
            Format::Json => self.put_json(&summary),
            Format::Text if self.wanted.redraws(&self.sink) => self.put_screen(&summary),
            Format::Text if self.wanted.connects => {}
            Format::Text => self.buffer.extend(line::line(&summary).bytes()),
            Format::Csv => {}
        }
        self.sink.write(&self.buffer).map(|_| ())
    }

    fn put_json(&mut self, summary: &Summary) {
        json::summary(&mut self.buffer, summary, self.wanted.layout.top);
        for finding in &summary.findings {
            json::finding(&mut self.buffer, finding);
        }
    }

    fn put_screen(&mut self, summary: &Summary) {
        if self.wanted.redraws(&self.sink) {
            self.buffer.extend(CLEAR);
        }
        self.buffer.extend(screen(summary, self.wanted.layout).bytes());
    }

    fn summary(&self, seconds: f64, is_final: bool, lost: Lost, findings: Vec<Finding>) -> Summary {
        let begin = if is_final { Cost::default() } else { self.interval_begin_cost };
        Summary {
            time: clock::wall_now(),
            seconds,
            is_final,
            connect: Default::default(),
            time_wait: TimeWaitSnapshot::new(),
            lost,
            tier: self.setting.tier,
            kernel: self.setting.kernel.clone(),
            ledger: Ledger { cost: self.ledger.cost.since(begin), ..self.ledger },
            findings,
            notes: self.setting.notes.clone(),
        }
    }

    fn sample_if_needed(&mut self) {
        if self.setting.time_wait_tier.is_none() {
            for (netns, totals) in sample_proc() {
                self.time_wait.observe(netns, totals);
            }
        }
    }

    fn remember(&mut self, found: &[Finding]) {
        // Severities are ordered worst first.
        self.worst = found.iter().map(|finding| finding.severity).chain(self.worst).min();
    }
}

fn add(sum: &mut Lost, more: Lost) {
    sum.ring_buffer += more.ring_buffer;
    sum.map_full += more.map_full;
    sum.missed += more.missed;
}

fn seconds_since(begin_ns: u64) -> f64 {
    clock::monotonic_ns().saturating_sub(begin_ns) as f64 / 1e9
}

/// TIME_WAIT of this process's own namespace as /proc tells it: the only source where no program can be attached.
fn sample_proc() -> TimeWaitSnapshot {
    let Ok(namespace) = fs::metadata("/proc/self/ns/net") else { return TimeWaitSnapshot::new() };
    let read = |file: &str| fs::read_to_string(format!("/proc/self/net/{file}")).unwrap_or_default();
    let totals = TimeWaitTotals::from_proc(&read("sockstat"), &read("netstat"));
    [(namespace.ino() as u32, totals)].into()
}
