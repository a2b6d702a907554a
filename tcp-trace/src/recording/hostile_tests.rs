// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests: everything that is written can be read, and no invented file costs more than a recording of its length.

use std::sync::Arc;

use proptest::prelude::*;

use super::{
    block::{Broken, Kind, file_head, seal},
    budget::Budget,
    bytes::{Bytes, Malformed},
    column::MAX_ENTRY,
    events::Events,
    message::{OwnedMessage, head, payload, take_head},
    player::{Ending, Player},
    recorder::Recorder,
    sample::{at, known, run},
    writer::Target,
};
use crate::{
    event::{Bind, Comm, Event, Frame, Frames, Stack, Taken, UserEnd},
    inventory::Inventory,
    outside::Text,
    stream::{Consumer as _, Message},
};

fn stack(frames: Vec<Frame>) -> Event {
    Event::Stack(Stack {
        time: "2026-01-02T03:04:05Z".parse().expect("a time"),
        pid: 1,
        tid: 1,
        began_ns: 1,
        taken: Taken::Search,
        frames: Arc::new(Frames { user: frames, user_end: UserEnd::Whole, kernel: Vec::new(), kernel_errno: None }),
        captured: None,
    })
}

fn deep(frames: usize, letters: usize) -> Event {
    let frame = |number: usize| Frame { name: format!("{number}{}", "x".repeat(letters)).into(), module: None };
    stack((0..frames).map(frame).collect())
}

fn bind() -> Bind {
    let binds = run().into_iter().filter_map(|message| match message {
        OwnedMessage::Event(Event::Bind(bind)) => Some(bind),
        _ => None,
    });
    binds.into_iter().next().expect("one is in the sample")
}

/// Writes a block of these events and reads it.
fn through(events: &[Event]) -> Vec<Event> {
    read(&written(events))
}

fn written(events: &[Event]) -> Vec<u8> {
    let mut heap = Events::default();
    events.iter().for_each(|event| heap.push(event));
    heap.payload()
}

fn read(payload: &[u8]) -> Vec<Event> {
    let mut back = Vec::new();
    let read = Events::read::<Malformed>(&mut Bytes(payload), |event| {
        back.push(event);
        Ok(())
    });
    read.expect("a block of events");
    back
}

/// The same bytes with another text of the same length: an edited recording.
fn edited(mut payload: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let places: Vec<_> = (0..payload.len()).filter(|at| payload[*at..].starts_with(from.as_bytes())).collect();
    assert!(!places.is_empty(), "{from} is in it");
    places.into_iter().for_each(|at| payload[at..at + to.len()].copy_from_slice(to.as_bytes()));
    payload
}

/// How a file of these blocks ends.
fn ends(blocks: impl IntoIterator<Item = (Kind, Vec<u8>)>) -> Ending {
    let mut file = file_head().to_vec();
    file.extend(seal(Kind::SessionInfo, &head(&known())).expect("short"));
    let sealed = blocks.into_iter().map(|(kind, payload)| seal(kind, &payload).expect("short enough"));
    file.extend(sealed.flatten());
    let mut player = Player::new(&file[..]).expect("a recording");
    loop {
        if let Some(ending) = player.block(|_| Ok(())).expect("nothing fails here") {
            return ending;
        }
    }
}

/// Cells and bytes that pass the budget, and the length of the file.
fn let_through<'b>(blocks: impl IntoIterator<Item = &'b (Kind, Vec<u8>)>) -> (usize, usize) {
    let (mut budget, mut number, mut read) = (Budget::default(), 0, 0);
    for (kind, payload) in blocks {
        read += seal(*kind, payload).expect("short enough").len();
        if budget.charge(*kind, payload, read as u64).is_err() {
            break;
        }
        number += 1;
    }
    (number, read)
}

/// An inventory with the same socket many times, which takes hardly any space.
fn crowd(sockets: usize) -> (Kind, Vec<u8>) {
    let mut inventory: Inventory = run()
        .into_iter()
        .find_map(|message| match message {
            OwnedMessage::Inventory(inventory) => Some(*inventory),
            _ => None,
        })
        .expect("one is in the sample");
    let space = inventory.spaces.iter_mut().find(|space| !space.sockets.is_empty()).expect("one has sockets");
    space.sockets = vec![space.sockets[0]; sockets];
    payload(Message::Inventory(&inventory)).expect("a block")
}

#[test]
fn deep_stacks_with_long_names_come_back_and_so_does_what_follows() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("deep.rec");
    let mut recorder = Recorder::begin(Target::plain(&path), &known()).expect("a file");
    let stacks = [deep(512, 600), deep(3, 70_000), deep(2048, 1024)];
    for _ in 0..10 {
        stacks.iter().for_each(|stack| recorder.consume(Message::Event(stack)).expect("room"));
    }
    recorder.consume(Message::End(at(1.0))).expect("room");
    let mut back = Vec::new();
    let mut player = Player::open(&path).expect("a recording");
    let ending = loop {
        let visited = player.block(|message| {
            back.extend(matches!(message, OwnedMessage::Event(_)).then_some(message));
            Ok(())
        });
        if let Some(ending) = visited.expect("nothing fails here") {
            break ending;
        }
    };
    assert!(matches!(ending, Ending::Whole), "{ending:?}");
    assert_eq!(back.len(), 30);
    assert!(matches!(&back[28], OwnedMessage::Event(event) if *event == stacks[1]));
}

