// SPDX-License-Identifier: MIT OR Apache-2.0
//! The thread that looks stacks up, one after another. It is never waited for without a limit.

use std::{
    cell::Cell,
    io,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, channel, sync_channel},
    thread,
    time::Duration,
};

use super::NewLookUp;
use crate::event::Stack;

/// Stacks on their way to it, each with 8 KiB of memory.
const MAX_SENT: usize = 1024;
/// What it takes to read the kernel's names, many times over.
const START_LIMIT: Duration = Duration::from_secs(10);

/// What became of the stack that was sent first.
pub(super) enum Answer {
    /// It has its frames.
    Stack(Stack),
    /// It is being looked up.
    NotYet,
    /// The thread ended.
    Lost,
}

/// The near end. Dropped, the thread ends once it comes back from what it does.
pub(super) struct Worker {
    stacks: SyncSender<Stack>,
    done: Receiver<Stack>,
    /// An answer that came while it was waited for.
    next: Cell<Option<Stack>>,
}

impl Worker {
    pub(super) fn start(new_look_up: NewLookUp) -> io::Result<Self> {
        let (stacks, waiting) = sync_channel::<Stack>(MAX_SENT);
        let (answers, done) = channel();
        let (ready, is_ready) = channel();
        thread::Builder::new().name("stacks".into()).spawn(move || {
            let mut look_up = new_look_up();
            // Each end may be gone: then nobody asks any more.
            let _ = ready.send(());
            for mut stack in waiting {
                look_up(&mut stack);
                if answers.send(stack).is_err() {
                    return;
                }
            }
        })?;
        // What is late is found out about when it is asked for.
        let _ = is_ready.recv_timeout(START_LIMIT);
        Ok(Self { stacks, done, next: Cell::new(None) })
    }

    /// Whether there was room for it.
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

    /// Until there is an answer, or the thread ended.
    pub(super) fn wait(&self, at_most: Duration) {
        let next = self.next.take().map_or_else(|| self.done.recv_timeout(at_most), Ok);
        match next {
            Ok(stack) => self.next.set(Some(stack)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }
}
