// SPDX-License-Identifier: MIT OR Apache-2.0
//! The only loop over time: events in, a summary at every tick, a final one at the end.

use std::time::Duration;

use tokio::{
    net::UnixStream,
    time::{Instant, MissedTickBehavior, interval_at, sleep_until},
};

use crate::{
    clock,
    event::Event,
    exit::{Failure, Tried},
    governor::{CounterSnapshot, Governor},
    inventory::surveyor::Surveyor,
    shutdown,
    source::{live::Live, time_wait_proc},
    stream::{Consumer, Message, Written},
};

/// When to write summaries and when to end.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Time between summaries.
    pub interval: Duration,
    /// Length of the run; `None`: until a signal.
    pub duration: Option<Duration>,
}

/// Time between two polls: the kernel side wakes the agent only when much data is waiting.
const LOOK: Duration = Duration::from_millis(50);
/// Number of consecutive polls without events after which the next event wakes the agent.
const IN_VAIN: u32 = 10;
/// With longer intervals, time between two checks whether rows run out of room.
const IN_TIME: Duration = Duration::from_secs(1);
/// Far enough to never come, near enough to be representable.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The live source and its governor.
pub struct Traced {
    /// Source of events.
    pub source: Live,
    /// Keeps the programs.
    pub governor: Governor,
}

/// All sources of a run.
pub struct Sources {
    /// The traced part; without it the report shows what can be read.
    pub traced: Option<Traced>,
    /// Reads sockets; `None`: not requested.
    pub surveyor: Option<Surveyor>,
    /// Whether TIME_WAIT totals are sampled from /proc, because no program traces them.
    pub samples_time_wait: bool,
}

/// Runs until the time is up, a signal arrives or the output is closed, and ends with the final summary. `ready` is
/// called once signals are handled, so that a waiting process may send one at once.
///
/// # Errors
/// When the source fails or a summary cannot be written.
pub async fn run(
    mut sources: Sources,
    consumer: &mut impl Consumer,
    pace: Pace,
    ready: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let wake = listen().map_err(|error| broken("cannot listen for signals", &error))?;
    ready()?;
    let begin = Instant::now();
    let mut ticks = interval_at(begin + pace.interval, pace.interval);
    // After a stall there is one late summary, not several empty ones.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looks = interval_at(begin + LOOK, LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut in_vain = 0;
    let end = begin + pace.duration.unwrap_or(NEVER);
    shutdown::end_at(end.into_std());
    loop {
        let due = sources.traced.as_ref().map_or(begin + NEVER, |traced| traced.governor.due());
        tokio::select! {
            woken = woken(&mut sources.traced) => {
                woken.map_err(|error| ring_ended(&error))?;
                if in_vain >= IN_VAIN {
                    sleep(&mut sources.traced, false);
                    looks.reset();
                }
                in_vain = 0;
                if read(&mut sources.traced, consumer)?.1 == Written::NobodyReads {
                    return Ok(());
                }
            }
            _ = looks.tick(), if sources.traced.is_some() && in_vain < IN_VAIN => {
                let (events, written) = read(&mut sources.traced, consumer)?;
                if written == Written::NobodyReads {
                    return Ok(());
                }
                in_vain = if events > 0 { 0 } else { in_vain + 1 };
                if in_vain == IN_VAIN {
                    sleep(&mut sources.traced, true);
                    // Data that arrived before wake-ups were enabled does not wake the agent.
                    read(&mut sources.traced, consumer)?;
                }
            }
            _ = ticks.tick() => {
                read(&mut sources.traced, consumer)?;
                sources.poll_counters(consumer)?;
                if let Some(inventory) = sources.surveyor.as_ref().and_then(Surveyor::news) {
                    consumer.consume(Message::Inventory(&inventory))?;
                }
                consumer.consume(Message::Tick(clock::now()))?;
                if let Some(traced) = sources.traced.as_mut().filter(|_| consumer.wants_port_probes()) {
                    traced.governor.start_burst();
                }
                if consumer.flush()? == Written::NobodyReads {
                    return Ok(());
                }
            }
            () = sleep_until(due) => if let Some(Traced { source, governor }) = &mut sources.traced {
                if let Some(change) = governor.act() {
                    consumer.consume(Message::Event(&Event::Detail(change)))?;
                }
                if pace.interval > IN_TIME
                    && governor.is_pressed()
                    && let Some(counters) = governor.counters(source.undecoded())
                {
                    consumer.consume(Message::Counters(&counters))?;
                }
            },
            () = sleep_until(end) => break,
            () = asked_to_end(&wake) => break,
        }
    }
    if let Some(traced) = &mut sources.traced {
        traced.governor.stop();
        traced.source.finish(|event| consumer.consume(Message::Event(event)))?;
    }
    sources.poll_counters(consumer)?;
    if let Some(inventory) = sources.surveyor.as_ref().map(Surveyor::fresh) {
        consumer.consume(Message::Inventory(&inventory))?;
    }
    consumer.consume(Message::End(clock::now()))?;
    consumer.flush()?;
    Ok(())
}

