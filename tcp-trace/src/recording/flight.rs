// SPDX-License-Identifier: MIT OR Apache-2.0
//! The flight recorder: keeps history, and writes it, with what follows for some time, once its trigger fires.

use std::time::Duration;

use super::{
    recorder::Recorder,
    trigger::{Trigger, TriggerEvaluator},
    writer::Target,
};
use crate::{
    clock::Moment,
    exit::Failure,
    session_info::SessionInfo,
    stream::{Consumer, Message, Written},
};

/// Stage of the flight recorder.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// Waiting for the trigger.
    Armed,
    /// The trigger fired in the current interval.
    Fired,
    /// Writing since the end of that interval.
    Writes(Moment),
    /// The recording is complete.
    Done,
}

/// Keeps history, and writes it.
#[derive(Debug)]
pub struct FlightRecorder {
    recorder: Recorder,
    evaluator: TriggerEvaluator,
    after: Duration,
    stage: Stage,
}

impl FlightRecorder {
    /// Arms the recorder. `target` has the length of the history; `after` is how long it goes on.
    ///
    /// # Errors
    /// When it cannot start, when the file could not be written even now, or when its trigger can never fire.
    pub fn arm(target: Target, trigger: Trigger, after: Duration, known: &SessionInfo) -> Result<Self, Failure> {
        if let Some(what) = trigger.never_known(known) {
            return Err(Failure::KernelLacks {
                headline: format!("--trigger could never fire: {what} is unknown on the tracepoint tier"),
                tried: Vec::new(),
                try_next: vec![
                    "use conditions about handshake, total, outcome, comm, pid, port or finding".into(),
                    "`tcp-trace doctor` says why there is no other tier".into(),
                ],
            });
        }
        let recorder = Recorder::begin(target, known)?;
        Ok(Self { recorder, evaluator: TriggerEvaluator::new(trigger, known), after, stage: Stage::Armed })
    }

    /// Whether the trigger has fired.
    pub fn has_fired(&self) -> bool {
        self.stage != Stage::Armed
    }
}

impl Consumer for FlightRecorder {
    fn consume(&mut self, message: Message<'_>) -> Result<(), Failure> {
        if self.stage == Stage::Done {
            return Ok(());
        }
        self.recorder.consume(message)?;
        if self.stage == Stage::Armed && self.evaluator.matches(message) {
            self.recorder.fire()?;
            self.stage = Stage::Fired;
        }
        if let Message::Tick(now) = message {
            match self.stage {
                Stage::Fired => self.stage = Stage::Writes(now),
                Stage::Writes(since) => {
                    let written_ns = u128::from(now.monotonic_ns.saturating_sub(since.monotonic_ns));
                    // Data that cannot be written yet is kept until the run ends.
                    if written_ns >= self.after.as_nanos() && self.recorder.has_file()? {
                        self.recorder.consume(Message::End(now))?;
                        self.stage = Stage::Done;
                    }
                }
                Stage::Armed | Stage::Done => {}
            }
        }
        Ok(())
    }

    /// Once the recording is complete, the run can end.
    fn flush(&mut self) -> Result<Written, Failure> {
        Ok(if self.stage == Stage::Done { Written::NobodyReads } else { Written::Yes })
    }
}
