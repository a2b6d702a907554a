// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stacks to frames with names, on a thread of its own and with a time limit, because the owners of processes control
//! the files that names come from.

pub(crate) mod hostile;
mod look_up;
mod module;
mod names;
mod process;
#[cfg(test)]
mod tests;
mod worker;

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use self::{
    look_up::LookUp,
    worker::{Answer, Worker},
};
use crate::event::{Event, Frame, Frames, Stack, UserEnd};

/// A stack that has waited this long has no names. Reading the debug information of a large program takes seconds.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// Upper limit of threads per run: a thread that hangs cannot be ended, and keeps its memory.
const MAX_WORKERS: u32 = 3;
/// Upper limit of waiting events; beyond it the first stack has no names.
const MAX_WAITING: usize = 1 << 17;

/// Creates a lookup function on the thread that will call it.
type NewLookUp = fn() -> Box<dyn FnMut(&mut Stack)>;

/// Events in their order: an event with a stack waits for its names, and later events wait behind it.
pub struct Stacks {
    new_look_up: NewLookUp,
    time_limit: Duration,
    worker: Option<Worker>,
    started: u32,
    waiting: VecDeque<Waiting>,
    /// Processes on which a worker was lost.
    banned: HashSet<u32>,
}

#[expect(clippy::large_enum_variant, reason = "most of them are events, which need no memory of their own")]
enum Waiting {
    Ready(Event),
    /// A stack whose copied memory the worker has.
    LookedUp(Stack, Instant),
}

impl Default for Stacks {
    fn default() -> Self {
        Self::with(TIME_LIMIT, || {
            let mut look_up = LookUp::new();
            Box::new(move |stack| look_up.enrich(stack))
        })
    }
}

impl Stacks {
    fn with(time_limit: Duration, new_look_up: NewLookUp) -> Self {
        Self { new_look_up, time_limit, worker: None, started: 0, waiting: VecDeque::new(), banned: HashSet::new() }
    }

    /// Starts the worker and waits until it has read the kernel's symbols, which takes long enough for a process to
    /// come and go.
    pub fn prepare(&mut self) {
        self.start();
    }

    /// Passes on an event: at once, or after the stacks before it have their names.
    ///
    /// # Errors
    /// The first error of `observe`.
    pub fn pass<E>(&mut self, event: Event, observe: &mut impl FnMut(&Event) -> Result<(), E>) -> Result<(), E> {
        match event {
            Event::Stack(stack) if stack.captured.is_some() => {
                let waiting = self.send(stack);
                self.waiting.push_back(waiting);
            }
            event if self.waiting.is_empty() => return observe(&event),
            event => self.waiting.push_back(Waiting::Ready(event)),
        }
        self.show(observe)
    }

    /// Passes on everything that is ready.
    ///
    /// # Errors
    /// The first error of `observe`.
    pub fn show<E>(&mut self, observe: &mut impl FnMut(&Event) -> Result<(), E>) -> Result<(), E> {
        while let Some(first) = self.waiting.pop_front() {
            let (stack, since) = match first {
                Waiting::Ready(event) => {
                    observe(&event)?;
                    continue;
                }
                Waiting::LookedUp(stack, since) => (stack, since),
            };
            let left = if self.waiting.len() >= MAX_WAITING { Duration::ZERO } else { self.time_limit };
            let stack = match self.worker.as_ref().map_or(Answer::Lost, Worker::answer) {
                Answer::Stack(stack) => stack,
                Answer::NotYet if since.elapsed() < left => {
                    self.waiting.push_front(Waiting::LookedUp(stack, since));
                    return Ok(());
                }
                Answer::NotYet => self.give_up(stack, "reading took too long"),
                Answer::Lost => self.give_up(stack, "the reader crashed"),
            };
            observe(&Event::Stack(stack))?;
        }
        Ok(())
    }

    /// Passes on everything, and waits for what is not ready, up to the time limit.
    ///
    /// # Errors
    /// The first error of `observe`.
    pub fn finish<E>(&mut self, observe: &mut impl FnMut(&Event) -> Result<(), E>) -> Result<(), E> {
        loop {
            self.show(observe)?;
            match (self.waiting.front(), &self.worker) {
                (None, _) => return Ok(()),
                (Some(_), Some(worker)) => worker.wait(Duration::from_millis(10)),
                (Some(_), None) => {}
            }
        }
    }

    fn start(&mut self) {
        if self.worker.is_none() && self.started < MAX_WORKERS {
            self.started += 1;
            self.worker = Worker::start(self.new_look_up)
                .inspect_err(|error| tracing::warn!("stacks have no names: {error}"))
                .ok();
        }
    }

    fn send(&mut self, mut stack: Stack) -> Waiting {
        self.start();
        if self.banned.contains(&stack.pid) {
            return Waiting::Ready(Event::Stack(without_names(
                stack,
                "reading this process's files took too long or crashed",
            )));
        }
        let Some(worker) = &self.worker else {
            return Waiting::Ready(Event::Stack(without_names(stack, "the reader has ended")));
        };
        let captured = stack.captured.take();
        let whole = Stack { captured, ..stack.clone() };
        match worker.send(whole) {
            true => Waiting::LookedUp(stack, Instant::now()),
            false => Waiting::Ready(Event::Stack(without_names(stack, "too many stacks at once"))),
        }
    }

    /// Abandons the worker on a process, with the other stacks that it has.
    fn give_up(&mut self, stack: Stack, why: &str) -> Stack {
        self.worker = None;
        tracing::warn!("stacks of process {} have no names: {why}", stack.pid);
        self.banned.insert(stack.pid);
        for waiting in &mut self.waiting {
            if let Waiting::LookedUp(stack, _) = waiting {
                let stack = without_names(stack.clone(), "the reader crashed on files of another process");
                *waiting = Waiting::Ready(Event::Stack(stack));
            }
        }
        without_names(stack, why)
    }
}

/// A stack with a frame that shows why there are no names.
fn without_names(stack: Stack, why: &str) -> Stack {
    let user = vec![Frame { name: format!("[names not looked up: {why}]").into(), module: None }];
    let frames = Frames { user, user_end: UserEnd::Gone, kernel: Vec::new(), kernel_errno: None };
    Stack { frames: Arc::new(frames), captured: None, ..stack }
}
