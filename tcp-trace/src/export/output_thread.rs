// SPDX-License-Identifier: MIT OR Apache-2.0
//! The thread that opens outputs, and gives them their names, once the others may not do so any more. Where it was not
//! started, as in a replay, who asks does it.

use std::{
    io,
    sync::{
        OnceLock,
        mpsc::{Sender, channel, sync_channel},
    },
    thread,
};

static ORDERS: OnceLock<Sender<Box<dyn FnOnce() + Send>>> = OnceLock::new();

/// Starts it; `confine` is the first thing that it does, and is done when this comes back.
///
/// # Errors
/// When there can be no more threads.
pub fn start(confine: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let (orders, waiting) = channel::<Box<dyn FnOnce() + Send>>();
    thread::Builder::new().name("outputs".into()).spawn(move || waiting.into_iter().for_each(|order| order()))?;
    // A process has one run, and the run one such thread.
    let _ = ORDERS.set(orders);
    run(move || {
        confine();
        Ok(())
    })
}

/// Does `work` on that thread, and waits for it. Threads that `work` starts are confined as that one is.
///
/// # Errors
/// Those of `work`, and when it panicked.
pub fn run<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let Some(orders) = ORDERS.get() else { return work() };
    let (give, done) = sync_channel(1);
    let order = Box::new(move || {
        // Who asked waits for it.
        let _ = give.send(work());
    });
    let ended = || io::Error::other("the thread that opens outputs ended");
    orders.send(order).map_err(|_| ended())?;
    done.recv().map_err(|_| ended())?
}
