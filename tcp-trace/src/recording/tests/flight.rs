// SPDX-License-Identifier: MIT OR Apache-2.0
//! The flight recorder: what it writes, and what it rejects.

use std::{fs, path::Path, time::Duration};

use super::{Folder, replayed};
use crate::{
    exit::Failure,
    probes::{table::Signal, tier::Tier},
    recording::{
        flight::FlightRecorder,
        message::OwnedMessage,
        player::Ending,
        ring::Retention,
        sample::{known, run},
        store::Rotation,
        trigger::Trigger,
        writer::Target,
    },
    session_info::SessionInfo,
    stream::Consumer as _,
};

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
