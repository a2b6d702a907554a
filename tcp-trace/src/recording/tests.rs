// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests: a replay equals the run, and a truncated or damaged recording is reported as such.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};

use proptest::prelude::*;
use tcp_trace_common::config::Config;

use super::{
    baseline::Baseline,
    block::{Broken, Kind, seal},
    flight::FlightRecorder,
    message::OwnedMessage,
    player::{Ending, Player},
    recorder::Recorder,
    redact::{self, Redacted},
    replay::{Replay, ReplayOptions},
    ring::{Retention, Ring},
    sample::{at, known, run},
    store::Rotation,
    trigger::Trigger,
    writer::Target,
};
use crate::{
    aggregate::sample::{established, rows, second_pass},
    event::{Connect, Event, Outcome},
    exit::Failure,
    export::{format::Format, sink::Sink},
    governor::CounterSnapshot,
    mode::Mode,
    model::{accounts::Counts, folded::Folded},
    probes::{table::Signal, tier::Tier},
    session::output::{Answer, OutputOptions},
    session_info::SessionInfo,
    stream::Consumer,
    view::screen::Layout,
};

/// A temporary folder, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tcp-trace-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn record(target: Target, message: &[OwnedMessage]) {
    let mut recorder = Recorder::begin(target, &known()).expect("a file");
    message.iter().for_each(|message| recorder.consume(message.as_message()).expect("room"));
}

fn recorded(folder: &Folder) -> Vec<u8> {
    let path = folder.file("run.rec");
    record(Target::plain(&path), &run());
    fs::read(path).expect("a recording")
}

/// The sample recording, written once.
fn sample() -> Vec<u8> {
    static SAMPLE: LazyLock<Vec<u8>> = LazyLock::new(|| recorded(&Folder::new("sample")));
    SAMPLE.clone()
}

fn replayed(bytes: &[u8]) -> Result<(Vec<OwnedMessage>, Ending), Broken> {
    let mut player = Player::new(bytes)?;
    let mut all = Vec::new();
    loop {
        let ending = player.block(|message| {
            all.push(message);
            Ok(())
        });
        if let Some(ending) = ending.expect("the visitor accepts") {
            return Ok((all, ending));
        }
    }
}

fn debugged(message: &[OwnedMessage]) -> Vec<String> {
    message.iter().map(|message| format!("{message:?}")).collect()
}

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
    let bytes = include_bytes!("../../tests/fixtures/recordings/layout-1.rec");
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

fn wanted(format: Format) -> OutputOptions {
    let layout = Layout { width: 80, top: 5, colours: false, unicode: false, verbose: true };
    OutputOptions {
        format,
        connects: true,
        signals: true,
        intervals: true,
        min_latency: None,
        second_pass_only: false,
        layout,
    }
}

fn cut(mode: Mode) -> ReplayOptions {
    let streamed = vec![Signal::TimeWait, Signal::Bind, Signal::Listen, Signal::State, Signal::Stack];
    ReplayOptions { mode, streamed, filters: Config::EMPTY, interval: Duration::from_secs(1), duration: None }
}

fn replay(path: &Path, cut: ReplayOptions, format: Format, to: &Path) -> Result<String, Failure> {
    let player = Player::open(path)?;
    let mode = cut.mode;
    let replay = Replay::new(player, path, cut)?;
    let sink = Sink::open(Some(to))?;
    replay.play(None, |_| (), |known| Answer::new(mode, known, wanted(format), sink)).map(drop)?;
    Ok(fs::read_to_string(to).expect("an answer"))
}

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
fn a_flight_recorder_writes_what_came_before_its_trigger() {
    let folder = Folder::new("flight");
    let path = folder.file("run.rec");
    let retention = Retention { time: Duration::from_millis(900), bytes: 1 << 20 };
    let target = Target { path: path.clone(), rotation: Rotation::default(), retention: Some(retention) };
    let fly = |trigger: &str, target: Target| {
        let trigger = Trigger::parse(trigger).expect("a trigger");
        let mut recorder =
            FlightRecorder::arm(target, trigger, Duration::from_millis(500), &known()).expect("a thread");
        for message in run() {
            recorder.consume(message.as_message()).expect("room");
        }
        recorder.has_fired()
    };
    assert!(!fly("total > 1s", target.clone()));
    assert!(!path.exists(), "nothing happened");
    assert!(fly("count(no_port) > 1", target));
    let (back, ending) = replayed(&fs::read(&path).expect("a recording")).expect("a recording");
    assert!(matches!(ending, Ending::Whole), "{ending:?}");
    let ticks = back.iter().filter(|message| matches!(message, OwnedMessage::Tick(_))).count();
    assert_eq!(ticks, 2, "the interval that fired, and one more");
}

