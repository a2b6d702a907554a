// SPDX-License-Identifier: MIT OR Apache-2.0
//! What travels after the source, in the order in which it happened: whoever follows cannot tell live from replay.

use crate::{
    clock::Moment,
    event::Event,
    exit::Failure,
    governor::Stock,
    inventory::Inventory,
    model::{time_wait::TimeWaitSnapshot, totals::Totals},
};

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub enum Happening<'a> {
    /// An event came through.
    Event(&'a Event),
    /// The books were looked at.
    Stock(&'a Stock),
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
impl<A: Follow, B: Follow> Follow for (Option<A>, B) {
    fn follow(&mut self, happening: Happening<'_>) -> Result<(), Failure> {
        if let Some(first) = &mut self.0 {
            first.follow(happening)?;
        }
        self.1.follow(happening)
    }

    fn flush(&mut self) -> Result<Written, Failure> {
        let first = self.0.as_mut().map_or(Ok(Written::Yes), Follow::flush)?;
        let second = self.1.flush()?;
        Ok(if first == Written::NobodyReads { first } else { second })
    }

    fn has_a_riddle(&self) -> bool {
        self.1.has_a_riddle()
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
pub trait Follow {
    /// It says itself how far it is.
    const TELLS_PROGRESS: bool = false;

    /// Takes one happening.
    ///
    /// # Errors
    /// When what it makes of it cannot be written.
    fn follow(&mut self, happening: Happening<'_>) -> Result<(), Failure>;

    /// Sends everything on its way.
    ///
    /// # Errors
    /// When it cannot be written.
    fn flush(&mut self) -> Result<Written, Failure>;

    /// The last interval had something that port probes could explain.
    fn has_a_riddle(&self) -> bool {
        false
    }
}
