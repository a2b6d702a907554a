// SPDX-License-Identifier: MIT OR Apache-2.0
//! Consumes messages and records them.

use std::io;

use super::{
    block::Kind,
    events::Events,
    message::{head, payload},
    writer::{Target, Writer},
};
use crate::{
    event::Event,
    exit::{Failure, Tried},
    session_info::SessionInfo,
    stream::{Consumer, Message, Written},
};

/// Upper limit of the time in ns until events are written, however long the interval is.
const AT_LEAST_EVERY_NS: i128 = 1_000_000_000;

/// Writes a recording.
#[derive(Debug)]
pub struct Recorder {
    name: String,
    events: Events,
    /// Time of the first waiting event.
    since_ns: Option<i128>,
    writer: Writer,
}

impl Recorder {
    /// Starts a recording.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn begin(target: Target, known: &SessionInfo) -> Result<Self, Failure> {
        let name = target.path.display().to_string();
        match Writer::start(target, known) {
            Ok(writer) => Ok(Self { name, events: Events::default(), since_ns: None, writer }),
            Err(source) => Err(Failure::Output { to: name, source }),
        }
    }

    /// Writes the history, and everything that follows.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn fire(&mut self) -> Result<(), Failure> {
        self.put_events()?;
        let fired = self.writer.fire();
        self.judge(fired)
    }

    /// Whether it writes to a file, and not only to memory.
    ///
    /// # Errors
    /// When the file can no longer be written.
    pub fn has_file(&mut self) -> Result<bool, Failure> {
        let has_file = self.writer.has_file();
        has_file.or_else(|error| self.judge(Err(error)).map(|()| false))
    }

    fn event(&mut self, event: &Event) -> Result<(), Failure> {
        self.events.push(event);
        let now_ns = event.time().map(|time| time.as_nanosecond());
        self.since_ns = self.since_ns.or(now_ns);
        let old = now_ns.zip(self.since_ns).is_some_and(|(now_ns, since_ns)| now_ns - since_ns >= AT_LEAST_EVERY_NS);
        if old || self.events.are_many() { self.put_events() } else { Ok(()) }
    }

    fn put_events(&mut self) -> Result<(), Failure> {
        if self.events.count() == 0 {
            return Ok(());
        }
        let events = std::mem::take(&mut self.events);
        self.since_ns = None;
        let sent = self.writer.block(Kind::Events, events.payload());
        self.judge(sent)
    }

    fn judge(&self, result: io::Result<()>) -> Result<(), Failure> {
        result.map_err(|error| Failure::Failed {
            headline: format!("the recording {} ends here: {error}", self.name),
            tried: vec![Tried::new("write", "the recording can be replayed up to its last complete block")],
            try_next: vec![match error.kind() {
                io::ErrorKind::StorageFull => "free some space there, or limit the size with --rotate-size".into(),
                _ => "another place".into(),
            }],
        })
    }
}

impl Consumer for Recorder {
    fn consume(&mut self, message: Message<'_>) -> Result<(), Failure> {
        if let Message::Event(event) = message {
            return self.event(event);
        }
        self.put_events()?;
        let sent = match (message, payload(message)) {
            (Message::Tick(now), _) => self.writer.tick(now, head(&now)),
            (Message::End(_), Some((kind, payload))) => {
                self.writer.block(kind, payload).and_then(|()| self.writer.finish())
            }
            (_, Some((kind, payload))) => self.writer.block(kind, payload),
            (_, None) => Ok(()),
        };
        self.judge(sent)
    }

    fn flush(&mut self) -> Result<Written, Failure> {
        Ok(Written::Yes)
    }
}

/// Keeps what happened so far if the output is closed or a failure occurs.
impl Drop for Recorder {
    fn drop(&mut self) {
        if let Err(failure) = self.put_events().and_then(|()| {
            let finished = self.writer.finish();
            self.judge(finished)
        }) {
            tracing::warn!("{failure}");
        }
    }
}
