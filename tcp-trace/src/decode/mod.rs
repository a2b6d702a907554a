// SPDX-License-Identifier: MIT OR Apache-2.0
//! Raw bytes to events. Total and without I/O: any bytes yield an event, or one more undecoded record.

mod bind;
mod connect;
mod listen;
mod outcome;
pub use outcome::outcome;
#[cfg(test)]
pub(crate) mod sample;
mod stack;
mod state;
#[cfg(test)]
mod tests;
mod time_wait;

use tcp_trace_common::{
    RawHeader, bind::RawBind, connect::RawConnect, kind, listen::RawListenDrop, port_search::Walk, stack::RawStack,
    state::RawState, time_wait::RawTimeWait,
};
use zerocopy::FromBytes;

use crate::{clock::Anchor, event::Event};

/// Turns raw events into events.
#[derive(Debug)]
pub struct Decoder {
    walk: Walk,
    clock: Anchor,
    undecoded: u64,
}

impl Decoder {
    /// A decoder for events of a kernel whose port search has the properties `walk`.
    pub fn new(walk: Walk, clock: Anchor) -> Self {
        Self { walk, clock, undecoded: 0 }
    }

    /// Synchronises the clocks again, because the wall clock may have been set.
    pub fn set_clock(&mut self, clock: Anchor) {
        self.clock = clock;
    }

    /// Decodes one record. `None`: of an unknown kind, truncated or misaligned, which is counted.
    pub fn decode(&mut self, bytes: &[u8]) -> Option<Event> {
        let event = self.known(bytes);
        if event.is_none() {
            self.undecoded += 1;
        }
        event
    }

    /// Number of raw events so far that could not be decoded.
    pub fn undecoded(&self) -> u64 {
        self.undecoded
    }

    fn known(&mut self, bytes: &[u8]) -> Option<Event> {
        // Read in place: the ring keeps every record aligned to eight bytes.
        let (header, _) = RawHeader::ref_from_prefix(bytes).ok()?;
        match header.kind {
            kind::CONNECT => {
                let (raw, _) = RawConnect::ref_from_prefix(bytes).ok()?;
                Some(Event::Connect(self.connect(raw)))
            }
            kind::TIME_WAIT => {
                let (raw, _) = RawTimeWait::ref_from_prefix(bytes).ok()?;
                Some(Event::TimeWait(self.time_wait(raw)?))
            }
            kind::LISTEN_DROP => {
                let (raw, _) = RawListenDrop::ref_from_prefix(bytes).ok()?;
                Some(Event::ListenDrop(self.listen_drop(raw)?))
            }
            kind::BIND => {
                let (raw, _) = RawBind::ref_from_prefix(bytes).ok()?;
                Some(Event::Bind(self.bind(raw)))
            }
            kind::STACK => {
                let (raw, _) = RawStack::ref_from_prefix(bytes).ok()?;
                Some(Event::Stack(self.stack(raw)?))
            }
            kind::STATE => {
                let (raw, _) = RawState::ref_from_prefix(bytes).ok()?;
                Some(Event::State(self.state(raw)?))
            }
            _ => None,
        }
    }
}
