// SPDX-License-Identifier: MIT OR Apache-2.0
//! The accounts: what is made, delivered, shed and lost adds up to what was done here, whatever is in short supply.

use std::{
    fs,
    net::SocketAddr,
    os::unix::process::CommandExt as _,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::Value;

use super::ports_default_range;
use crate::{
    harness::{Report, not_run},
    netns::{self, Netns},
    socket::{LOCALHOST, Socket},
    tiers::{self, Tier},
    tool::{self, Answer, Tool},
    witness::Witness,
};

/// More than a ring of one page holds until it is read.
const BURST: u64 = 3_000;

pub fn run(report: &mut Report, tier: Tier) {
    let theme = format!("ledger/{tier}");
    report.test(&format!("{theme}/small_ring"), || small_ring(tier));
    report.test(&format!("{theme}/small_map"), || small_map(tier));
    report.test(&format!("{theme}/over_the_budget"), || over_the_budget(tier));
    report.test(&format!("{theme}/measured"), || measured(tier));
    report.test(&format!("{theme}/calibrated"), || calibrated(tier));
    report.test(&format!("{theme}/without_statistics"), || without_statistics(tier));
    report.test(&format!("{theme}/statistics_end_with_the_tool"), || statistics_end(tier));
}

/// Half of the connects are refused, half established; all of them one after another.
fn burst(netns: &Netns, connects: u64) -> Result<()> {
    let open = SocketAddr::new(LOCALHOST, 2001);
    let closed = SocketAddr::new(LOCALHOST, 2002);
    let _listener = Socket::listener(open, 4096)?;
    let before = (netns.snmp("ActiveOpens")?, netns.snmp("AttemptFails")?);
    for number in 0..connects {
        let socket = Socket::resetting(LOCALHOST)?;
        let (remote, wanted) = if number % 2 == 0 { (open, 0) } else { (closed, libc::ECONNREFUSED) };
        let errno = socket.connect(remote);
        ensure!(errno == wanted, "errno {errno}");
    }
    // The kernel's own count, beside ours.
    let opened = netns.snmp("ActiveOpens")? - before.0;
    let failed = netns.snmp("AttemptFails")? - before.1;
    // A reset that overtakes the end of a handshake fails on the other side as well.
    let agrees = opened == connects && failed >= connects / 2;
    ensure!(agrees, "the kernel counts {opened} opens, {failed} failures");
    Ok(())
}

/// Everything that a ledger promises, whatever happened.
pub fn balanced(answer: &Answer) -> Result<()> {
    for line in answer.of("summary") {
        let ledger = &line["ledger"];
        let number = |name: &str| ledger[name].as_u64().with_context(|| format!("no {name} in {ledger}"));
        let parts = ["delivered", "undecoded", "in_flight", "in_kernel", "shed", "lost_ring"];
        let sum = parts.iter().map(|part| number(part)).sum::<Result<u64>>()?;
        ensure!(number("made")? == sum, "does not balance: {ledger}");
        if line["final"] == true {
            ensure!(number("in_flight")? == 0 && !ledger["pending"].is_null(), "not settled: {ledger}");
            let outcomes: u64 =
                line["by_outcome"].as_object().context("by_outcome")?.values().filter_map(Value::as_u64).sum();
            let unknown = line["outcome_unknown"].as_u64().context("outcome_unknown")?;
            ensure!(line["connects"] == outcomes + unknown, "outcomes do not add up: {line}");
            ensure!(unknown == number("not_followed")? + number("lost_map")? + number("lost_outcome")?, "{line}");
            ensure!(outcomes == number("made")? - number("lost_outcome")? + number("pending")?, "{line}");
        }
    }
    Ok(())
}

/// And each event that came through has its line.
fn settled(answer: &Answer) -> Result<()> {
    balanced(answer)?;
    let lines = answer.of("connect").filter(|line| line["outcome"] != "pending").count() as u64;
    let ledger = &answer.final_summary()?["ledger"];
    ensure!(ledger["delivered"] == lines, "delivered, but not written: {lines} lines, {ledger}");
    Ok(())
}

/// The totals hold every connect, however few came with an event.
fn exact(answer: &Answer, tier: Tier, connects: u64) -> Result<()> {
    let summary = answer.final_summary()?;
    let outcome = |name: &str| summary["by_outcome"][name].as_u64().unwrap_or(0);
    ensure!(
        (outcome("established"), outcome("refused")) == (connects / 2, connects / 2),
        "of {connects}: {}",
        summary["by_outcome"]
    );
    let handshakes = &summary["phases"]["handshake"]["count"];
    ensure!(*handshakes == connects, "{handshakes} handshakes of {connects}");
    if tier.sees_search() {
        let searches = &summary["phases"]["port_search"]["count"];
        ensure!(*searches == connects, "{searches} searches of {connects}");
    }
    Ok(())
}

/// The name of the thread is the filter: nothing else is counted.
fn start(tier: Tier, arguments: &[&str]) -> Result<Tool> {
    Tool::start(tier, &[&["--comm", "caller", "--port-probes", "never"], arguments].concat())
}

/// Loss is forced: one page for all events. What has no room is added up instead.
fn small_ring(tier: Tier) -> Result<()> {
    let tool = start(tier, &[&["--ring-kib", "4"], &tool::UNBOUNDED[..]].concat())?;
    netns::within("caller", |netns| burst(netns, BURST))?;
    let answer = tool.stop()?;
    settled(&answer)?;
    exact(&answer, tier, BURST)?;
    let summary = answer.final_summary()?;
    let ledger = &summary["ledger"];
    let lost = ledger["lost_ring"].as_u64().context("lost_ring")?;
    ensure!(lost > 0, "nothing was lost, so this test sees nothing: {ledger}");
    ensure!(ledger["made"] == BURST && summary["connects"] == BURST, "{ledger}");
    ensure!(summary["lost"]["ring_buffer"] == lost, "{}", summary["lost"]);
    let told: u64 = answer.of("lost").filter_map(|line| line["ring_buffer"].as_u64()).sum();
    ensure!(told == lost, "lines about {told} of {lost}");
    Ok(())
}

/// 200 attempts without an answer, and room for 64.
fn small_map(tier: Tier) -> Result<()> {
    const ROOM: u64 = 64;
    const ATTEMPTS: u64 = 200;
    let tool = start(tier, &[&["--max-attempts", "64"], &tool::UNBOUNDED[..]].concat())?;
    let answer = netns::within("caller", |_| {
        let remote = SocketAddr::new(LOCALHOST, 2001);
        let _listener = Socket::deaf_listener(remote)?;
        let mut under_way = Vec::new();
        for _ in 0..ATTEMPTS {
            let socket = Socket::resetting(LOCALHOST)?.nonblocking()?;
            let errno = socket.connect(remote);
            ensure!(errno == libc::EINPROGRESS, "errno {errno}");
            under_way.push(socket);
        }
        tool.stop()
    })?;
    settled(&answer)?;
    let summary = answer.final_summary()?;
    let ledger = &summary["ledger"];
    let pending = ledger["pending"].as_u64().context("pending")?;
    // A socket has the choice of one set of eight places, so some stay free.
    ensure!(pending <= ROOM && pending > ROOM / 2 && summary["by_outcome"]["pending"] == pending, "{ledger}");
    let lost = ATTEMPTS - pending;
    ensure!(ledger["lost_map"] == lost && summary["lost"]["map_full"] == lost, "{ledger}");
    ensure!(summary["connects"] == ATTEMPTS && summary["outcome_unknown"] == lost, "{summary}");
    Ok(())
}

/// A budget that nothing keeps: events are shed, then most attempts; and all comes back in the quiet.
fn over_the_budget(tier: Tier) -> Result<()> {
    let tool = start(tier, &["--max-overhead", "0.01%"])?;
    let (connects, answer) = netns::within("caller", |netns| {
        let connects = until(
            &tool,
            |answer| changes(answer).last().is_some_and(|last| last.0 == "sampled"),
            || burst(netns, 1000).map(|()| 1000),
        )?;
        until(&tool, |answer| changes(answer).last().is_some_and(|last| last.0 == "full"), quiet)?;
        Ok((connects, tool.stop()?))
    })?;
    settled(&answer)?;
    let summary = answer.final_summary()?;
    let ledger = &summary["ledger"];
    ensure!(summary["connects"] == connects, "{connects} were made: {summary}");
    ensure!(ledger["shed"].as_u64() > Some(0) && ledger["not_followed"].as_u64() > Some(0), "{ledger}");
    ensure!(ledger["detail"] == "full", "{ledger}");
    let ways: Vec<_> = changes(&answer).into_iter().map(|change| change.0).collect();
    ensure!(ways.starts_with(&["exemplars", "no_events", "sampled"]), "in another order: {ways:?}");
    Ok(())
}

/// Storms of candidates with all port probes attached: these go first, and come back.
pub fn storms(report: &mut Report, tiers: &[Tier]) {
    if !report.wants("ledger/storm") {
        return;
    }
    let result = netns::within("caller", |_| {
        let (listener, _held) = ports_default_range::first_half()?;
        for &tier in tiers.iter().filter(|tier| tier.sees_search()) {
            report.test(&format!("ledger/storm/{tier}"), || storm(tier, listener.local()?));
        }
        Ok(())
    });
    if let Err(error) = result {
        report.test("ledger/storm", || Err(error));
    }
}

fn storm(tier: Tier, remote: SocketAddr) -> Result<()> {
    let arguments = ["--comm", "caller", "--port-probes", "always", "--max-overhead", "1%"];
    let tool = Tool::start(tier, &arguments)?;
    let connects = until(
        &tool,
        |answer| changes(answer).iter().any(|change| change.0 == "no_port_probes"),
        || {
            let socket = Socket::resetting(LOCALHOST)?;
            ensure!(socket.connect(remote) == 0, "no port left");
            Ok(1)
        },
    )?;
    until(&tool, |answer| changes(answer).last().is_some_and(|last| last.0 == "full"), quiet)?;
    let answer = tool.stop()?;
    settled(&answer)?;
    let changes = changes(&answer);
    let order = [("exemplars", "over_budget"), ("no_port_probes", "over_budget")];
    ensure!(changes.starts_with(&order), "events of each go first, then the port probes: {changes:?}");
    let first = answer.of("detail").next().context("no change")?;
    let spent: f64 = ["programs_share", "agent_share"].iter().filter_map(|share| first[share].as_f64()).sum();
    ensure!(spent > 0.01, "the budget was kept: {first}");
    let summary = answer.final_summary()?;
    ensure!(summary["connects"] == connects, "{connects} were made: {summary}");
    ensure!(summary["by_outcome"]["established"] == connects, "{}", summary["by_outcome"]);
    let visited = &summary["ports_visited"];
    ensure!(visited["count"] == connects && visited["p50"].as_u64() > Some(14_000), "no storm: {visited}");
    ensure!(summary["second_pass"] == connects, "{} of {connects} second passes", summary["second_pass"]);
    Ok(())
}

fn quiet() -> Result<u64> {
    thread::sleep(Duration::from_millis(500));
    Ok(0)
}

/// What every change was to, and why.
fn changes(answer: &Answer) -> Vec<(&str, &str)> {
    answer.of("detail").filter_map(|line| Some((line["detail"].as_str()?, line["reason"].as_str()?))).collect()
}

/// Goes on until what the tool wrote so far satisfies; the sum of what was done.
fn until(tool: &Tool, satisfied: impl Fn(&Answer) -> bool, mut act: impl FnMut() -> Result<u64>) -> Result<u64> {
    let deadline = Instant::now() + Duration::from_secs(120);
    let mut done = 0;
    loop {
        done += act()?;
        let answer = tool.so_far()?;
        if satisfied(&answer) {
            return Ok(done);
        }
        ensure!(Instant::now() < deadline, "the detail does not change as expected: {:?}", changes(&answer));
    }
}

/// The programs' time is measured in windows of a second's fiftieth; a busy second has some runs in each.
fn measured(tier: Tier) -> Result<()> {
    let tool = start(tier, &tool::UNBOUNDED)?;
    netns::within("caller", |netns| {
        let end = Instant::now() + Duration::from_secs(3);
        while Instant::now() < end {
            burst(netns, 100)?;
        }
        Ok(())
    })?;
    let answer = tool.stop()?;
    settled(&answer)?;
    let summary = answer.final_summary()?;
    let ledger = &summary["ledger"];
    let share = ledger["programs_share"].as_f64().context("programs_share is not known")?;
    ensure!(share > 0.0 && share < 1.0, "{ledger}");
    ensure!(ledger["programs_ns_per_connect"].as_u64() > Some(0), "{ledger}");
    let both = share + ledger["agent_share"].as_f64().context("agent_share")?;
    ensure!((summary["overhead"].as_f64().context("overhead")? - both).abs() < 1e-5, "{summary}");
    let windows = ledger["programs_window_ns"].as_f64().context("programs_window_ns")? / 1e9;
    let seconds = summary["seconds"].as_f64().context("seconds")?;
    ensure!(windows < seconds / 4.0, "statistics were kept for {windows} of {seconds} seconds");
    let kernel = tiers::kernel();
    ensure!(ledger["missed_runs"].is_u64() == (kernel >= (5, 12)), "{ledger}");
    ensure!(ledger["missed_kprobes"].is_u64() == (tier == Tier::Kprobe && kernel >= (6, 7)), "{ledger}");
    ensure!(ledger["resident_bytes"].as_u64() > Some(0) && ledger["locked_bytes"].as_u64() > Some(0), "{ledger}");
    Ok(())
}

/// The tool's own connects are measured, and are in none of its answers.
fn calibrated(tier: Tier) -> Result<()> {
    let tool = Tool::start_with_each_event(tier, &["--calibrate", "--port-probes", "never"])?;
    let pid = tool.pid();
    netns::within("caller", |netns| burst(netns, 200))?;
    let answer = tool.stop()?;
    settled(&answer)?;
    let summary = answer.final_summary()?;
    let ledger = &summary["ledger"];
    ensure!(summary["connects"] == 200 && ledger["shed"] == 0, "{summary}");
    ensure!(answer.of("connect").all(|line| line["pid"] != pid), "its own connects are among them");
    ensure!(ledger["calibrated_connects"] == 64, "{ledger}");
    let added = ledger["calibrated_ns_per_connect"].as_i64().context("calibrated_ns_per_connect")?;
    ensure!(added != 0, "tracing added nothing to no connect");
    Ok(())
}

/// Without CAP_SYS_ADMIN the kernel keeps no statistics for it: it measures connects of its own unasked.
fn without_statistics(tier: Tier) -> Result<()> {
    const CAP_SYS_ADMIN: i32 = 21;
    if tiers::kernel() < (6, 1) || tier == Tier::Kprobe {
        return Err(not_run("Debian's kernels want CAP_SYS_ADMIN for kprobes, and those before 6.1 for all of it"));
    }
    let mut command = Command::new(tool::path());
    command.args(["connect-latency", "--tier", &tier.to_string(), "--comm", "caller", "--port-probes", "never"]);
    command.args(tool::UNBOUNDED);
    // SAFETY: the closure only makes a system call.
    unsafe {
        command.pre_exec(|| match libc::prctl(libc::PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    let tool = Tool::spawn_in(command, None)?;
    netns::within("caller", |netns| burst(netns, 200))?;
    let answer = tool.stop()?;
    settled(&answer)?;
    exact(&answer, tier, 200)?;
    let summary = answer.final_summary()?;
    let ledger = &summary["ledger"];
    ensure!(ledger["programs_window_ns"] == 0 && ledger["programs_share"].is_null(), "{ledger}");
    ensure!(summary["overhead"].is_null(), "half of it is not known: {}", summary["overhead"]);
    ensure!(ledger["calibrated_connects"] == 64 && ledger["calibrated_ns_per_connect"].is_i64(), "{ledger}");
    ensure!(ledger["made"] == 200 && ledger["shed"] == 0, "its own connects are among them: {ledger}");
    Ok(())
}

/// kill -9 within a window of statistics: the descriptor that kept them goes with the process. The witness's programs
/// show whether they are kept; the sysctl shows only what an administrator set.
fn statistics_end(tier: Tier) -> Result<()> {
    let sysctl = || fs::read_to_string("/proc/sys/kernel/bpf_stats_enabled").context("no kernel.bpf_stats_enabled");
    let witness = Witness::attach()?;
    let before = sysctl()?;
    let mut tool = Tool::start(tier, &[])?;
    // Windows are opened only while there are connects.
    let found = AtomicBool::new(false);
    thread::scope(|scope| {
        let connects = scope.spawn(|| {
            netns::within("caller", |netns| {
                while !found.load(Ordering::Relaxed) {
                    burst(netns, 20)?;
                }
                Ok(())
            })
        });
        let deadline = Instant::now() + Duration::from_secs(60);
        while !keeps_statistics(tool.pid()) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
        let in_time = Instant::now() < deadline;
        tool.signal(libc::SIGKILL);
        found.store(true, Ordering::Relaxed);
        connects.join().map_err(|_| anyhow!("panicked"))??;
        ensure!(in_time, "no window in a minute");
        Ok(())
    })?;
    tool.wait(Duration::from_secs(20))?;
    let counted = witness.runs()?;
    netns::within("caller", |netns| burst(netns, 10))?;
    ensure!(witness.runs()? == counted, "statistics are still kept");
    ensure!(sysctl()? == before, "kernel.bpf_stats_enabled was {before}");
    Ok(())
}

/// One of its descriptors keeps statistics on.
fn keeps_statistics(pid: i32) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    descriptors
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|link| link.to_string_lossy().contains("bpf-stats"))
}
