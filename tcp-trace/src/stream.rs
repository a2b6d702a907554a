// SPDX-License-Identifier: MIT OR Apache-2.0
//! What travels after the source, in the order in which it happened: whoever follows cannot tell live from replay.

use crate::{
    clock::Moment,
    event::Event,
    exit::Failure,
    governor::CounterSnapshot,
    inventory::Inventory,
    model::{time_wait::TimeWaitSnapshot, totals::Totals},
};

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// An event came through.
    Event(&'a Event),
    /// The books were looked at.
    Counters(&'a CounterSnapshot),
    /// So were the totals that the kernel side keeps.
    Totals(&'a Totals),
    /// TIME_WAIT was read from /proc, because no program sees it.
    TimeWait(&'a TimeWaitSnapshot),
    /// Sockets were looked at.
    Inventory(&'a Inventory),
    /// An interval ends.
    Tick(Moment),
    /// The run ends.
    End(Moment),
}

/// One after the other: the first has it before the second makes anything of it.
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
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is on its way.
    Yes,
    /// Nobody reads any more: the end of the run, and not an error.
    NobodyReads,
}

/// Who takes what happens.
pub trait Consumer {
    /// It says itself how far it is.
    const SHOWS_PROGRESS: bool = false;

    /// Takes one message.
    ///
    /// # Errors
    /// When what it makes of it cannot be written.
    fn consume(&mut self, message: Message<'_>) -> Result<(), Failure>;

    /// Sends everything on its way.
    ///
    /// # Errors
    /// When it cannot be written.
    fn flush(&mut self) -> Result<Written, Failure>;

    /// The last interval had something that port probes could explain.
    fn wants_port_probes(&self) -> bool {
        false
    }
}
