// SPDX-License-Identifier: MIT OR Apache-2.0
//! The only loop over time: events in, answers out at every tick, the last one at the end.

use std::time::Duration;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, MissedTickBehavior, interval_at, sleep_until},
};

use crate::{
    answer::Answer,
    clock,
    event::Event,
    exit::{Failure, Tried},
    export::sink::Written,
    governor::{Governor, Stock},
    source::live::Live,
};

/// When to answer and when to end.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two answers.
    pub interval: Duration,
    /// Until the last one; `None`: until a signal.
    pub duration: Option<Duration>,
}

/// The kernel side wakes us only when much is waiting, so what is little is looked for this often.
const LOOK: Duration = Duration::from_millis(50);
/// Far enough to never come, near enough to be a moment.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// SIGINT and SIGTERM: the end, with the final answer; a second one leaves at once.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// What is traced; without it an answer rests on what can be read alone.
pub struct Traced {
    /// Where events come from.
    pub source: Live,
    /// Keeps the programs.
    pub governor: Governor,
}

/// Runs until the time is up, a signal comes or nobody reads any more, and gives the final answer. `ready` is called
/// once a signal would be heard: whoever waits for it may send one at once.
///
/// # Errors
/// When the source breaks or an answer cannot be written.
pub async fn run(
    mut traced: Option<Traced>,
    answer: &mut Answer,
    pace: Pace,
    ready: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut stop = Stop::listen().map_err(|error| broken("cannot listen to signals", &error))?;
    ready()?;
    let begin = Instant::now();
    let mut ticks = interval_at(begin + pace.interval, pace.interval);
    // A machine that stalls gets one late answer, not a heap of empty ones.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looks = interval_at(begin + LOOK, LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = begin + pace.duration.unwrap_or(NEVER);
    loop {
        let due = traced.as_ref().map_or(begin + NEVER, |traced| traced.governor.due());
        tokio::select! {
            woken = woken(&mut traced) => {
                woken.map_err(|error| ring_ended(&error))?;
                if read(&mut traced, answer)? == Written::NobodyReads {
                    return Ok(());
                }
            }
            _ = looks.tick(), if traced.is_some() => {
                if read(&mut traced, answer)? == Written::NobodyReads {
                    return Ok(());
                }
            }
            _ = ticks.tick() => {
                read(&mut traced, answer)?;
                take_stock(&mut traced, answer)?;
                let explain = answer.tick()?;
                if let Some(traced) = traced.as_mut().filter(|_| explain) {
                    traced.governor.explain();
                }
                if answer.flush()? == Written::NobodyReads {
                    return Ok(());
                }
            }
            () = sleep_until(due) => if let Some(change) = traced.as_mut().and_then(|traced| traced.governor.act()) {
                answer.observe(&Event::Detail(change))?;
            },
            () = sleep_until(end) => break,
            () = stop.asked() => {
                leave_at_once_next_time();
                break;
            }
        }
    }
    if let Some(traced) = &mut traced {
        traced.governor.stop();
        traced.source.finish(|event| answer.observe(event))?;
    }
    take_stock(&mut traced, answer)?;
    answer.finish()?;
    answer.flush()?;
    Ok(())
}

async fn woken(traced: &mut Option<Traced>) -> std::io::Result<()> {
    match traced {
        Some(traced) => traced.source.woken().await,
        None => std::future::pending().await,
    }
}

/// The events that wait, and on its way what they made us write.
fn read(traced: &mut Option<Traced>, answer: &mut Answer) -> Result<Written, Failure> {
    let Some(Traced { source, governor }) = traced else { return Ok(Written::Yes) };
    let (before, begin_ns) = (answer.delivered(), clock::thread_cpu_ns());
    source.read(|event| answer.observe(event))?;
    let written = answer.flush()?;
    if answer.delivered() > before {
        governor.spent_on_events(clock::thread_cpu_ns().saturating_sub(begin_ns));
    }
    Ok(written)
}

/// What is not an event: the books, and the totals that the kernel side keeps.
fn take_stock(traced: &mut Option<Traced>, answer: &mut Answer) -> Result<(), Failure> {
    let Some(Traced { source, governor }) = traced else { return answer.enter(&Stock::untraced()) };
    source.set_clock();
    source.log_kernel_side();
    answer.enter(&governor.stock(source.undecoded()))?;
    answer.enter_totals(&source.totals());
    Ok(())
}

/// From now on a signal does what it does to any program.
fn leave_at_once_next_time() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: sets the default disposition of a signal; no handler of ours runs code that depends on it.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

fn broken(what: &str, error: &std::io::Error) -> Failure {
    Failure::Failed { headline: what.into(), tried: vec![Tried::new("tokio", error.to_string())], try_next: vec![] }
}

fn ring_ended(error: &std::io::Error) -> Failure {
    Failure::Failed {
        headline: "the ring buffer can no longer be read".into(),
        tried: vec![Tried::new("epoll", error.to_string())],
        try_next: vec!["start again; with -v if it happens again".into()],
    }
}