fn armed(path: &Path, trigger: &str, known: &SessionInfo) -> Result<FlightRecorder, Failure> {
    let retention = Retention { time: Duration::from_millis(900), bytes: 1 << 20 };
    let target = Target { path: path.to_owned(), rotation: Rotation::default(), retention: Some(retention) };
    FlightRecorder::arm(target, Trigger::parse(trigger).expect("a trigger"), Duration::from_millis(500), known)
}

fn fly(mut recorder: FlightRecorder) -> Result<(), Failure> {
    run().iter().try_for_each(|message| recorder.consume(message.as_message()))
}

#[test]
fn a_second_incident_leaves_the_first_one_as_it_is() {
    let folder = Folder::new("incidents");
    let path = folder.file("run.rec");
    fs::write(&path, "the first").expect("a file");
    for _ in 0..2 {
        fly(armed(&path, "count(no_port) > 1", &known()).expect("a thread")).expect("written");
    }
    assert_eq!(fs::read(&path).expect("a file"), b"the first");
    for name in ["run.rec.1", "run.rec.2"] {
        let (_, ending) = replayed(&fs::read(folder.file(name)).expect("a file")).expect("a recording");
        assert!(matches!(ending, Ending::Whole), "{name}: {ending:?}");
    }
    assert_eq!(fs::read_dir(&folder.0).expect("a folder").count(), 3);
}

#[test]
fn what_could_not_be_written_is_refused_when_it_is_armed() {
    let folder = Folder::new("armed");
    let missing = armed(&folder.file("none/run.rec"), "total > 1s", &known());
    assert!(matches!(missing, Err(Failure::Output { .. })), "{:?}", missing.map(drop));
    assert_eq!(fs::read_dir(&folder.0).expect("a folder").count(), 0);
    assert!(armed(&folder.file("run.rec"), "total > 1s", &known()).is_ok());
    assert_eq!(fs::read_dir(&folder.0).expect("a folder").count(), 0, "nothing of the trial is left");
}

#[test]
fn a_trigger_that_can_never_be_met_is_refused_when_it_is_armed() {
    let folder = Folder::new("never");
    let mut known = known();
    let connect = known.signals.get_mut(&Signal::Connect).expect("it is traced");
    connect.tier = Tier::Tracepoint;
    for trigger in ["p99(port_search) > 1ms", "outcome = no_port or (pid = 1 and ports_visited > 5000)"] {
        let refused = armed(&folder.file("run.rec"), trigger, &known).map(drop).expect_err("it cannot be known");
        assert!(matches!(refused, Failure::KernelLacks { .. }) && refused.to_string().contains("port"), "{refused}");
    }
    assert!(armed(&folder.file("run.rec"), "max(total) > 1ms or count(no_port) > 1", &known).is_ok());
}

#[test]
fn what_cannot_be_written_at_once_is_kept_and_written_later() {
    let folder = Folder::new("kept");
    let (there, away) = (folder.file("there"), folder.file("away"));
    fs::create_dir(&there).expect("a folder");
    let path = there.join("run.rec");
    let mut recorder = armed(&path, "count(no_port) > 1", &known()).expect("a thread");
    fs::rename(&there, &away).expect("renamed");
    for message in run() {
        recorder.consume(message.as_message()).expect("it is kept");
        if recorder.has_fired() && away.exists() {
            // Until the first try failed.
            std::thread::sleep(Duration::from_millis(200));
            fs::rename(&away, &there).expect("renamed");
        }
    }
    drop(recorder);
    let (back, ending) = replayed(&fs::read(&path).expect("it was tried again")).expect("a recording");
    assert!(matches!(ending, Ending::Whole), "{ending:?}");
    let ticks = back.iter().filter(|message| matches!(message, OwnedMessage::Tick(_))).count();
    assert!(ticks >= 2, "what came before is in it: {ticks}");
    let mut lost = armed(&path, "count(no_port) > 1", &known()).expect("a thread");
    fs::rename(&there, &away).expect("renamed");
    let ended = run().iter().try_for_each(|message| lost.consume(message.as_message()));
    assert!(ended.is_err(), "at the end it is no secret");
}

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
            payloads.extend(super::message::payload(message.as_message()));
        }
        let mut events = super::events::Events::default();
        run.iter().for_each(|message| if let OwnedMessage::Event(event) = message { events.push(event) });
        payloads.push((Kind::Events, events.payload()));
        let (_, mut payload) = payloads.swap_remove(place.index(payloads.len()));
        for (place, value) in changes {
            let place = place.index(payload.len());
            payload[place] = value;
        }
        for known in [Kind::Events, Kind::Counters, Kind::Totals, Kind::Inventory, Kind::TimeWait, Kind::Tick, Kind::End] {
            if known as u32 == kind || kind == 1 {
                let _ = super::message::read::<super::bytes::Malformed>(known, &payload, |_| Ok(()));
            }
        }
        let _ = super::baseline::ParsedBaseline::read(&payload);
    }
}
