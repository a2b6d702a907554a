// SPDX-License-Identifier: MIT OR Apache-2.0
//! A recording beside a report: when it can no longer be written, the report continues without it.

use super::{recorder::Recorder, writer::Target};
use crate::{
    exit::Failure,
    session_info::SessionInfo,
    stream::{Consumer, Message, Written},
};

/// Writes as long as possible.
#[derive(Debug)]
pub struct Beside {
    recorder: Result<Recorder, Failure>,
}

impl Beside {
    /// Starts the recording.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn begin(target: Target, known: &SessionInfo) -> Result<Self, Failure> {
        Ok(Self { recorder: Ok(Recorder::begin(target, known)?) })
    }

    /// Checks whether the recording is complete.
    ///
    /// # Errors
    /// Why it ended before the report did.
    pub fn whole(self) -> Result<(), Failure> {
        self.recorder.map(drop)
    }
}

impl Consumer for Beside {
    fn consume(&mut self, message: Message<'_>) -> Result<(), Failure> {
        if let Ok(recorder) = &mut self.recorder
            && let Err(failure) = recorder.consume(message)
        {
            tracing::warn!("{failure}; the report continues without the recording");
            self.recorder = Err(failure);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<Written, Failure> {
        Ok(Written::Yes)
    }
}
