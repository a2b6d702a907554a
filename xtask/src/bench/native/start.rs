// SPDX-License-Identifier: MIT OR Apache-2.0
//! From nothing to attached, beside bpftrace asking the same of the same tracepoints.

use std::{
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use super::{
    Built, Native,
    agent::{self, Agent},
};
use crate::{peers, workspace::target};

/// Enough to find both alone on the machine for once: the best counts.
const RUNS: usize = 21;

/// Time in which the kernel frees what an ended process has left behind.
const REST: Duration = Duration::from_millis(200);

/// How long connects and handshakes take, how they end, by process and destination.
const SAME_QUESTIONS: &str = "
tracepoint:syscalls:sys_enter_connect { @start[tid] = nsecs; }
tracepoint:sock:inet_sock_set_state /args->protocol == 6 && args->newstate == 2/ { @syn[args->skaddr] = nsecs; }
tracepoint:sock:inet_sock_set_state /args->oldstate == 2 && @syn[args->skaddr]/ {
  @handshake = hist(nsecs - @syn[args->skaddr]);
  @ends[comm, ntop(args->family, args->daddr), args->dport, args->newstate] = count();
  delete(@syn[args->skaddr]);
}
tracepoint:syscalls:sys_exit_connect /@start[tid]/ {
  @total = hist(nsecs - @start[tid]);
  @errno[args->ret] = count();
  delete(@start[tid]);
}";

/// In a mount namespace of its own; the clock starts once that is there.
const SCRIPT: &str = "mount -t tracefs tracefs /sys/kernel/tracing; echo; exec \"$@\"";

pub fn measure(built: &Built<'_>) -> Result<Vec<Native>> {
    let bpftrace = peers::program("bpftrace").inspect_err(|error| eprintln!("bpftrace: not run: {error:#}")).ok();
    let (mut ours, mut theirs) = (Duration::MAX, None::<Duration>);
    // In turns: what else this machine does is the same for both.
    for _ in 0..RUNS {
        thread::sleep(REST);
        let agent = Agent::start(built.tcp_trace, &[])?;
        ours = ours.min(agent.start);
        agent.finish()?;
        if let Some(bpftrace) = &bpftrace {
            thread::sleep(REST);
            let start = start_of(bpftrace)?;
            theirs = Some(theirs.map_or(start, |best| best.min(start)));
        }
    }
    let milliseconds = |time: Duration| (time.as_secs_f64() * 1e5).round() / 100.0;
    let ratio = theirs.map(|theirs| (theirs.as_secs_f64() / ours.as_secs_f64() * 100.0).round() / 100.0);
    Ok(vec![
        Native::new("start until attached, tracepoint tier", "ms", milliseconds(ours)).at_most(300.0),
        Native::new("start until attached, bpftrace with the same tracepoints", "ms", theirs.map(milliseconds)),
        Native::new("bpftrace's start compared with tcp-trace's", "times", ratio).at_least(5.0),
    ])
}

/// Until it starts the command that it was given: it does so once everything is attached.
fn start_of(bpftrace: &Path) -> Result<Duration> {
    let ready = target("bench/native/bpftrace-is-ready");
    agent::remove(&ready)?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", SCRIPT, "sh"]).arg(bpftrace).args(["-e", SAME_QUESTIONS, "-c"]);
    command.arg(format!("/bin/touch {}", ready.display()));
    command.env("LD_LIBRARY_PATH", peers::library_path()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().context("could not start unshare")?;
    let mut said = child.stdout.take().context("no pipe")?;
    said.read_exact(&mut [0])?;
    let begin = Instant::now();
    let attached = agent::wait_for(&ready, &mut child).context("bpftrace");
    let start = begin.elapsed();
    said.read_to_end(&mut Vec::new())?;
    child.wait()?;
    attached.map(|()| start)
}
