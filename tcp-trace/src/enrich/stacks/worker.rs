// SPDX-License-Identifier: MIT OR Apache-2.0
//! The thread that looks up stacks, one after another. Waiting for it always has a limit.

use std::{
    cell::Cell,
    io,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, channel, sync_channel},
    thread,
    time::Duration,
};

use super::NewLookUp;
use crate::event::Stack;

/// Upper limit of stacks on their way to it, each with 8 KiB of memory.
const MAX_SENT: usize = 1024;
/// Upper limit of the startup time, many times what reading the kernel's symbols takes.
const START_LIMIT: Duration = Duration::from_secs(10);

/// State of the stack that was sent first.
pub(super) enum Answer {
    /// The stack has its frames.
    Stack(Stack),
    /// The lookup is in progress.
    NotYet,
    /// The thread ended.
    Lost,
}

/// Handle of the thread. When it is dropped, the thread ends after its current lookup.
pub(super) struct Worker {
    stacks: SyncSender<Stack>,
    done: Receiver<Stack>,
    /// An answer that arrived during a wait.
    next: Cell<Option<Stack>>,
}

impl Worker {
    pub(super) fn start(new_look_up: NewLookUp) -> io::Result<Self> {
        let (stacks, waiting) = sync_channel::<Stack>(MAX_SENT);
        let (answers, done) = channel();
        let (ready, is_ready) = channel();
        thread::Builder::new().name("stacks".into()).spawn(move || {
            let mut look_up = new_look_up();
            // Either end may be gone; then the result is not needed.
            let _ = ready.send(());
            for mut stack in waiting {
                look_up(&mut stack);
                if answers.send(stack).is_err() {
                    return;
                }
            }
        })?;
        // A late start is noticed when a stack is sent.
        let _ = is_ready.recv_timeout(START_LIMIT);
        Ok(Self { stacks, done, next: Cell::new(None) })
    }

    /// Sends a stack; returns whether there was room.
    pub(super) fn send(&self, stack: Stack) -> bool {
        self.stacks.try_send(stack).is_ok()
    }

    pub(super) fn answer(&self) -> Answer {
        match self.next.take().map_or_else(|| self.done.try_recv(), Ok) {
            Ok(stack) => Answer::Stack(stack),
            Err(TryRecvError::Empty) => Answer::NotYet,
            Err(TryRecvError::Disconnected) => Answer::Lost,
        }
    }

    /// Waits until there is an answer, or the thread ended.
    pub(super) fn wait(&self, at_most: Duration) {
        let next = self.next.take().map_or_else(|| self.done.recv_timeout(at_most), Ok);
        match next {
            Ok(stack) => self.next.set(Some(stack)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }
}
