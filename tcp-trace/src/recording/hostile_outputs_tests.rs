// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every output, of a run whose processes, cgroups and functions are called what would do something on a terminal, in a
//! table or in a page.

use std::{fs, path::Path, sync::Arc};

use proptest::prelude::*;
use tcp_trace_common::COMM_LEN;

use super::{
    message::OwnedMessage,
    sample::{known, run},
};
use crate::{
    event::{Caller, Cgroup, Comm, Event, Frame, Frames, Stack},
    export::{format::Format, sink::Sink},
    flame::{
        graph::Split,
        picture::{self, Picture, PictureTarget},
        weight::Weight,
    },
    mode::Mode,
    outside,
    report::Report,
    session::output::{Answer, OutputOptions},
    stream::Consumer,
    view::screen::Layout,
};

/// The name of a thread has 15 bytes.
const HOSTILE: [&str; 8] = [
    "\n$(x)\x1b[2J\r",
    "<script>x()//",
    "</title><b>",
    "=cmd|'/C'!A",
    "+-@\t\u{7}",
    "\u{202e}`x`;\u{9b}1m",
    "\",\"a\":1,\"b",
    "\u{2028}\u{feff}';x",
];

fn raw(name: &str) -> [u8; COMM_LEN] {
    let mut raw = [0; COMM_LEN];
    raw.iter_mut().zip(name.bytes().take(COMM_LEN - 1)).for_each(|(slot, byte)| *slot = byte);
    raw
}

/// As it enters.
fn harmless(name: &str) -> Arc<str> {
    outside::one_line(name).into()
}

fn cgroup(cgroup: &mut Option<Cgroup>, name: &str) {
    *cgroup = Some(Cgroup { id: 7, path: Some(harmless(&format!("/{name}"))) });
}

fn caller(caller: &mut Caller, name: &str) {
    caller.comm = Comm::from_kernel(&raw(name));
    cgroup(&mut caller.cgroup, name);
}

/// The same run, of those that are called so.
fn of(name: &str) -> Vec<OwnedMessage> {
    let mut run = run();
    for message in &mut run {
        match message {
            OwnedMessage::Event(Event::Connect(connect)) => caller(&mut connect.caller, name),
            OwnedMessage::Event(Event::Bind(bind)) => {
                caller(&mut bind.caller, name);
                bind.call_site = Some(harmless(name));
            }
            OwnedMessage::Event(Event::State(state)) => {
                state.comm = Some(Comm::from_kernel(&raw(name)));
                cgroup(&mut state.cgroup, name);
            }
            OwnedMessage::Event(Event::TimeWait(time_wait)) => {
                time_wait.owner_comm = Some(Comm::from_kernel(&raw(name)))
            }
            OwnedMessage::Event(Event::Stack(stack)) => frames(stack, name),
            OwnedMessage::Totals(totals) => {
                totals.listeners.iter_mut().flatten().for_each(|(_, listener)| listener.owner_comm = raw(name));
                totals.binds.binders.iter_mut().for_each(|(_, binder)| binder.comm = raw(name));
                totals.binds.sites.iter_mut().for_each(|site| site.name = Some(harmless(name)));
                totals.time_wait_owners.iter_mut().for_each(|(_, owner)| owner.comm = raw(name));
                totals.states.iter_mut().for_each(|(_, state)| state.comm = raw(name));
                totals.cgroups.iter_mut().for_each(|cgroup| cgroup.path = harmless(name));
            }
            OwnedMessage::Counters(counters) => {
                let rows = counters.folded.iter_mut().flat_map(|folded| &mut folded.rows);
                rows.for_each(|row| row.comm = Comm::from_kernel(&raw(name)));
            }
            _ => {}
        }
    }
    run
}

fn frames(stack: &mut Stack, name: &str) {
    let frame = Frame { name: harmless(name), module: Some(harmless(name)) };
    let Frames { user_end, kernel, kernel_errno, .. } = (*stack.frames).clone();
    stack.frames = Arc::new(Frames { user: vec![frame; 2], user_end, kernel, kernel_errno });
}

