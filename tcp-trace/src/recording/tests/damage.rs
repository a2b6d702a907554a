// SPDX-License-Identifier: MIT OR Apache-2.0
//! A truncated or damaged file is reported as such, and does no harm.

use std::{fs, sync::LazyLock};

use proptest::prelude::*;

use super::{Folder, cut, debugged, recorded, replay, replayed};
use crate::{
    export::format::Format,
    mode::Mode,
    recording::{block::Kind, message::OwnedMessage, player::Ending, sample::run},
};

/// The sample recording, written once.
fn sample() -> Vec<u8> {
    static SAMPLE: LazyLock<Vec<u8>> = LazyLock::new(|| recorded(&Folder::new("sample")));
    SAMPLE.clone()
}

#[test]
fn cut_anywhere_it_is_whole_up_to_the_last_block() {
    let folder = Folder::new("cut");
    let bytes = recorded(&folder);
    let whole = debugged(&run());
    let mut most = 0;
    for len in (0..bytes.len()).step_by(13) {
        let Ok((back, ending)) = replayed(&bytes[..len]) else { continue };
        assert!(matches!(ending, Ending::Cut), "{len}: {ending:?}");
        assert_eq!(whole[..back.len()], debugged(&back));
        assert!(back.len() >= most);
        most = back.len();
    }
    assert!(most > whole.len() / 2);
}

#[test]
fn a_cut_recording_is_answered_and_a_damaged_one_says_so_afterwards() {
    let folder = Folder::new("damaged");
    let mut bytes = recorded(&folder);
    let path = folder.file("other.rec");
    fs::write(&path, &bytes[..bytes.len() - 30]).expect("a file");
    let answer = replay(&path, cut(Mode::ConnectLatency), Format::Json, &folder.file("answer")).expect("an answer");
    assert!(answer.contains("\"final\":true"));
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&path, &bytes).expect("a file");
    let failure = replay(&path, cut(Mode::ConnectLatency), Format::Json, &folder.file("answer")).unwrap_err();
    assert!(
        failure.report().contains("is damaged; the report covers it up to 2026-01-02T03:04:0"),
        "{}",
        failure.report()
    );
    let answer = fs::read_to_string(folder.file("answer")).expect("an answer");
    assert!(answer.contains("\"final\":true"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
        let mut bytes = sample();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let _ = replayed(&bytes);
    }

    #[test]
    fn no_payload_makes_it_panic(
        kind in 1_u32..10,
        place in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let (run, mut payloads) = (run(), Vec::new());
        for message in &run {
            payloads.extend(crate::recording::message::payload(message.as_message()));
        }
        let mut events = crate::recording::events::Events::default();
        run.iter().for_each(|message| if let OwnedMessage::Event(event) = message { events.push(event) });
        payloads.push((Kind::Events, events.payload()));
        let (_, mut payload) = payloads.swap_remove(place.index(payloads.len()));
        for (place, value) in changes {
            let place = place.index(payload.len());
            payload[place] = value;
        }
        for known in [Kind::Events, Kind::Counters, Kind::Totals, Kind::Inventory, Kind::TimeWait, Kind::Tick, Kind::End] {
            if known as u32 == kind || kind == 1 {
                let _ = crate::recording::message::read::<crate::recording::bytes::Malformed>(known, &payload, |_| Ok(()));
            }
        }
        let _ = crate::recording::baseline::ParsedBaseline::read(&payload);
    }
}