fn listen() -> std::io::Result<UnixStream> {
    shutdown::listen()?;
    let wake = shutdown::wake().ok_or(std::io::ErrorKind::NotConnected)?.try_clone()?;
    wake.set_nonblocking(true)?;
    UnixStream::from_std(wake)
}

async fn woken(traced: &mut Option<Traced>) -> std::io::Result<()> {
    match traced {
        Some(traced) => traced.source.woken().await,
        None => std::future::pending().await,
    }
}

fn sleep(traced: &mut Option<Traced>, asleep: bool) {
    if let Some(traced) = traced {
        traced.governor.sleep(asleep);
    }
}

/// Reads the waiting events; returns their number, and whether writing may continue.
fn read(traced: &mut Option<Traced>, consumer: &mut impl Consumer) -> Result<(u64, Written), Failure> {
    let Some(Traced { source, governor }) = traced else { return Ok((0, Written::Yes)) };
    let (mut events, begin_ns) = (0_u64, clock::thread_cpu_ns());
    source.read(|event| {
        events += 1;
        consumer.consume(Message::Event(event))
    })?;
    let written = consumer.flush()?;
    if events > 0 {
        governor.spent_on_events(clock::thread_cpu_ns().saturating_sub(begin_ns));
    }
    Ok((events, written))
}

impl Sources {
    /// Reads the counters, and the totals of the kernel side.
    fn poll_counters(&mut self, consumer: &mut impl Consumer) -> Result<(), Failure> {
        match &mut self.traced {
            None => consumer.consume(Message::Counters(&CounterSnapshot::untraced()))?,
            Some(Traced { source, governor }) => {
                source.set_clock();
                source.log_kernel_side();
                let counters = governor.counters(source.undecoded());
                if let Some(counters) = &counters {
                    consumer.consume(Message::Counters(counters))?;
                }
                let rows = counters.iter().flat_map(|counters| &counters.folded).flat_map(|folded| &folded.rows);
                if let Some(totals) = source.totals(rows.map(|row| row.cgroup_id)) {
                    consumer.consume(Message::Totals(&totals))?;
                }
            }
        }
        if self.samples_time_wait {
            consumer.consume(Message::TimeWait(&time_wait_proc::sample()))?;
        }
        Ok(())
    }
}

/// Waits for the first signal.
async fn asked_to_end(wake: &UnixStream) {
    // An error here would recur in every later wait: then the time ends the run, or the second signal.
    if wake.readable().await.is_err() {
        std::future::pending().await
    }
}

fn broken(what: &str, error: &std::io::Error) -> Failure {
    Failure::Failed { headline: what.into(), tried: vec![Tried::new("tokio", error.to_string())], try_next: vec![] }
}

fn ring_ended(error: &std::io::Error) -> Failure {
    Failure::Failed {
        headline: "cannot read the ring buffer any more".into(),
        tried: vec![Tried::new("epoll", error.to_string())],
        try_next: vec!["start again; if it happens again, run with -v".into()],
    }
}
