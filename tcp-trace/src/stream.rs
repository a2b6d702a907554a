// SPDX-License-Identifier: MIT OR Apache-2.0
//! What travels after the source, in order: consumers cannot distinguish a live run from a replay.

use crate::{
    clock::Moment,
    event::Event,
    exit::Failure,
    governor::CounterSnapshot,
    inventory::Inventory,
    model::{time_wait::TimeWaitSnapshot, totals::Totals},
};

/// One message.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// An event came through.
    Event(&'a Event),
    /// The counters were read.
    Counters(&'a CounterSnapshot),
    /// The kernel side's totals were read.
    Totals(&'a Totals),
    /// TIME_WAIT was read from /proc, because no program traces it.
    TimeWait(&'a TimeWaitSnapshot),
    /// Sockets were read.
    Inventory(&'a Inventory),
    /// An interval ends.
    Tick(Moment),
    /// The run ends.
    End(Moment),
}

/// Two consumers, one after the other: the first one sees a message before the second one writes anything about it.
impl<A: Consumer, B: Consumer> Consumer for (Option<A>, B) {
    fn consume(&mut self, message: Message<'_>) -> Result<(), Failure> {
        if let Some(first) = &mut self.0 {
            first.consume(message)?;
        }
        self.1.consume(message)
    }

    fn flush(&mut self) -> Result<Written, Failure> {
        let first = self.0.as_mut().map_or(Ok(Written::Yes), Consumer::flush)?;
        let second = self.1.flush()?;
        Ok(if first == Written::NobodyReads { first } else { second })
    }

    fn wants_port_probes(&self) -> bool {
        self.1.wants_port_probes()
    }

    fn truncated(&mut self) {
        if let Some(first) = &mut self.0 {
            first.truncated();
        }
        self.1.truncated();
    }
}

/// Result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The data was written.
    Yes,
    /// The output is closed: the end of the run, and not an error.
    NobodyReads,
}

/// A consumer of messages.
pub trait Consumer {
    /// Whether it shows its own progress.
    const SHOWS_PROGRESS: bool = false;

    /// Consumes one message.
    ///
    /// # Errors
    /// When its output cannot be written.
    fn consume(&mut self, message: Message<'_>) -> Result<(), Failure>;

    /// Flushes the output.
    ///
    /// # Errors
    /// When it cannot be written.
    fn flush(&mut self) -> Result<Written, Failure>;

    /// Whether port probes could explain something in the last interval.
    fn wants_port_probes(&self) -> bool {
        false
    }

    /// Learns, before the end of the run, that a recording ends before the recorded run did.
    fn truncated(&mut self) {}
}
