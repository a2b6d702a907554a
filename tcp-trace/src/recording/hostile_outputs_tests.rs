// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of every output with hostile names of processes, cgroups and functions.

use std::{
    fs::{self, File},
    path::Path,
    sync::Arc,
};

use parquet::{file::reader::SerializedFileReader, record::Field};
use proptest::prelude::*;
use tcp_trace_common::COMM_LEN;

use super::{
    block::{Kind, file_head, seal},
    message::{OwnedMessage, head},
    parquet::ParquetWriter,
    player::Player,
    sample::{known, run},
};
use crate::{
    event::{Caller, Cgroup, Comm, Event, Frame, Frames, Stack},
    export::{format::Format, sink::Sink},
    flame::{
        graph::Split,
        picture::{self, Picture, PictureTarget},
        pprof,
        weight::Weight,
    },
    mode::Mode,
    outside,
    report::Report,
    session::output::{Answer, OutputOptions},
    stream::Consumer,
    view::screen::Layout,
};

/// Hostile names; a thread name has 15 bytes.
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

fn cgroup(cgroup: &mut Option<Cgroup>, name: &str) {
    *cgroup = Some(Cgroup { id: 7, path: Some(format!("/{name}").into()) });
}

fn caller(caller: &mut Caller, name: &str) {
    caller.comm = Comm::from_kernel(&raw(name));
    cgroup(&mut caller.cgroup, name);
}

/// A run of processes with this name.
fn of(name: &str) -> Vec<OwnedMessage> {
    let mut run = run();
    for message in &mut run {
        match message {
            OwnedMessage::Event(Event::Connect(connect)) => caller(&mut connect.caller, name),
            OwnedMessage::Event(Event::Bind(bind)) => {
                caller(&mut bind.caller, name);
                bind.call_site = Some(name.into());
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
                totals.binds.sites.iter_mut().for_each(|site| site.name = Some(name.into()));
                totals.time_wait_owners.iter_mut().for_each(|(_, owner)| owner.comm = raw(name));
                totals.states.iter_mut().for_each(|(_, state)| state.comm = raw(name));
                totals.cgroups.iter_mut().for_each(|cgroup| cgroup.path = name.into());
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
    let frame = Frame { name: name.into(), module: Some(name.into()) };
    let Frames { user_end, kernel, kernel_errno, .. } = (*stack.frames).clone();
    stack.frames = Arc::new(Frames { user: vec![frame; 2], user_end, kernel, kernel_errno });
}

fn follow(consumer: &mut impl Consumer, name: &str) {
    of(name).iter().for_each(|message| consumer.consume(message.as_message()).expect("room"));
    consumer.flush().expect("room");
}

fn answer(mode: Mode, format: Format, name: &str, to: &Path) -> String {
    let layout = Layout { width: 80, top: 5, colours: false, unicode: false, verbose: true };
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

/// Whether text consists of printable lines; names of functions may be separated by tabs.
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

    /// Names of any letters, including control characters; a name that is cut within one is not UTF-8.
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
        let baseline = format!("{};{} 7\n", name.replace(['\n', '\u{2028}'], " "), "other").into_bytes();
        for format in [Format::Svg, Format::Folded, Format::Speedscope, Format::Text] {
            for baseline in [None, Some(baseline.clone())] {
                let text = String::from_utf8(drawn(format, baseline, name, &to)).expect("text");
                assert!(!text.is_empty() && is_harmless(&text), "{format:?} {name:?}: {text:?}");
                assert!(!text.contains("<script>x") || format != Format::Svg, "{name:?}: {text}");
            }
        }
        let strings = pprof::tests::strings(&drawn(Format::Pprof, None, name, &to));
        assert!(strings.iter().any(|text| *text == *outside::one_line(name)), "{name:?} is in {strings:?}");
        assert!(strings.iter().all(|text| outside::one_line(text) == **text), "{name:?}: {strings:?}");
    }
}

fn drawn(format: picture::Format, baseline: Option<Vec<u8>>, name: &str, to: &Path) -> Vec<u8> {
    let split = vec![Split::Process, Split::Cgroup];
    let wanted = picture::PictureOptions { weight: Weight::Count, split, format, baseline, top: 5 };
    let place = PictureTarget::Stream(Sink::open(Some(to)).expect("a file"));
    follow(&mut Picture::new(&known(), wanted, place), name);
    fs::read(to).expect("a picture")
}

/// Every text of every column that is text, in every file.
fn texts(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).expect("a folder").map(|entry| File::open(entry.expect("an entry").path()));
    let rows = files.flat_map(|file| SerializedFileReader::new(file.expect("a file")).expect("Parquet").into_iter());
    let fields = rows.flat_map(|row| row.expect("a row").into_columns()).map(|(_, field)| field);
    fields.filter_map(|field| if let Field::Str(text) = field { Some(text) } else { None }).collect()
}

#[test]
fn texts_of_parquet_files_are_lines() {
    for name in HOSTILE {
        let folder = tempfile::tempdir().expect("a folder");
        follow(&mut ParquetWriter::create(folder.path()).expect("a folder"), name);
        let texts = texts(folder.path());
        assert!(texts.iter().any(|text| text.ends_with(&*outside::one_line(name))), "{name:?} is in {texts:?}");
        assert!(texts.iter().all(|text| outside::one_line(text) == **text), "{name:?}: {texts:?}");
    }
}

/// What is wrong with a recording is said in words that may be the recording's own.
#[test]
fn a_recording_that_is_refused_adds_no_line_and_does_nothing() {
    let hostile = "a\nb\x1b]0;x\x07\r\u{202e}";
    let mut file = file_head().to_vec();
    let session = serde_json::json!({"kernel": hostile, "rules": hostile, hostile: hostile});
    file.extend(seal(Kind::SessionInfo, &head(&session)).expect("short"));
    let folder = tempfile::tempdir().expect("a folder");
    // Its name is as hostile.
    let path = folder.path().join("a\nb\x1b[2J.rec");
    fs::write(&path, file).expect("written");
    let refused = Player::open(&path).map(drop).expect_err("no circumstances");
    let report = refused.report();
    assert!(report.contains("]0;x"), "what is wrong is named: {report:?}");
    assert!(is_harmless(&report) && report.lines().skip(1).all(|line| line.starts_with("  ")), "{report:?}");
}
