// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events into what the user asked to read: lines as they come, an answer at every tick, a last one.

use std::{fs, os::unix::fs::MetadataExt as _, time::Duration};

use crate::{
    aggregate::{
        aggregates::Aggregates,
        findings::{Finding, Severity, findings},
        scope::Scope,
        summary::Summary,
        time_wait::{TimeWaitSnapshot, TimeWaitTotals},
    },
    books::{Books, Page},
    clock,
    event::{Connect, Event, Outcome},
    exit::Failure,
    export::{
        calendar::Calendar,
        csv, json, rows,
        sink::{Sink, Written},
    },
    governor::Stock,
    inventory::{Inventory, Wanted as Surveyed, netstat::NetStat, surveyor::Surveyor},
    kernel::rules::{SearchRules, Sysctls},
    probes::tier::Tier,
    question::Question,
    source::totals::Totals,
    view::{
        events, line,
        screen::{Layout, screen},
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
    /// Comma-separated: one connect a line, or one row of the answer
    Csv,
}

/// What is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// How.
    pub format: Format,
    /// A line for every connect.
    pub connects: bool,
    /// A line for every event of the other signals.
    pub signals: bool,
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
        sink.is_terminal() && self.intervals && !self.connects && !self.signals
    }
}

/// What is known before the first event.
#[derive(Clone, Debug)]
pub struct Setting {
    /// What was asked.
    pub question: Question,
    /// At work for the signal that the question is about.
    pub tier: Option<Tier>,
    /// Something is attached.
    pub traced: bool,
    /// No program sees TIME_WAIT: its totals are sampled from /proc.
    pub samples_time_wait: bool,
    /// What segments do to TIME_WAIT is told from its other ends.
    pub time_wait_in_detail: bool,
    /// Sockets to look at, and how much of the time that may take; `None`: none.
    pub survey: Option<(Surveyed, f64)>,
    /// Release of the kernel.
    pub kernel: String,
    /// Destinations of interest.
    pub scope: Scope,
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
    aggregates: Aggregates,
    surveyor: Option<Surveyor>,
    /// What the last inventory could not look at.
    lacks: Vec<String>,
    books: Books,
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
        let connects = setting.question == Question::ConnectLatency;
        match wanted.format {
            Format::Csv if connects => csv::header(&mut buffer),
            Format::Text if wanted.connects => buffer.extend(events::header().bytes()),
            Format::Text if connects && !wanted.redraws(&sink) && wanted.intervals => {
                buffer.extend(line::header().bytes());
            }
            Format::Text | Format::Json | Format::Csv => {}
        }
        sink.write(&buffer)?;
        let start = if setting.samples_time_wait { sample_proc() } else { TimeWaitSnapshot::new() };
        let surveyor = setting.survey.clone().map(|(wanted, share)| Surveyor::start(wanted, share));
        let aggregates = Aggregates::new(setting.rules, setting.scope, start, setting.time_wait_in_detail);
        Ok(Self {
            setting,
            wanted,
            sink,
            aggregates,
            surveyor,
            lacks: Vec::new(),
            books: Books::open(),
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
        self.aggregates.observe(event);
        self.books.count(event);
        let listed = match event {
            Event::Connect(connect) => self.lists(connect),
            Event::TimeWait(_) | Event::Bind(_) | Event::ListenDrop(_) | Event::State(_) => self.wanted.signals,
            Event::Lost(_) | Event::Detail(_) => true,
        };
        if !listed {
            return Ok(());
        }
        self.buffer.clear();
        match (self.wanted.format, event) {
            (Format::Json, event) => json::event(&mut self.buffer, &mut self.calendar, event),
            (Format::Csv, Event::Connect(connect)) => csv::connect(&mut self.buffer, &mut self.calendar, connect),
            (Format::Text, Event::Connect(connect)) => self.buffer.extend(events::connect(connect).bytes()),
            (Format::Text, Event::TimeWait(time_wait)) => self.buffer.extend(events::time_wait(time_wait).bytes()),
            (Format::Text, Event::ListenDrop(dropped)) => self.buffer.extend(events::listen_drop(dropped).bytes()),
            (Format::Text, Event::Bind(bind)) => self.buffer.extend(events::bind(bind).bytes()),
            (Format::Text, Event::State(state)) => self.buffer.extend(events::state(state).bytes()),
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
    pub fn enter(&mut self, stock: &Stock) -> Result<(), Failure> {
        let unknown = self.books.outcome_unknown();
        let lost = self.books.enter(stock);
        let unknown = self.books.outcome_unknown().saturating_sub(unknown);
        self.aggregates.observe_untold(stock.folded.as_ref(), unknown);
        match lost {
            Some(lost) => self.observe(&Event::Lost(lost)),
            None => Ok(()),
        }
    }

    /// Takes the totals that the kernel side keeps.
    pub fn enter_totals(&mut self, totals: &Totals) {
        self.aggregates.enter(totals);
    }

    /// Answers for the interval that ends now; says whether there is something that port probes could explain.
    ///
    /// # Errors
    /// When the answer cannot be written.
    pub fn tick(&mut self) -> Result<bool, Failure> {
        self.sample_if_needed();
        if let Some(inventory) = self.surveyor.as_ref().and_then(Surveyor::news) {
            self.survey(&inventory);
        }
        let page = self.books.tick();
        let observed = self.aggregates.tick(page.seconds);
        let evidence = observed.connect.second_pass > 0 || observed.connect.ended(Outcome::NoPort) > 0;
        let found = findings(&observed, &self.setting.rules, &self.setting.sysctls);
        self.remember(&found);
        if self.wanted.intervals {
            let summary = self.summary(page, false);
            self.write_interval(&Summary { observed, findings: found, ..summary })?;
        }
        Ok(evidence)
    }

    /// The final answer.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(&mut self) -> Result<(), Failure> {
        self.sample_if_needed();
        if let Some(inventory) = self.surveyor.as_ref().map(Surveyor::fresh) {
            self.survey(&inventory);
        }
        let page = self.books.total();
        let observed = self.aggregates.total(page.seconds);
        let found = findings(&observed, &self.setting.rules, &self.setting.sysctls);
        self.remember(&found);
        let summary = self.summary(page, true);
        let summary = Summary { observed, findings: found, ..summary };
        self.buffer.clear();
        match self.wanted.format {
            Format::Json => self.put_json(&summary),
            Format::Text => self.put_screen(&summary),
            Format::Csv => self.put_csv(&summary),
        }
        self.sink.write(&self.buffer).map(|_| ())
    }

    /// Events that came through so far, whatever they are about.
    pub fn delivered(&self) -> u64 {
        self.books.delivered()
    }

    /// The worst finding of any answer.
    pub fn worst(&self) -> Option<Severity> {
        self.worst
    }

    /// Where answers go, for what is to follow them.
    pub fn into_sink(self) -> Sink {
        self.sink
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

    fn write_interval(&mut self, summary: &Summary) -> Result<(), Failure> {
        self.buffer.clear();
        match self.wanted.format {
            Format::Json => self.put_json(summary),
            Format::Csv => self.put_csv(summary),
            Format::Text if self.wanted.redraws(&self.sink) => self.put_screen(summary),
            Format::Text if self.setting.question == Question::ConnectLatency && !self.wanted.connects => {
                self.buffer.extend(line::line(summary).bytes());
            }
            // In a pipe the others answer once, at the end.
            Format::Text => {}
        }
        self.sink.write(&self.buffer).map(|_| ())
    }

    fn put_json(&mut self, summary: &Summary) {
        let top = self.wanted.layout.top;
        let doctor = summary.question == Question::Doctor;
        // Whoever asks for causes reads them first, the others after what they rest on.
        let (before, after) = if doctor { (&summary.findings[..], &[][..]) } else { (&[][..], &summary.findings[..]) };
        before.iter().for_each(|finding| json::finding(&mut self.buffer, finding));
        rows::of(summary, top).iter().for_each(|row| json::row(&mut self.buffer, summary.time, row));
        json::summary(&mut self.buffer, summary, top);
        after.iter().for_each(|finding| json::finding(&mut self.buffer, finding));
    }

    fn put_csv(&mut self, summary: &Summary) {
        let all = rows::of(summary, self.wanted.layout.top);
        csv::rows(&mut self.buffer, summary.time, &all);
    }

    fn put_screen(&mut self, summary: &Summary) {
        if self.wanted.redraws(&self.sink) {
            self.buffer.extend(CLEAR);
        }
        self.buffer.extend(screen(summary, self.wanted.layout).bytes());
    }

    /// All but what was observed and found.
    fn summary(&self, page: Page, is_final: bool) -> Summary {
        Summary {
            question: self.setting.question,
            time: clock::wall_now(),
            is_final,
            observed: Default::default(),
            lost: page.lost,
            traced: self.setting.traced,
            tier: self.setting.tier,
            kernel: self.setting.kernel.clone(),
            ledger: page.ledger,
            findings: Vec::new(),
            notes: self.setting.notes.iter().chain(&self.lacks).cloned().collect(),
        }
    }

    fn survey(&mut self, inventory: &Inventory) {
        self.aggregates.survey(inventory);
        self.lacks.clone_from(&inventory.lacks);
    }

    fn sample_if_needed(&mut self) {
        if self.setting.samples_time_wait {
            self.aggregates.sample(sample_proc());
        }
    }

    fn remember(&mut self, found: &[Finding]) {
        // Severities are ordered worst first.
        self.worst = found.iter().map(|finding| finding.severity).chain(self.worst).min();
    }
}

/// TIME_WAIT of this process's own namespace as /proc tells it: the only source where no program can be attached.
fn sample_proc() -> TimeWaitSnapshot {
    let Ok(namespace) = fs::metadata("/proc/self/ns/net") else { return TimeWaitSnapshot::new() };
    let totals = TimeWaitTotals::from_proc(&NetStat::read());
    [(namespace.ino() as u32, totals)].into()
}