#[test]
fn text_of_a_recording_is_harmless_once_it_is_read() {
    let hostile = "a\nb\x1b]0;x\x07\r\u{202e}";
    let mut bind = bind();
    bind.call_site = Some("call site here".into());
    let frame = Frame { name: "function names there".into(), module: Some("file name there".into()) };
    let payload = written(&[stack(vec![frame]), Event::Bind(bind)]);
    let payload = edited(payload, "call site here", &format!("{hostile};"));
    let payload = edited(payload, "function names there", r"x\n\u001b]0;\u0007\r");
    let payload = edited(payload, "file name there", "\u{202e}\\u202e\\u001b");
    let back = read(&payload);
    assert!(format!("{back:?}").contains("]0;x"), "it is what was edited: {back:?}");
    for name in ["\n", "\\n", "\\u{1b}", "\\u{7}", "\\r", "\u{202e}", "\\u{202e}"] {
        assert!(!format!("{back:?}").contains(name), "{name:?} in {back:?}");
    }
    let clean: serde_json::Value = take_head(&mut Bytes(&head(&serde_json::json!({"comm": hostile})))).expect("JSON");
    assert_eq!(clean["comm"], "a\u{fffd}b\u{fffd}]0;x\u{fffd}\u{fffd}\u{fffd}");
}

#[test]
fn a_stack_that_no_block_could_hold_is_a_frame_that_says_so() {
    let back = through(&[deep(2, MAX_ENTRY), deep(1, 1)]);
    assert!(matches!(&back[0], Event::Stack(stack) if stack.frames.user[0].name.contains("too long")), "{back:?}");
    assert_eq!(back[1], deep(1, 1));
}

#[test]
fn a_short_recording_that_promises_much_is_refused_in_words() {
    let crowd = crowd(1 << 16);
    let (blocks, bytes) = let_through(std::iter::repeat_n(&crowd, 1000));
    assert!(blocks < 100, "{blocks} blocks in {bytes} bytes");
    let tick = (Kind::Tick, head(&at(1.0)));
    let (blocks, bytes) = let_through(std::iter::once(&crowd).chain(std::iter::repeat_n(&tick, 20_000)));
    assert!(blocks < 200, "{blocks} blocks in {bytes} bytes");
    let ending = ends(std::iter::once(crowd).chain(std::iter::repeat_n(tick, 1000)));
    assert!(matches!(ending, Ending::Damaged(Broken::Costly { .. })), "{ending:?}");
    // A million rows without a byte.
    let mut rows = head(&());
    rows.extend(b"\x07sockets");
    rows.extend((1_u32 << 20).to_le_bytes());
    rows.extend(0_u16.to_le_bytes());
    let ending = ends([(Kind::Inventory, rows)]);
    assert!(matches!(ending, Ending::Damaged(Broken::Costly { .. })), "{ending:?}");
    // A header of nothing but opening brackets.
    let mut long = (32_u32 << 20).to_le_bytes().to_vec();
    long.resize((32 << 20) + 8, b'[');
    assert!(seal(Kind::Counters, &long).is_none(), "we never write it");
    assert!(take_head::<u32>(&mut Bytes(&long)).is_err_and(|error| error.0.contains("more than the")));
}

#[test]
fn real_recordings_stay_far_below_the_budget() {
    let ending = ends((0..600).flat_map(|_| [crowd(50), (Kind::Tick, head(&at(1.0)))]));
    assert!(matches!(ending, Ending::Cut), "{ending:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_is_read(
        names in proptest::collection::vec((any::<String>(), proptest::option::of(any::<String>()), 0..40_000_usize), 0..6),
        comm in any::<[u8; 16]>(),
        site in proptest::option::of((any::<String>(), 0..90_000_usize)),
        cgroup in any::<String>(),
    ) {
        let long = |text: &str, letters: usize| Text::from(format!("{text}{}", "\u{e4}".repeat(letters / 2)));
        let frame = |(name, module, letters): &(String, Option<String>, usize)| {
            Frame { name: long(name, *letters), module: module.as_deref().map(Into::into) }
        };
        let mut bind = bind();
        bind.caller.comm = Comm::from_kernel(&comm);
        bind.call_site = site.as_ref().map(|(text, letters)| long(text, *letters));
        if let Some(group) = &mut bind.caller.cgroup {
            group.path = Some(cgroup.into());
        }
        let written = [stack(names.iter().map(frame).collect()), Event::Bind(bind), deep(1, 1)];
        prop_assert_eq!(through(&written), written);
    }
}
