// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of the program with outputs that another user planted, whose reader does not read, or that are full.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    os::unix::{
        fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, lchown, symlink},
        process::ExitStatusExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{CWD, FileType, Mode},
    process::{Pid, Signal, kill_process},
};
use tempfile::TempDir;

const RECORDING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/recordings/layout-1.rec");
/// No user has this id.
const STRANGER: u32 = 54_321;
/// A signal ends a program at once; how long that takes depends on the load of the machine.
const SOON: Duration = Duration::from_secs(20);
/// Beyond what the machine needs to end a program that does nothing.
const AT_ONCE: Duration = Duration::from_secs(1);
/// The last look at the sockets of a machine that has many, and no CPU to spare.
const LAST_LOOK: Duration = Duration::from_secs(120);

fn tool(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcp-trace"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// A live run that needs no privileges and writes without end. SIGHUP has its default action, also if these tests run under
/// nohup, which it would respect.
fn live() -> Command {
    let mut command = Command::new("env");
    command.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_tcp-trace")]).stdin(Stdio::null());
    command.args(["ports", "--format", "json", "--interval", "2ms"]);
    command
}

fn redact(to: &Path) -> Output {
    let mut command = tool(&["replay", RECORDING, "redact"]);
    command.arg(to).output().expect("the program runs")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn fifo(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("fifo");
    rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("a FIFO");
    path
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(child.id().cast_signed()).expect("a pid");
    kill_process(pid, signal).expect("it is there");
}

fn ends_within(child: &mut Child, time: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + time;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("a child") {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("a child");
    child.wait().expect("a child");
    None
}

/// Whether the kernel ends it already (PF_EXITING in /proc/PID/stat), or has: what it then takes to free maps and programs,
/// on a machine that is busy, is not the program's.
fn is_exiting(child: &Child) -> bool {
    const PF_EXITING: u32 = 4;
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let flags = after_name.split_ascii_whitespace().nth(6).and_then(|flags| flags.parse::<u32>().ok());
    flags.is_none_or(|flags| flags & PF_EXITING != 0)
}

/// Until a file is there and is not empty.
fn grows(path: &Path) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while fs::metadata(path).map_or(0, |file| file.len()) == 0 {
        assert!(Instant::now() < deadline, "{} stays empty", path.display());
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_fifo_is_written_to_and_stays_one() {
    let folder = folder();
    let path = fifo(&folder);
    let nobody_reads = redact(&path);
    assert_eq!(nobody_reads.status.code(), Some(1), "{nobody_reads:?}");
    let reader = thread::spawn({
        let path = path.clone();
        move || fs::read(path).expect("a FIFO")
    });
    let mut written = redact(&path);
    while !reader.is_finished() && !written.status.success() {
        written = redact(&path);
    }
    assert!(reader.join().expect("bytes").starts_with(b"TCPTRACE"), "{written:?}");
    assert!(fs::symlink_metadata(&path).expect("it is there").file_type().is_fifo());
}

#[test]
fn a_device_is_written_to_and_stays_one() {
    let folder = folder();
    let path = folder.path().join("null");
    if rustix::fs::mknodat(CWD, &path, FileType::CharacterDevice, Mode::from_raw_mode(0o666), rustix::fs::makedev(1, 3))
        .is_err()
    {
        eprintln!("not run: device nodes need root");
        return;
    }
    let written = redact(&path);
    let there = fs::symlink_metadata(&path).expect("it is there");
    assert!(there.file_type().is_char_device(), "{written:?}");
}

#[test]
fn standard_output_by_its_name_is_no_file_to_replace() {
    let written = redact(Path::new("/dev/stdout"));
    assert!(written.stdout.starts_with(b"TCPTRACE"), "{written:?}");
    assert!(fs::symlink_metadata("/dev/stdout").expect("it is there").is_symlink());
}

#[test]
fn planted_links_are_not_followed() {
    let folder = folder();
    let (target, victim) = (folder.path().join("out.rec"), folder.path().join("victim"));
    fs::write(&victim, "precious").expect("a file");
    symlink(&victim, folder.path().join("out.rec.new")).expect("a link");
    assert!(redact(&target).status.success());
    assert_eq!(fs::metadata(&target).expect("written").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read(&victim).expect("a file"), b"precious");
    let link = folder.path().join("link");
    symlink(&victim, &link).expect("a link");
    if lchown(&link, Some(STRANGER), None).is_err() {
        return eprintln!("not run: links of others need root");
    }
    let at = link.to_str().expect("ASCII");
    for arguments in [
        &["replay", RECORDING, "redact", at][..],
        &["replay", RECORDING, "ports", "--format", "json", "--output", at],
        &["replay", RECORDING, "report", "--output", at],
        &["ports", "--duration", "1ms", "--ready-file", at],
    ] {
        let refused = tool(arguments).output().expect("the program runs");
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}: {refused:?}");
        assert_eq!(fs::read(&victim).expect("a file"), b"precious", "{arguments:?}");
        assert!(link.is_symlink(), "{arguments:?}");
    }
}

#[test]
fn own_links_lead_to_their_target() {
    let folder = folder();
    let (target, link) = (folder.path().join("target"), folder.path().join("link"));
    symlink("target", &link).expect("a link");
    assert!(redact(&link).status.success());
    assert!(link.is_symlink() && fs::read(&target).expect("a file").starts_with(b"TCPTRACE"));
}

#[test]
fn what_others_may_have_planted_in_a_shared_folder_is_refused() {
    let folder = folder();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).expect("ours");
    let path = folder.path().join("out.json");
    File::create(&path).expect("a file");
    if lchown(&path, Some(STRANGER), None).is_err() {
        return eprintln!("not run: files of others need root");
    }
    let refused = tool(&["replay", RECORDING, "ports", "--format", "json", "--output"]).arg(&path).output();
    assert_eq!(refused.expect("the program runs").status.code(), Some(1));
    assert_eq!(fs::metadata(&path).expect("a file").size(), 0);
}

#[test]
fn output_is_its_owners_alone_and_survives_copytruncate() {
    let folder = folder();
    let path = folder.path().join("out.json");
    let mut child = live().arg("--output").arg(&path).spawn().expect("the program runs");
    grows(&path);
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    File::options().write(true).open(&path).and_then(|file| file.set_len(0)).expect("truncated");
    grows(&path);
    signal(&child, Signal::HUP);
    let status = ends_within(&mut child, LAST_LOOK).expect("SIGHUP ends it");
    assert_eq!(status.code(), Some(0), "with its answer: {status}");
    let text = fs::read(&path).expect("a file");
    assert!(!text.contains(&0) && text.ends_with(b"}\n"));
}

#[test]
fn a_stalled_reader_does_not_keep_it() {
    let mut child =
        live().args(["--duration", "1s"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
    let status = ends_within(&mut child, LAST_LOOK).expect("the time is up");
    assert_eq!(status.code(), Some(1), "the end of the answer is missing: {status}");
    for first in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut child = live().stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
        // Until the pipe is full.
        thread::sleep(Duration::from_secs(3));
        signal(&child, first);
        thread::sleep(Duration::from_millis(100));
        if child.try_wait().expect("a child").is_none() {
            let mut idle = Command::new("sleep").arg("1000").spawn().expect("it runs");
            signal(&child, Signal::TERM);
            signal(&idle, Signal::TERM);
            ends_within(&mut idle, SOON).expect("it has no handler");
            let since = Instant::now();
            while !is_exiting(&child) && since.elapsed() < SOON {
                thread::sleep(Duration::from_millis(5));
            }
            assert!(since.elapsed() < AT_ONCE, "{:?} after a program that does nothing", since.elapsed());
            let status = ends_within(&mut child, SOON).expect("the second signal ends it");
            assert_eq!(status.signal(), Some(Signal::TERM.as_raw()), "{status}");
        }
    }
}

#[test]
fn nothing_is_left_of_what_was_interrupted_at_its_start() {
    for milliseconds in [5, 50, 150, 400] {
        let folder = folder();
        let mut command = tool(&["report", "--duration", "60s", "--output"]);
        let mut child = command.arg(folder.path().join("page.html")).stderr(Stdio::null()).spawn().expect("it runs");
        thread::sleep(Duration::from_millis(milliseconds));
        signal(&child, Signal::KILL);
        child.wait().expect("a child");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "after {milliseconds} ms");
    }
}

#[test]
fn standard_error_that_takes_nothing_changes_no_code() {
    let full = || Stdio::from(File::options().write(true).open("/dev/full").expect("a device"));
    let code = |command: &mut Command| command.stderr(full()).stdout(Stdio::null()).status().expect("it runs").code();
    assert_eq!(code(&mut tool(&["ports", "--output", "/no/such/folder/file"])), Some(1));
    assert_eq!(code(&mut tool(&["ports", "--no-such-flag"])), Some(2));
    // A warning on its way: the recording is cut off.
    let folder = folder();
    let path = folder.path().join("cut.rec");
    let whole = fs::read(RECORDING).expect("a fixture");
    fs::write(&path, &whole[..whole.len() - 40]).expect("a file");
    assert_eq!(code(tool(&["replay"]).arg(&path).args(["ports", "--format", "json"])), Some(0));
}

#[test]
fn standard_error_that_is_closed_or_full_under_few_descriptors_changes_no_code() {
    for errors in ["2>&-", "2>/dev/full"] {
        for (descriptors, command) in
            [("48", "ports --duration 100ms"), ("48", "bind --duration 100ms"), ("20", "ports --duration 100ms")]
        {
            let run = |errors: &str| {
                let line = format!("ulimit -n {descriptors}; exec \"$0\" -vv {command} {errors} >/dev/null");
                Command::new("sh")
                    .args(["-c", &line, env!("CARGO_BIN_EXE_tcp-trace")])
                    .status()
                    .expect("a shell")
                    .code()
            };
            let code = run(errors);
            assert_eq!(code, run("2>/dev/null"), "{errors}, {descriptors} descriptors, {command}");
            assert!(matches!(code, Some(0 | 1 | 77)), "{errors}, {descriptors} descriptors, {command}: {code:?}");
        }
    }
}

#[test]
fn log_lines_in_files_have_no_colours() {
    let folder = folder();
    let path = folder.path().join("cut.rec");
    let whole = fs::read(RECORDING).expect("a fixture");
    File::create(&path).and_then(|mut file| file.write_all(&whole[..whole.len() - 40])).expect("a file");
    let mut command = tool(&["replay"]);
    let mut child =
        command.arg(&path).arg("ports").stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it runs");
    let mut words = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut words).expect("text");
    child.wait().expect("a child");
    assert!(words.contains("truncated after") && !words.contains('\x1b'), "{words:?}");
}

#[test]
fn a_recording_that_cannot_go_on_ends_no_answer() {
    let folder = folder();
    let path = fifo(&folder);
    let mut reader = File::options().read(true).write(true).open(&path).expect("a FIFO");
    let mut command = tool(&["ports", "--format", "json", "--interval", "10ms", "--duration", "2s", "--record"]);
    let child = command.arg(&path).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    reader.read_exact(&mut [0; 12]).expect("a beginning");
    drop(reader);
    let ended = child.wait_with_output().expect("a child");
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let (answer, errors) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(errors.contains("the report continues"), "{errors}");
    assert!(answer.lines().filter(|line| line.contains("\"summary\"")).count() > 2, "it went on: {errors}");
}

#[test]
fn a_replay_refuses_to_record() {
    let folder = folder();
    let path = folder.path().join("again.rec");
    for command in ["ports", "report", "doctor"] {
        let refused = tool(&["replay", RECORDING, command, "--record"]).arg(&path).output().expect("the program runs");
        assert_eq!(refused.status.code(), Some(2), "{command}: {refused:?}");
        assert!(!path.exists());
    }
}

#[test]
fn what_cannot_be_answered_without_privileges_says_so() {
    for command in ["bind", "states", "connect-latency"] {
        let mut command = tool(&[command, "--duration", "100ms"]);
        let Ok(refused) = std::os::unix::process::CommandExt::uid(&mut command, 65_534).output() else {
            return eprintln!("not run: another user needs root");
        };
        assert_eq!(refused.status.code(), Some(77), "{command:?}: {refused:?}");
    }
}

#[test]
fn too_few_descriptors_are_a_failure_in_words() {
    for descriptors in ["12", "32", "48"] {
        for command in ["connect-latency", "ports", "doctor"] {
            let line = format!("ulimit -n {descriptors}; exec \"$0\" {command} --format json");
            let duration = if command == "doctor" { "--watch 100ms" } else { "--duration 100ms" };
            let mut shell = Command::new("sh");
            let ended = shell.args(["-c", &format!("{line} {duration}"), env!("CARGO_BIN_EXE_tcp-trace")]).output();
            let ended = ended.expect("a shell");
            let (code, errors) = (ended.status.code(), String::from_utf8_lossy(&ended.stderr));
            assert!(!errors.contains("panicked"), "{descriptors} for {command}: {errors}");
            let may_trace = rustix::process::geteuid().is_root();
            assert!(matches!(code, Some(0 | 1)) || !may_trace, "{descriptors} for {command}: {code:?}, {errors}");
            assert!(code == Some(0) || errors.contains("tcp-trace:"), "{descriptors} for {command}: {errors}");
        }
    }
}
