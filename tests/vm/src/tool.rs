// SPDX-License-Identifier: MIT OR Apache-2.0
//! tcp-trace, run as users run it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::tiers::Tier;

/// Time limit: an emulated guest on a busy machine needs half a minute for what takes 60 ms elsewhere.
const PATIENCE: Duration = Duration::from_secs(120);

/// Time limit of a command that ends by itself: that of an incident of the lab.
const LONGEST: Duration = Duration::from_secs(180);

/// A departure from the defaults, for tests that compare connect by connect or look at sockets again and again: an emulated
/// CPU is over the default budget as soon as anything connects, and then events of single connects are shed and looks at
/// sockets become rare.
pub const UNBOUNDED: [&str; 2] = ["--max-overhead", "100%"];

/// Path of the binary: in the guest in /bin, elsewhere from TCP_TRACE.
pub fn path() -> PathBuf {
    std::env::var_os("TCP_TRACE").map_or_else(|| PathBuf::from("/bin/tcp-trace"), PathBuf::from)
}

/// A new path in /tmp.
pub fn temporary(what: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    PathBuf::from(format!("/tmp/tcp-trace-test-{}-{number}-{what}", std::process::id()))
}

/// Runs of programs that the kernel may skip out of thousands: where another task or an interrupt reaches a program
/// that is running on the same CPU (programs can be preempted where the kernel can). They are reported as missed.
pub const LEFT_OUT: u64 = 16;

/// A running `connect-latency`, attached.
pub struct Tool {
    child: Child,
    output: PathBuf,
    errors: PathBuf,
}

/// Its output.
pub struct Answer {
    pub lines: Vec<Value>,
}

impl Tool {
    /// Starts `connect-latency --format json`, with an event for each connect, and waits until it is attached.
    pub fn start_with_each_event(tier: Tier, arguments: &[&str]) -> Result<Self> {
        Self::start(tier, &[arguments, &UNBOUNDED].concat())
    }

    /// Starts `connect-latency --format json` with the defaults, and waits until it is attached.
    pub fn start(tier: Tier, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(path());
        command.args(["connect-latency", "--tier", &tier.to_string()]).args(arguments);
        Self::spawn_in(command, None)
    }

    /// Starts `command`, which lacks `--format`, `--output` and `--ready-file`; its files go to `folder`.
    pub fn spawn_in(mut command: Command, folder: Option<&Path>) -> Result<Self> {
        let place = |file: PathBuf| match (folder, file.file_name()) {
            (Some(folder), Some(name)) => folder.join(name),
            _ => file,
        };
        let (output, ready) = (place(temporary("json")), place(temporary("ready")));
        command.args(["--format", "json", "--output"]).arg(&output);
        Self::spawn(command, output, ready)
    }

    /// Starts `command`, which lacks `--output` and `--ready-file`.
    pub fn spawn_to(mut command: Command, output: &Path) -> Result<Self> {
        command.arg("--output").arg(output);
        Self::spawn(command, output.to_owned(), temporary("ready"))
    }

    /// Starts `command`, which lacks `--ready-file`.
    pub fn spawn_alone(command: Command) -> Result<Self> {
        Self::spawn(command, PathBuf::new(), temporary("ready"))
    }

    fn spawn(mut command: Command, output: PathBuf, ready: PathBuf) -> Result<Self> {
        let errors = temporary("stderr");
        command.arg("--ready-file").arg(&ready);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(fs::File::create(&errors).context("could not make a file in /tmp")?);
        let child = command.spawn().with_context(|| format!("could not start {}", path().display()))?;
        let mut tool = Self { child, output, errors };
        let deadline = Instant::now() + PATIENCE;
        while !ready.exists() {
            if let Some(status) = tool.child.try_wait()? {
                bail!("tcp-trace ended before it was ready: {status}: {}", tool.errors());
            }
            ensure!(Instant::now() < deadline, "tcp-trace was not ready after {PATIENCE:?}: {}", tool.errors());
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = fs::remove_file(ready);
        Ok(tool)
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    pub fn errors(&self) -> String {
        fs::read_to_string(&self.errors).unwrap_or_default().trim().replace('\n', " | ")
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: the child is ours and not yet waited for, so its id is still its own.
        unsafe { libc::kill(self.pid(), signal) };
    }

    /// Waits for the end; the exit code is `None` if a signal ended it.
    pub fn wait(&mut self, patience: Duration) -> Result<Option<i32>> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code());
            }
            ensure!(Instant::now() < deadline, "tcp-trace did not end within {patience:?}: {}", self.errors());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs of its programs that the kernel skipped, from its own counter for each program (`recursion_misses`);
    /// `None`: this kernel has no such counter (before 5.12).
    pub fn left_out(&self) -> Result<Option<u64>> {
        let mut programs = BTreeMap::new();
        for descriptor in fs::read_dir(format!("/proc/{}/fdinfo", self.pid()))? {
            let Ok(text) = fs::read_to_string(descriptor?.path()) else { continue };
            let field = |name| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
            if let Some((program, left_out)) = field("prog_id:").zip(field("recursion_misses:")) {
                programs.insert(program, left_out);
            }
        }
        Ok((!programs.is_empty()).then(|| programs.values().sum()))
    }

