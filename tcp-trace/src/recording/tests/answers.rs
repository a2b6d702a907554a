// SPDX-License-Identifier: MIT OR Apache-2.0
//! A replay reports what the run reported.

use std::{fs, time::Duration};

use tcp_trace_common::config::Config;

use super::{Folder, cut, record, recorded, replay, wanted};
use crate::{
    aggregate::sample::{established, rows, second_pass},
    event::{Connect, Event, Outcome},
    export::{format::Format, sink::Sink},
    governor::CounterSnapshot,
    mode::Mode,
    model::{accounts::Counts, folded::Folded},
    recording::{
        message::OwnedMessage,
        recorder::Recorder,
        replay::ReplayOptions,
        sample::{at, known, run},
        writer::Target,
    },
    session::output::Answer,
    stream::Consumer as _,
};

#[test]
fn answers_are_those_of_the_live_run_to_the_byte() {
    let folder = Folder::new("answers");
    recorded(&folder);
    for mode in
        [Mode::ConnectLatency, Mode::Ports, Mode::TimeWait, Mode::Bind, Mode::Listen, Mode::States, Mode::Doctor]
    {
        for format in [Format::Text, Format::Json, Format::Csv] {
            let (live, again) = (folder.file("live"), folder.file("again"));
            let sink = Sink::open(Some(&live)).expect("a file");
            let mut answer = Answer::new(mode, &known(), wanted(format), sink).expect("a file");
            run().iter().for_each(|message| answer.consume(message.as_message()).expect("room"));
            answer.flush().expect("room");
            let live = fs::read_to_string(live).expect("an answer");
            let again = replay(&folder.file("run.rec"), cut(mode), format, &again).expect("an answer");
            assert!(live.len() > 100, "{mode:?} {format:?}: {live}");
            assert_eq!(live, again, "{mode:?} {format:?}");
        }
    }
}

/// A storm: one destination over the cliff, one that refuses; with or without an event of each connect.
fn storm(with_events: bool) -> Vec<OwnedMessage> {
    let refused = Connect { dport: 80, outcome: Outcome::Refused, errno: Some(111), ..established() };
    let connects: Vec<Connect> =
        (0..60).map(|n| [established(), second_pass(), refused.clone()][n % 3].clone()).collect();
    let mut message = Vec::new();
    if with_events {
        message.extend(connects.iter().cloned().map(|connect| OwnedMessage::Event(Event::Connect(connect))));
    }
    let counts = Counts { made: 60, shed: if with_events { 0 } else { 60 }, ..Counts::default() };
    let folded = Folded { rows: rows(&connects), ..Folded::default() };
    message.push(OwnedMessage::Counters(Box::new(CounterSnapshot {
        counts,
        folded: Some(folded),
        ..CounterSnapshot::untraced()
    })));
    message.extend([OwnedMessage::Tick(at(1.0)), OwnedMessage::End(at(1.5))]);
    message
}

#[test]
fn a_recording_that_was_shed_has_the_findings_of_the_storm() {
    let folder = Folder::new("storm");
    let findings = |with_events| {
        let path = folder.file("storm.rec");
        record(Target::plain(&path), &storm(with_events));
        let cut = cut(Mode::ConnectLatency);
        let answer = replay(&path, cut, Format::Json, &folder.file("answer")).expect("an answer");
        let of = |kind: &str| -> Vec<serde_json::Value> {
            let lines = answer.lines().map(|line| serde_json::from_str(line).expect("JSON"));
            lines.filter(|line: &serde_json::Value| line["type"] == kind).collect()
        };
        (of("finding"), of("summary"))
    };
    let ((found, summaries), (found_without, summaries_without)) = (findings(true), findings(false));
    let codes: Vec<_> = found.iter().map(|finding| finding["code"].as_str().expect("a code")).collect();
    assert_eq!(codes, ["parity-cliff", "connect-refused"].repeat(2));
    assert_eq!(found, found_without);
    for field in ["connects", "by_outcome", "second_pass", "programs", "processes", "destinations", "other"] {
        assert_eq!(summaries[1][field], summaries_without[1][field], "{field}");
    }
    assert_eq!(summaries_without[1]["ledger"]["in_flight"], 0);
}

