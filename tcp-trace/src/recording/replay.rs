// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replays a recording to a consumer, limited to what a live run would have observed.

use std::{
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use tcp_trace_common::config::Config;

use super::{
    block::Broken,
    filter::Filter,
    message::OwnedMessage,
    pacing::Pacing,
    player::{Ending, Player},
};
use crate::{
    clock::Moment,
    event::Event,
    exit::{Failure, Tried},
    mode::Mode,
    model::scope::Scope,
    probes::table::Signal,
    session_info::SessionInfo,
    stream::{Consumer, Message, Written},
};

/// Limits of a replay.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// The question of the command.
    pub mode: Mode,
    /// Signals, other than connect, whose events are needed one by one.
    pub streamed: Vec<Signal>,
    /// Filters of the command line.
    pub filters: Config,
    /// Time between reports; recorded intervals are not divided.
    pub interval: Duration,
    /// Length from the start of the recording.
    pub duration: Option<Duration>,
}

impl ReplayOptions {
    /// Limits that include everything in the recording.
    pub fn whole(mode: Mode, known: &SessionInfo) -> Self {
        let (streamed, interval) = (known.streamed.clone(), known.interval);
        Self { mode, streamed, filters: Config::EMPTY, interval, duration: None }
    }
}

/// A recording that is about to be replayed.
#[derive(Debug)]
pub struct Replay<R> {
    player: Player<R>,
    known: SessionInfo,
    path: PathBuf,
    options: ReplayOptions,
    filter: Filter,
    /// One tick in this many is reported.
    one_in: u32,
    /// Number of ticks so far.
    ticks: u32,
    over: bool,
}

impl<R: Read> Replay<R> {
    /// Prepares the replay of an open recording.
    ///
    /// # Errors
    /// When the recording lacks what the command needs.
    pub fn new(player: Player<R>, path: &Path, options: ReplayOptions) -> Result<Self, Failure> {
        let mut known = player.known().clone();
        holds(&known, &options, path)?;
        let filter = Filter::of(&options.filters, known.has_rows);
        if filter.narrows() {
            known.scope = Scope::of(&options.filters);
        }
        if options.mode.surveys() && !known.surveyed {
            known.notes.push("this recording contains no sockets".into());
        }
        let one_in = (options.interval.as_secs_f64() / known.interval.as_secs_f64()).round().clamp(1.0, 1e9) as u32;
        Ok(Self { player, known, path: path.to_owned(), options, filter, one_in, ticks: 0, over: false })
    }

    /// Replays to the end and returns the consumer; `read` receives the number of bytes read.
    ///
    /// # Errors
    /// When a report cannot be written; after the report, when the recording is damaged.
    pub fn play<F: Consumer>(
        mut self,
        speed: Option<f64>,
        mut read: impl FnMut(u64),
        consumer: impl FnOnce(&SessionInfo) -> Result<F, Failure>,
    ) -> Result<F, Failure> {
        let mut consumer = consumer(&self.known)?;
        let mut pacing = speed.map(|speed| Pacing::new(self.known.begin, speed));
        let mut written = Written::Yes;
        let ending = loop {
            let Self { player, options, filter, known, one_in, ticks, over, .. } = &mut self;
            let ending = player.block(|mut message| {
                if *over || written == Written::NobodyReads || !is_wanted(&mut message, options, filter) {
                    return Ok(());
                }
                if let Some(pacing) = &mut pacing {
                    pacing.wait(&message, || consumer.flush())?;
                }
                match message.as_message() {
                    Message::Tick(now) if ends(known.begin, now, options) => {
                        *over = true;
                        consumer.consume(Message::End(now))?;
                    }
                    Message::Tick(now) => {
                        *ticks += 1;
                        if ticks.is_multiple_of(*one_in) {
                            consumer.consume(Message::Tick(now))?;
                            written = consumer.flush()?;
                        }
                    }
                    message => consumer.consume(message)?,
                }
                Ok(())
            })?;
            read(self.player.bytes_read());
            match ending {
                _ if self.over || written == Written::NobodyReads => break Ending::Whole,
                Some(ending) => break ending,
                None => {}
            }
        };
        self.end(&mut consumer, &ending)?;
        consumer.flush()?;
        match ending {
            Ending::Damaged(broken) => Err(self.damaged(&broken)),
            Ending::Whole | Ending::Cut => Ok(consumer),
        }
    }

    /// Ends the replay: a truncated recording still has a final report.
    fn end(&self, consumer: &mut impl Consumer, ending: &Ending) -> Result<(), Failure> {
        if self.player.unknown() > 0 {
            let (path, unknown) = (self.path.display(), self.player.unknown());
            tracing::warn!("{path}: {unknown} blocks of an unknown kind were skipped");
        }
        if matches!(ending, Ending::Whole) {
            return Ok(());
        }
        let last = self.player.last();
        if matches!(ending, Ending::Cut) {
            tracing::warn!("{}: truncated after {}; complete up to there", self.path.display(), last.wall);
            consumer.truncated();
        }
        consumer.consume(Message::End(last))
    }

    fn damaged(&self, broken: &Broken) -> Failure {
        let (state, try_next) = match broken {
            Broken::Costly { .. } => {
                ("needs too much memory or work", "use `tcp-trace replay --unlimited`, if you trust its source")
            }
            _ => ("is damaged", "use another copy"),
        };
        Failure::Failed {
            headline: format!(
                "{} {state}; the report covers it up to {}",
                self.path.display(),
                self.player.last().wall
            ),
            tried: vec![Tried::new("read", broken.to_string())],
            try_next: vec![try_next.into()],
        }
    }
}

fn ends(begin: Moment, now: Moment, options: &ReplayOptions) -> bool {
    let ran = u128::from(now.monotonic_ns.saturating_sub(begin.monotonic_ns));
    options.duration.is_some_and(|duration| ran >= duration.as_nanos())
}

fn is_wanted(message: &mut OwnedMessage, options: &ReplayOptions, filter: &mut Filter) -> bool {
    match message {
        OwnedMessage::Event(event) => {
            let streamed = |signal| options.streamed.contains(&signal);
            match event {
                Event::Connect(connect) => filter.passes(connect),
                Event::TimeWait(_) => streamed(Signal::TimeWait),
                Event::ListenDrop(_) => streamed(Signal::Listen),
                Event::Bind(_) => streamed(Signal::Bind),
                Event::State(_) => streamed(Signal::State),
                Event::Stack(_) => streamed(Signal::Stack),
                Event::Detail(_) | Event::Lost(_) => true,
            }
        }
        OwnedMessage::Counters(counters) => {
            filter.leave_out(counters);
            true
        }
        _ => true,
    }
}

fn holds(known: &SessionInfo, options: &ReplayOptions, path: &Path) -> Result<(), Failure> {
    let main = options.mode.main_signal();
    let missing: Vec<_> = options.streamed.iter().filter(|signal| !known.streamed.contains(signal)).collect();
    let lacks_main = known.traced && !known.signals.contains_key(&main);
    // What a live run could not attach is missing in its report too, which says so.
    let wanted = known.signals.keys().chain(&known.streamed).any(|signal| *signal == main);
    let headline = match missing.first() {
        _ if lacks_main && !wanted && !known.surveyed => format!("no {main} signal was recorded in {}", path.display()),
        Some(signal) => format!("no {signal} events were recorded in {}", path.display()),
        None => return Ok(()),
    };
    Err(Failure::Usage {
        headline,
        try_next: vec!["record again with `tcp-trace record FILE`, which records all signals and events".into()],
    })
}
