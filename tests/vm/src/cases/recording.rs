// SPDX-License-Identifier: MIT OR Apache-2.0
//! A replay prints the original report, byte for byte and without root; after kill -9 or on a full disk it prints what
//! came before; a flight recorder writes what surrounds its trigger.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::{harness::Report, lab::Lab, tool};

/// An incident that gives events of every kind, and leaves an emulated machine time for others.
/// Its range is one that such a machine fills within seconds.
const INCIDENT: (&str, &[&str]) = ("parity-cliff", &["--rate", "20", "--port-range", "40000-45999"]);

pub fn run(report: &mut Report) {
    report.test("recording/same-answer-again", same_answer_again);
    report.test("recording/killed", killed);
    report.test("recording/full-disk", full_disk);
    report.test("recording/full-disk-when-armed", full_disk_when_armed);
    report.test("recording/flight-recorder", flight_recorder);
}

/// What a command wrote; it must end well.
fn written(arguments: &[&str], to: &Path, user: u32) -> Result<String> {
    let _ = fs::remove_file(to);
    let mut command = Command::new(tool::path());
    command.args(arguments).stdin(Stdio::null());
    if user != 0 {
        command.uid(user);
        let output = command.output().context("could not start")?;
        ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        return Ok(String::from_utf8(output.stdout)?);
    }
    let output = command.arg("--output").arg(to).output().context("could not start")?;
    ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(fs::read_to_string(to)?)
}

fn same_answer_again() -> Result<()> {
    let _lab = Lab::stage(INCIDENT.0, INCIDENT.1)?;
    let (recording, answer) = (tool::temporary("rec"), tool::temporary("answer"));
    let file = recording.to_str().context("UTF-8")?;
    for (live, replayed) in [
        (&["connect-latency", "--duration", "3s"][..], &["connect-latency"][..]),
        (&["doctor", "--watch", "3s"], &["doctor"]),
    ] {
        let json = |arguments: &[&'static str]| [arguments, &["--format", "json"]].concat();
        let first = written(&[&json(live)[..], &["--record", file], &tool::UNBOUNDED].concat(), &answer, 0)?;
        ensure!(first.contains("\"final\":true"), "no final answer: {first}");
        // Only its owner may read it, so the test changes the owner.
        std::os::unix::fs::chown(&recording, Some(65_534), None)?;
        let again = written(&[&["replay", file][..], &json(replayed)].concat(), &answer, 65_534)?;
        ensure!(first == again, "{}", difference(&first, &again));
        fs::remove_file(&recording)?;
    }
    Ok(())
}

fn difference(first: &str, again: &str) -> String {
    let differ = first.lines().zip(again.lines()).find(|(first, again)| first != again);
    match differ {
        Some((first, again)) => format!("live {first}\nreplayed {again}"),
        None => format!("{} lines live, {} replayed", first.lines().count(), again.lines().count()),
    }
}

fn killed() -> Result<()> {
    let _lab = Lab::stage(INCIDENT.0, INCIDENT.1)?;
    let (recording, ready) = (tool::temporary("rec"), tool::temporary("ready"));
    let file = recording.to_str().context("UTF-8")?;
    let mut command = Command::new(tool::path());
    command.args(["record", file]).args(tool::UNBOUNDED).arg("--ready-file").arg(&ready);
    let mut child = command.stdin(Stdio::null()).spawn().context("could not start")?;
    let deadline = Instant::now() + Duration::from_secs(60);
    let size = || fs::metadata(&recording).map_or(0, |file| file.len());
    let mut at_ready = None;
    // An interval at least is on the disk.
    while at_ready.is_none_or(|before| size() < before + 4096) {
        if ready.exists() && at_ready.is_none() {
            at_ready = Some(size());
        }
        ensure!(Instant::now() < deadline, "nothing was recorded in a minute: {} bytes", size());
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill()?;
    child.wait()?;
    let answer = written(&["replay", file, "connect-latency", "--format", "json"], &tool::temporary("answer"), 0)?;
    ensure!(answer.contains("\"final\":true"), "no final answer: {answer}");
    fs::remove_file(&recording)?;
    Ok(())
}

fn full_disk() -> Result<()> {
    let _lab = Lab::stage(INCIDENT.0, INCIDENT.1)?;
    let disk = SmallDisk::mount("size=256k")?;
    let recording = disk.0.join("rec");
    let file = recording.to_str().context("UTF-8")?;
    let mut command = Command::new(tool::path());
    command.args(["record", file, "--stacks", "--duration", "60s"]).args(tool::UNBOUNDED);
    let output = command.stdin(Stdio::null()).output().context("could not start")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(1) && said.contains("No space left"), "{}: {said}", output.status);
    let answer = written(&["replay", file, "connect-latency", "--format", "json"], &tool::temporary("answer"), 0)?;
    let answer = tool::parse(&answer)?;
    let last = answer.of("summary").last().context("no answer")?;
    ensure!(last["final"] == true && last["connects"].as_u64() > Some(0), "nothing of it is left: {last}");
    Ok(())
}

/// A flight recorder says so before it waits for anything.
fn full_disk_when_armed() -> Result<()> {
    let disk = SmallDisk::mount("size=64k")?;
    // As much as there is room for, and no more.
    let filled = fs::write(disk.0.join("filler"), vec![1; 1 << 20]);
    ensure!(filled.is_err(), "the disk is not full");
    let file = disk.0.join("rec");
    let mut command = Command::new(tool::path());
    command.arg("record").arg(&file).args(["--trigger", "outcome = no_port", "--duration", "60s"]);
    let begin = Instant::now();
    let output = command.stdin(Stdio::null()).output().context("could not start")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(1) && said.contains("No space left"), "{}: {said}", output.status);
    ensure!(begin.elapsed() < Duration::from_secs(50), "it waited for its end first");
    ensure!(!file.exists(), "there is a file all the same");
    Ok(())
}

/// A file system that is soon full; gone when it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(options: &str) -> Result<Self> {
        let disk = Self(tool::temporary("disk"));
        fs::create_dir(&disk.0)?;
        let mut mount = Command::new("/bin/busybox");
        let mounted = tool::run(mount.args(["mount", "-t", "tmpfs", "-o", options, "none"]).arg(&disk.0))?;
        ensure!(mounted.code == Some(0), "{}", mounted.stderr);
        Ok(disk)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("/bin/busybox").arg("umount").arg(&self.0).status();
        let _ = fs::remove_dir(&self.0);
    }
}

fn flight_recorder() -> Result<()> {
    let _lab = Lab::stage(INCIDENT.0, &["--rate", "10"])?;
    let recording = tool::temporary("rec");
    let file = recording.to_str().context("UTF-8")?;
    let mut command = Command::new(tool::path());
    command.args(["record", file, "--trigger", "ports_visited > 5000 or outcome = no_port", "--keep", "20s"]);
    command.args(["--after", "1s", "--duration", "60s"]).args(tool::UNBOUNDED);
    let output = command.stdin(Stdio::null()).output().context("could not start")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    ensure!(recording.exists(), "the trigger was not met: {}", String::from_utf8_lossy(&output.stderr));
    let answer = written(&["replay", file, "doctor", "--format", "json"], &tool::temporary("answer"), 0)?;
    ensure!(answer.contains("\"code\":\"parity-cliff\""), "another finding: {answer}");
    fs::remove_file(&recording)?;
    Ok(())
}