    /// Its output so far, without an incomplete last line.
    pub fn so_far(&self) -> Result<Answer> {
        let text = fs::read_to_string(&self.output).context("it wrote nothing")?;
        parse(&text[..text.rfind('\n').map_or(0, |end| end + 1)])
    }

    /// Sends SIGINT, and returns the whole output.
    pub fn stop(mut self) -> Result<Answer> {
        // The last events may still be in the ring buffer: the tool must get them out itself, so no sleep here.
        self.signal(libc::SIGINT);
        let code = self.wait(PATIENCE)?;
        ensure!(code == Some(0), "tcp-trace ended with {code:?}: {}", self.errors());
        let answer = read(&self.output)?;
        let last = answer.lines.last().context("no line at all")?;
        ensure!(answer.of("summary").any(|line| line["final"] == true), "no final summary, the last line is {last}");
        Ok(answer)
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.output);
        let _ = fs::remove_file(&self.errors);
    }
}

fn read(output: &Path) -> Result<Answer> {
    parse(&fs::read_to_string(output).with_context(|| format!("could not read {}", output.display()))?)
}

pub fn parse(text: &str) -> Result<Answer> {
    let mut lines = Vec::new();
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).with_context(|| format!("not JSON: {line:?}"))?;
        ensure!(value["v"] == 2, "not of version 2: {line}");
        lines.push(value);
    }
    Ok(Answer { lines })
}

impl Answer {
    /// The lines of one type.
    pub fn of(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.lines.iter().filter(move |line| line["type"] == kind)
    }

    /// The connects in one network namespace.
    pub fn connects(&self, netns: u64) -> Vec<&Value> {
        self.of("connect").filter(|line| line["netns"] == netns).collect()
    }

    pub fn final_summary(&self) -> Result<&Value> {
        self.of("summary").find(|line| line["final"] == true).context("no final summary")
    }

    /// Checks that nothing was lost, because comparisons would otherwise be meaningless.
    pub fn nothing_lost(&self) -> Result<()> {
        self.none_of(&["ring_buffer", "map_full", "missed"])
    }

    /// Checks that the tool lost nothing.
    pub fn nothing_lost_by_us(&self) -> Result<()> {
        self.none_of(&["ring_buffer", "map_full"])
    }

    /// Runs that the kernel skipped, which the tool reports and cannot prevent: of kprobes on a CPU on which a map is
    /// being read by system call (`bpf_prog_active`), of any program in an interrupt of that same program.
    pub fn missed(&self) -> Result<u64> {
        self.final_summary()?["lost"]["missed"].as_u64().context("the number of missed runs is missing")
    }

    fn none_of(&self, losses: &[&str]) -> Result<()> {
        let lost = &self.final_summary()?["lost"];
        for what in losses {
            ensure!(lost[*what] == 0, "lost: {lost}");
        }
        Ok(())
    }
}

/// A completed run with its output.
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command that must end by itself, within the time limit.
pub fn run(command: &mut Command) -> Result<Finished> {
    let [stdout, stderr] = ["stdout", "stderr"].map(temporary);
    command.stdin(Stdio::null()).stdout(fs::File::create(&stdout)?).stderr(fs::File::create(&stderr)?);
    let mut child = command.spawn().context("could not start it")?;
    let deadline = Instant::now() + LONGEST;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break Ok(status),
            None if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(10)),
            None => {
                child.kill()?;
                child.wait()?;
                break Err(anyhow::anyhow!("it did not end within {LONGEST:?}"));
            }
        }
    };
    let text = |path: &Path| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let _ = fs::remove_file(path);
        text
    };
    let (stdout, stderr) = (text(&stdout), text(&stderr));
    Ok(Finished { code: status?.code(), stdout, stderr })
}
