// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whatever a file holds, replaying it ends, and ends in words. What is changed is what blocks hold, with checksums that
//! are right, for a wrong one keeps everything else from being looked at.
//!
//! `cargo xtask fuzz recording`

#![no_main]

use std::path::Path;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use tcp_trace::{
    exit::Failure,
    mode::Mode,
    recording::{
        block::{Block, Blocks, Kind, file_head, seal},
        player::Player,
        replay::{Replay, ReplayOptions},
    },
    report::Report,
    stream::{Consumer, Message, Written},
    what_if::usage_model::{ForecastRequest, UsageModel},
};

/// What a change of a block may add to it.
const GROWTH: usize = 64;

fuzz_target!(|file: &[u8]| {
    let Ok(player) = Player::new(file) else { return };
    let options = ReplayOptions::whole(Mode::Doctor, player.known());
    let Ok(replay) = Replay::new(player, Path::new("input"), options) else { return };
    let everybody =
        |known: &_| Ok(Everybody(Report::new(known, 10), UsageModel::new(known, ForecastRequest::default())));
    // It may end in an error, in words.
    let _ = replay.play(None, |_| (), everybody);
});

/// Who follows all that there is: the report asks every question, what-if looks at every inventory.
struct Everybody(Report, UsageModel);

impl Consumer for Everybody {
    fn consume(&mut self, message: Message<'_>) -> Result<(), Failure> {
        self.1.consume(message)?;
        self.0.consume(message)
    }

    fn flush(&mut self) -> Result<Written, Failure> {
        Ok(Written::Yes)
    }
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    match change_a_block(&data[..size], seed) {
        Some(file) if file.len() <= max_size => {
            data[..file.len()].copy_from_slice(&file);
            file.len()
        }
        // Too long by now, or no recording any more.
        _ => fuzzer_mutate(data, size, max_size),
    }
});

fn change_a_block(file: &[u8], seed: u32) -> Option<Vec<u8>> {
    // One in sixteen is changed as a file.
    let mut blocks = if seed.is_multiple_of(16) { return None } else { blocks(file)? };
    let chosen = seed as usize % blocks.len();
    let payload = &mut blocks[chosen].1;
    let length = payload.len();
    payload.resize(length + GROWTH, 0);
    let length = fuzzer_mutate(payload, length, length + GROWTH);
    payload.truncate(length);
    let mut changed = file_head().to_vec();
    for (kind, payload) in &blocks {
        changed.extend(seal(*kind, payload)?);
    }
    Some(changed)
}

/// `None`: there are none.
fn blocks(file: &[u8]) -> Option<Vec<(Kind, Vec<u8>)>> {
    let mut from = Blocks::open(file).ok()?;
    let mut blocks = Vec::new();
    while let Ok(Some(Block { kind, payload })) = from.read() {
        blocks.extend(kind.map(|kind| (kind, payload)));
    }
    (!blocks.is_empty()).then_some(blocks)
}