fn follow(consumer: &mut impl Consumer, name: &str) {
    of(name).iter().for_each(|message| consumer.consume(message.as_message()).expect("room"));
    consumer.flush().expect("room");
}

fn answer(mode: Mode, format: Format, name: &str, to: &Path) -> String {
    let layout = Layout { width: 80, top: 5, colours: false, unicode: false };
    let wanted = OutputOptions {
        format,
        connects: true,
        signals: true,
        intervals: true,
        min_latency: None,
        second_pass_only: false,
        layout,
    };
    let sink = Sink::open(Some(to)).expect("a file");
    follow(&mut Answer::new(mode, &known(), wanted, sink).expect("a file"), name);
    fs::read_to_string(to).expect("an answer")
}

/// Lines, and nothing but them; names of functions may be divided by tabs.
fn is_harmless(text: &str) -> bool {
    text.split('\n').all(|line| outside::one_line(line) == line)
}

/// Fields of a line of CSV.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    for letter in line.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            letter => fields.last_mut().expect("one is begun").push(letter),
        }
    }
    fields
}

const QUESTIONS: [Mode; 7] =
    [Mode::ConnectLatency, Mode::Ports, Mode::TimeWait, Mode::Bind, Mode::Listen, Mode::States, Mode::Doctor];

fn answers_lines(mode: Mode, name: &str, to: &Path) {
    let text = answer(mode, Format::Text, name, to);
    assert!(text.len() > 100 && is_harmless(&text), "{mode:?} {name:?}: {text:?}");
    let json = answer(mode, Format::Json, name, to);
    assert!(is_harmless(&json), "{mode:?} {name:?}: {json:?}");
    for line in json.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("one object a line");
    }
    let csv = answer(mode, Format::Csv, name, to);
    assert!(is_harmless(&csv), "{mode:?} {name:?}: {csv:?}");
    for field in csv.lines().flat_map(fields) {
        let is_formula = field.starts_with(['=', '+', '-', '@']) && field.parse::<f64>().is_err();
        assert!(!is_formula, "{mode:?} {name:?}: {field:?}");
    }
}

#[test]
fn answers_are_lines_and_nothing_but_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("answer");
    for mode in QUESTIONS {
        HOSTILE.iter().for_each(|name| answers_lines(mode, name, &to));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Of any letters, control characters among them; a name that is cut within one is no UTF-8.
    #[test]
    fn answers_are_lines_whatever_a_name_is(mode in prop::sample::select(&QUESTIONS[..]), name in "(?s).{1,15}") {
        let folder = tempfile::tempdir().expect("a folder");
        answers_lines(mode, &name, &folder.path().join("answer"));
    }
}

#[test]
fn a_page_has_no_element_that_somebody_else_chose() {
    for name in HOSTILE {
        let mut report = Report::new(&known(), 10);
        follow(&mut report, name);
        let page = report.page().expect("a page");
        assert!(is_harmless(page), "{name:?}");
        assert!(!page.contains("<script>x") && !page.contains("</title><b>"), "{name:?}");
    }
}

#[test]
fn a_picture_has_no_element_that_somebody_else_chose() {
    use picture::Format;
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("picture");
    for name in HOSTILE {
        for format in [Format::Svg, Format::Folded, Format::Speedscope, Format::Text] {
            let wanted = picture::PictureOptions {
                weight: Weight::Count,
                split: vec![Split::Process],
                format,
                baseline: None,
                top: 5,
            };
            let place = PictureTarget::Stream(Sink::open(Some(&to)).expect("a file"));
            follow(&mut Picture::new(&known(), wanted, place), name);
            let text = fs::read_to_string(&to).expect("text");
            assert!(!text.is_empty() && is_harmless(&text), "{format:?} {name:?}: {text:?}");
            assert!(!text.contains("<script>x") || format != Format::Svg, "{name:?}: {text}");
        }
    }
}