#[test]
fn counters_that_could_not_be_read_are_unknown_and_never_0() {
    let folder = Folder::new("uncounted");
    let path = folder.file("run.rec");
    let uncounted: Vec<_> = run().into_iter().filter(|message| !matches!(message, OwnedMessage::Counters(_))).collect();
    record(Target::plain(&path), &uncounted);
    let answer = |format| replay(&path, cut(Mode::ConnectLatency), format, &folder.file("answer")).expect("an answer");
    let json = answer(Format::Json);
    let lines = json.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let summaries: Vec<serde_json::Value> =
        lines.filter(|line: &serde_json::Value| line["type"] == "summary").collect();
    assert!(!summaries.is_empty(), "{json}");
    for summary in summaries {
        let ledger = &summary["ledger"];
        for name in ["made", "shed", "in_kernel", "lost_ring", "lost_map", "in_flight", "missed_runs", "not_followed"] {
            assert!(
                ledger.as_object().expect("an object").contains_key(name) && ledger[name].is_null(),
                "{name}: {ledger}"
            );
        }
        assert!(summary["lost"].is_null() && ledger["delivered"].as_u64() > Some(0), "{summary}");
        assert!(summary["notes"].to_string().contains("could not be read"), "{summary}");
    }
    let text = answer(Format::Text);
    for words in ["made ? = delivered", "lost ?", "not followed ?", "lost: ring buffer ?, map full ?, missed ?"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_longer_interval_and_a_shorter_run() {
    let folder = Folder::new("interval");
    recorded(&folder);
    let summaries = |interval, duration| {
        let cut = ReplayOptions { interval: Duration::from_secs(interval), duration, ..cut(Mode::ConnectLatency) };
        let answer = replay(&folder.file("run.rec"), cut, Format::Json, &folder.file("answer")).expect("an answer");
        answer.lines().filter(|line| line.contains("\"type\":\"summary\"")).count()
    };
    assert_eq!((summaries(1, None), summaries(2, None), summaries(9, None)), (4, 2, 1));
    assert_eq!(summaries(1, Some(Duration::from_secs(2))), 2);
}

#[test]
fn filters_choose_among_what_was_recorded_and_the_books_still_balance() {
    let folder = Folder::new("filters");
    recorded(&folder);
    let filters = Config { filters: tcp_trace_common::config::filter::TGID, tgid: 4243, ..Config::EMPTY };
    let cut = ReplayOptions { filters, ..cut(Mode::ConnectLatency) };
    let answer = replay(&folder.file("run.rec"), cut, Format::Json, &folder.file("answer")).expect("an answer");
    assert!(answer.contains("\"pid\":4243") && !answer.contains("\"pid\":4242,\"tid\""));
    let lines: Vec<serde_json::Value> = answer.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let ledgers: Vec<_> = lines.iter().filter(|line| line["type"] == "summary").map(|line| &line["ledger"]).collect();
    assert!(!ledgers.is_empty(), "{answer}");
    for ledger in ledgers {
        let count = |name: &str| ledger[name].as_u64().unwrap_or_else(|| panic!("no {name} in {ledger}"));
        let parts = ["delivered", "undecoded", "in_flight", "shed", "lost_ring"].map(count);
        assert_eq!(count("made"), parts.iter().sum::<u64>(), "{ledger}");
    }
}

#[test]
fn what_was_not_recorded_is_not_answered() {
    let folder = Folder::new("lacks");
    let path = folder.file("run.rec");
    let few = crate::session_info::SessionInfo { streamed: Vec::new(), ..known() };
    drop(Recorder::begin(Target::plain(&path), &few));
    let failure = replay(&path, cut(Mode::Bind), Format::Json, &folder.file("answer")).unwrap_err();
    assert_eq!(failure.code(), 2);
}
