// SPDX-License-Identifier: MIT OR Apache-2.0
//! Empties the ring buffer on a thread of its own, so that a slow terminal or disk never keeps the kernel waiting.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use aya::maps::{MapData, RingBuf};
use bytes::{Bytes, BytesMut};
use rustix::event::epoll;
use tokio::sync::mpsc;

/// The kernel side wakes us only when much is waiting, so what is little is looked for this often.
const TICK: rustix::time::Timespec = rustix::time::Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
/// Blocks that may wait to be decoded: 64 of up to [`BLOCK_BYTES`].
const BLOCKS: usize = 64;
const BLOCK_BYTES: usize = 256 << 10;

/// Blocks of raw events, one after another as the kernel wrote them.
#[derive(Debug)]
pub struct Reader {
    blocks: mpsc::Receiver<Bytes>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Reader {
    /// Starts reading.
    pub fn start(ring: RingBuf<MapData>) -> io::Result<Self> {
        let (sender, blocks) = mpsc::channel(BLOCKS);
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let thread = thread::Builder::new().name("ring-reader".into()).spawn(move || drain(ring, &sender, &asked))?;
        Ok(Self { blocks, stop, thread: Some(thread) })
    }

    /// The next block; `None` once it was asked to finish and everything has been read.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.blocks.recv().await
    }

    /// Asks for one last look: after that `next` comes to its end.
    pub fn finish(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// Why the thread ended, if not because it was asked to.
    pub fn failure(&mut self) -> Option<io::Error> {
        match self.thread.take()?.join() {
            Ok(result) => result.err(),
            Err(_) => Some(io::Error::other("the ring reader panicked")),
        }
    }
}

fn drain(mut ring: RingBuf<MapData>, sender: &mpsc::Sender<Bytes>, stop: &AtomicBool) -> io::Result<()> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&poll, &ring, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
    let mut ready = Vec::with_capacity(1);
    let mut block = BytesMut::new();
    loop {
        // Asked before the last look, so that nothing written before the question is left behind.
        let last = stop.load(Ordering::Acquire);
        while let Some(record) = ring.next() {
            block.extend_from_slice(&record);
            if block.len() >= BLOCK_BYTES {
                drop(record);
                if sender.blocking_send(block.split().freeze()).is_err() {
                    return Ok(());
                }
            }
        }
        if !block.is_empty() && sender.blocking_send(block.split().freeze()).is_err() {
            return Ok(());
        }
        if last || sender.is_closed() {
            return Ok(());
        }
        ready.clear();
        match epoll::wait(&poll, rustix::buffer::spare_capacity(&mut ready), Some(&TICK)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
