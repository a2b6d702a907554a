// SPDX-License-Identifier: MIT OR Apache-2.0
//! Recordings for sharing: names and addresses become pseudonyms, one per name throughout the file. They are numbers in
//! order of appearance, so names cannot be guessed and checked. Stacks are left out.

mod event;
mod pseudonyms;
mod totals;

use event::Redact as _;
use pseudonyms::Pseudonyms;

use crate::{
    event::Event,
    exit::Failure,
    model::scope::Scope,
    session_info::SessionInfo,
    stream::{Consumer, Message, Written},
};

/// A consumer that passes on messages with pseudonyms only.
#[derive(Debug)]
pub struct Redacted<F> {
    /// The consumer behind it.
    pub consumer: F,
    pseudonyms: Pseudonyms,
}

impl<F> Redacted<F> {
    /// Starts without any names.
    pub fn new(consumer: F) -> Self {
        Self { consumer, pseudonyms: Pseudonyms::default() }
    }
}

/// The session without names. Filters are removed too, because they may contain names.
pub fn session_info(known: &SessionInfo) -> SessionInfo {
    SessionInfo { scope: Scope::default(), ..known.clone() }
}

impl<F: Consumer> Consumer for Redacted<F> {
    fn consume(&mut self, message: Message<'_>) -> Result<(), Failure> {
        match message {
            Message::Event(Event::Stack(_)) => Ok(()),
            Message::Event(event) => {
                let mut event = event.clone();
                event.redact(&mut self.pseudonyms);
                self.consumer.consume(Message::Event(&event))
            }
            Message::Totals(totals) => {
                let mut totals = totals.clone();
                self.pseudonyms.totals(&mut totals);
                self.consumer.consume(Message::Totals(&totals))
            }
            Message::Inventory(inventory) => {
                let mut inventory = inventory.clone();
                self.pseudonyms.inventory(&mut inventory);
                self.consumer.consume(Message::Inventory(&inventory))
            }
            Message::Counters(counters) if counters.folded.is_some() => {
                let mut counters = counters.clone();
                counters.folded.iter_mut().flat_map(|folded| &mut folded.rows).for_each(|row| self.pseudonyms.row(row));
                self.consumer.consume(Message::Counters(&counters))
            }
            Message::Counters(_) | Message::TimeWait(_) | Message::Tick(_) | Message::End(_) => {
                self.consumer.consume(message)
            }
        }
    }

    fn flush(&mut self) -> Result<Written, Failure> {
        self.consumer.flush()
    }
}
