// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a file holds comes back, in its order and from each version.

use std::{fs, time::Duration};

use super::{Folder, debugged, record, recorded, replayed};
use crate::{
    event::Event,
    recording::{
        baseline::Baseline,
        block::{Kind, seal},
        message::OwnedMessage,
        player::{Ending, Player},
        ring::{Retention, Ring},
        sample::{at, run},
        store::Rotation,
        writer::Target,
    },
};

#[test]
fn everything_comes_back_in_its_order() {
    let folder = Folder::new("whole");
    let (back, ending) = replayed(&recorded(&folder)).expect("a recording");
    assert!(matches!(ending, Ending::Whole));
    for (was, is) in debugged(&run()).into_iter().zip(debugged(&back)) {
        assert_eq!(was, is);
    }
    assert_eq!(back.len(), run().len());
}

/// The fixture was written by the first version of this layout; new layouts add fixtures, and never replace it.
#[test]
fn old_recordings_stay_readable() {
    let bytes = include_bytes!("../../../tests/fixtures/recordings/layout-1.rec");
    let (back, ending) = replayed(bytes).expect("a recording");
    assert!(matches!(ending, Ending::Whole), "{ending:?}");
    let connects = back.iter().filter(|message| matches!(message, OwnedMessage::Event(Event::Connect(_)))).count();
    let sockets = back.iter().find_map(|message| match message {
        OwnedMessage::Inventory(inventory) => Some(inventory.sockets().count()),
        _ => None,
    });
    assert_eq!((connects, sockets), (121, Some(502)));
}

#[test]
fn only_its_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new("mode");
    recorded(&folder);
    let mode = fs::metadata(folder.file("run.rec")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!folder.file("run.rec.new").exists());
}

#[test]
fn blocks_of_other_versions_are_passed_over() {
    let folder = Folder::new("unknown");
    let mut bytes = recorded(&folder);
    let at = bytes.len();
    let block = seal(Kind::Tick, b"what is to come").expect("it is short");
    bytes.extend(block);
    bytes[at] = 200;
    let sum = {
        let mut sum = crc32fast::Hasher::new();
        sum.update(&bytes[at..at + 12]);
        sum.update(&bytes[at + 16..]);
        sum.finalize()
    };
    bytes[at + 12..at + 16].copy_from_slice(&sum.to_le_bytes());
    // Baseline everything that happened.
    let player = Player::new(&bytes[..]).expect("a recording");
    let first = player.bytes_read() as usize;
    let moved = [&bytes[..first], &bytes[at..], &bytes[first..at]].concat();
    let mut player = Player::new(&moved[..]).expect("a recording");
    assert!(player.block(|_| Ok(())).expect("the visitor accepts").is_none());
    assert_eq!(player.unknown(), 1);
    assert_eq!(replayed(&moved).expect("a recording").0.len(), run().len());
}

#[test]
fn rotated_files_stand_for_themselves() {
    let folder = Folder::new("rotate");
    let path = folder.file("run.rec");
    let rotation = Rotation { size: Some(1), every: None, kept: 2 };
    record(Target { path: path.clone(), rotation, retention: None }, &run());
    // Three intervals and what came after: the first of four files is gone.
    assert!(folder.file("run.rec.2").exists() && !folder.file("run.rec.3").exists());
    let second = fs::read(folder.file("run.rec.1")).expect("a recording");
    let (back, ending) = replayed(&second).expect("a recording");
    assert!(matches!(ending, Ending::Cut));
    let opened = back.iter().find_map(|message| match message {
        OwnedMessage::Totals(totals) => Some(totals.states[0].1.opened),
        _ => None,
    });
    assert_eq!(opened, Some(100), "what came before is not counted again");
}

#[test]
fn a_ring_forgets_what_is_too_old_or_too_much() {
    let ring = |bytes| {
        let mut ring = Ring::new(Retention { time: Duration::from_secs(2), bytes }, at(0.0));
        for second in 1..=6_u8 {
            ring.push(vec![second; 100]);
            ring.tick(at(f64::from(second)), Baseline::default());
        }
        let (begin, _, blocks) = ring.parts();
        (begin, blocks.map(|block| block[0]).collect::<Vec<_>>())
    };
    assert_eq!(ring(1 << 20), (at(4.0), vec![5, 6]));
    assert_eq!(ring(100), (at(5.0), vec![6]));
}
