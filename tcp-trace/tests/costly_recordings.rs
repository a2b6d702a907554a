// SPDX-License-Identifier: MIT OR Apache-2.0
//! Short files that are much once they are read: they end in words, within memory and processor time that a run is held to
//! by the kernel.

use std::{
    fs,
    process::{Command, Output},
};

use tcp_trace::recording::block::{Blocks, Kind, file_head, seal};

const RECORDING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/recordings/layout-1.rec");
/// Address space, in KiB: the program itself maps some hundred MiB in a debug build.
const MEMORY_KIB: u32 = 1_500_000;
/// Of processor time, so that it does not matter how busy the machine is.
const SECONDS: u32 = 30;

/// The beginning of a recording, and these blocks.
fn recording(blocks: impl IntoIterator<Item = (Kind, Vec<u8>)>) -> Vec<u8> {
    let whole = fs::read(RECORDING).expect("a fixture");
    let first = Blocks::open(&whole[..]).expect("a recording").read().expect("whole").expect("a block");
    let mut file = file_head().to_vec();
    file.extend(seal(first.kind.expect("known"), &first.payload).expect("short"));
    for (kind, payload) in blocks {
        file.extend(seal(kind, &payload).expect("a writer could have made it"));
    }
    file
}

fn replay(file: &[u8], command: &str) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("costly.rec");
    fs::write(&path, file).expect("a file");
    let line = format!("ulimit -v {MEMORY_KIB}; ulimit -t {SECONDS}; exec \"$0\" replay \"$1\" {command}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &line, env!("CARGO_BIN_EXE_tcp-trace")]).arg(&path).output().expect("a shell")
}

fn ends_in_words(file: &[u8], at_most: usize) {
    assert!(file.len() <= at_most, "{} bytes", file.len());
    for command in ["ports --format json", "doctor", "report"] {
        let ended = replay(file, command);
        let words = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{command}: {:?}, {words}", ended.status);
        assert!(words.contains("tcp-trace:") && !words.contains("panicked"), "{command}: {words}");
    }
}

/// A table of one column of numbers, all of them 0.
fn table(name: &str, column: &str, kind: u8, rows: u32) -> Vec<u8> {
    let mut bytes = vec![name.len() as u8];
    bytes.extend(name.as_bytes());
    bytes.extend(rows.to_le_bytes());
    bytes.extend(1_u16.to_le_bytes());
    bytes.push(column.len() as u8);
    bytes.extend(column.as_bytes());
    bytes.extend([kind, 0, 1]);
    bytes.extend(rows.to_le_bytes());
    bytes.resize(bytes.len() + rows as usize, 0);
    bytes
}

#[test]
fn a_compression_bomb_ends_in_words() {
    // 60 MiB each, of a few KiB.
    let zeros = || (Kind::Events, vec![0; 60 << 20]);
    ends_in_words(&recording((0..4).map(|_| zeros())), 24 << 10);
    let spaces = || {
        let mut head = (15_u32 << 20).to_le_bytes().to_vec();
        head.resize((15 << 20) + 4, b' ');
        (Kind::Counters, head)
    };
    ends_in_words(&recording((0..20).map(|_| spaces())), 37 << 10);
}

#[test]
fn rows_without_number_end_in_words() {
    let rows = || (Kind::Events, table("order", "table", 1, 40 << 20));
    ends_in_words(&recording((0..6).map(|_| rows())), 37 << 10);
    let ticks = (0..1500).map(|_| (Kind::Events, table("order", "table", 1, 1 << 16)));
    ends_in_words(&recording(ticks), 128 << 10);
}
