// SPDX-License-Identifier: MIT OR Apache-2.0
//! Progress on standard error, for work that takes longer than a second; hidden unless standard error is a terminal.

use std::{io::IsTerminal as _, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    exit::Failure,
    stream::{Consumer, Message, Written},
};

const STEADY: Duration = Duration::from_millis(250);

/// A bar of `steps`; without their number something that turns.
pub fn bar(what: &'static str, steps: Option<u64>) -> ProgressBar {
    let shown = std::io::stderr().is_terminal();
    let bar = match steps {
        Some(steps) => ProgressBar::new(steps).with_style(style("{msg} {bar:40} {pos}/{len} {eta} left")),
        None => ProgressBar::no_length().with_style(style("{msg} {spinner} {elapsed}")),
    };
    bar.set_draw_target(if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() });
    bar.set_message(what);
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Someone who follows, and how long that has been going on.
#[derive(Debug)]
pub struct Watched<F> {
    /// Who.
    pub consumer: F,
    bar: ProgressBar,
    begin_ns: u64,
    whole: Option<Duration>,
}

impl<F> Watched<F> {
    /// Shows the progress of `consumer` from `begin_ns` on `CLOCK_MONOTONIC` on, for `whole`.
    pub fn new(consumer: F, what: &'static str, begin_ns: u64, whole: Option<Duration>) -> Self {
        let bar = match whole {
            Some(whole) => bar(what, Some(whole.as_secs())),
            None => bar(what, None),
        };
        bar.enable_steady_tick(STEADY);
        Self { consumer, bar, begin_ns, whole }
    }
}

impl<F: Consumer> Consumer for Watched<F> {
    const SHOWS_PROGRESS: bool = true;

    fn consume(&mut self, message: Message<'_>) -> Result<(), Failure> {
        match message {
            Message::Tick(now) if self.whole.is_some() => {
                self.bar.set_position(now.monotonic_ns.saturating_sub(self.begin_ns) / 1_000_000_000);
            }
            Message::End(_) => self.bar.finish_and_clear(),
            _ => {}
        }
        self.consumer.consume(message)
    }

    fn flush(&mut self) -> Result<Written, Failure> {
        self.consumer.flush()
    }

    fn wants_port_probes(&self) -> bool {
        self.consumer.wants_port_probes()
    }

    fn truncated(&mut self) {
        self.consumer.truncated();
    }
}
