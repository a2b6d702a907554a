// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names in a redacted recording.

use std::fs;

use super::{Folder, debugged, replayed};
use crate::{
    event::Event,
    recording::{
        message::OwnedMessage,
        player::Ending,
        recorder::Recorder,
        redact::{self, Redacted},
        sample::{known, run},
        writer::Target,
    },
    stream::Consumer as _,
};

#[test]
fn pseudonyms_are_the_same_throughout_and_names_are_gone() {
    let folder = Folder::new("redact");
    let path = folder.file("run.rec");
    let recorder = Recorder::begin(Target::plain(&path), &redact::session_info(&known())).expect("a file");
    let mut redacted = Redacted::new(recorder);
    run().iter().for_each(|message| redacted.consume(message.as_message()).expect("room"));
    let (back, ending) = replayed(&fs::read(&path).expect("a recording")).expect("a recording");
    assert!(matches!(ending, Ending::Whole));
    let told = debugged(&back).join("\n");
    let pointers = ["18446612682070010880", "18446612682070014976"];
    for name in ["php", "envoy", "nginx", "10.0.0.7", "/system.slice", "libc.so"].into_iter().chain(pointers) {
        assert!(!told.contains(name), "{name}");
    }
    for message in &back {
        if let OwnedMessage::Totals(totals) = message {
            let merged = &totals.merged;
            assert_eq!(
                (merged.states[0].1, merged.time_wait_owners[0].1),
                (totals.states[0].0, totals.time_wait_owners[0].0)
            );
            assert_eq!(merged.listeners[0].1, totals.listeners.as_ref().expect("some")[0].0);
        }
    }
    let mut callers: Vec<_> = back
        .iter()
        .filter_map(|message| match message {
            OwnedMessage::Event(Event::Connect(connect)) => Some(connect.caller.comm.to_string()),
            _ => None,
        })
        .collect();
    callers.dedup();
    assert_eq!(callers, ["program-1"]);
}
