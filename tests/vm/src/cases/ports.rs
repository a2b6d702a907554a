// SPDX-License-Identifier: MIT OR Apache-2.0
//! How many ports a search visited: the tool's derivation against the witness's count and a walk of the same scan,
//! connect by connect.

use std::{
    net::{IpAddr, SocketAddr},
    thread,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::Value;

use crate::{
    harness::{Report, not_run},
    netns::{self, Netns},
    scan::{self, Ports},
    socket::{IP_LOCAL_PORT_RANGE, LOCALHOST, LOCALHOST6, Socket},
    tiers::{self, Tier},
    tool::{Answer, LEFT_OUT, Tool},
    witness::Witness,
};

const DPORT: u16 = 2001;

/// One connect, with what is true of it.
pub struct Step {
    tid: i32,
    port: Option<u16>,
    pub refused: u64,
    time_wait_refused: u64,
    time_wait_reused: u64,
    /// `None`: the walk could not be repeated.
    visited: Option<u32>,
    /// The kernel had not filled its table yet, so nothing can be derived.
    unfilled: bool,
    range: (u16, u16),
}

/// A series of connects to one destination.
pub struct Series<'a> {
    witness: &'a Witness,
    pub remote: SocketAddr,
    range: (u16, u16),
    /// The socket's own range, and whether it is searched port by port.
    own_range: Option<bool>,
    pub known: bool,
    pub ports: Ports,
    pub held: Vec<Socket>,
    pub steps: Vec<Step>,
}

impl<'a> Series<'a> {
    pub fn new(witness: &'a Witness, ip: IpAddr, range: (u16, u16)) -> Self {
        let remote = SocketAddr::new(ip, DPORT);
        let ports = Ports::default();
        Self { witness, remote, range, own_range: None, known: true, ports, held: Vec::new(), steps: Vec::new() }
    }

    fn socket(&self) -> Result<Socket> {
        let socket = Socket::resetting(self.remote.ip())?;
        if self.own_range.is_some() {
            let range = u32::from(self.range.1) << 16 | u32::from(self.range.0);
            socket.set(libc::IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range)?;
        }
        Ok(socket)
    }

    /// Connects once; the walk over what is known to be taken must agree with the kernel.
    pub fn connect(&mut self, hold: bool) -> Result<Option<u16>> {
        let socket = self.socket()?;
        let before = self.witness.mine()?;
        let errno = socket.connect(self.remote);
        let after = self.witness.mine()?;
        ensure!(matches!(errno, 0 | libc::EADDRNOTAVAIL), "errno {errno}");
        let port = if errno == 0 { Some(socket.local()?.port()) } else { None };
        let refused = after.refused - before.refused;
        let unfilled = after.perturb == 0;
        let (low, high) = self.range;
        let step_one = self.own_range == Some(true);
        let found = scan::walk(low, high, step_one, after.port_offset, after.perturb, &self.ports);
        if self.known && !unfilled {
            ensure!(found.port == port, "the walk found {:?}, the kernel {port:?}", found.port);
            ensure!(u64::from(found.refused) == refused, "the walk met {}, the kernel {refused}", found.refused);
        }
        self.steps.push(Step {
            // SAFETY: has no preconditions.
            tid: unsafe { libc::gettid() },
            port,
            refused,
            time_wait_refused: after.time_wait_refused - before.time_wait_refused,
            time_wait_reused: after.time_wait_reused - before.time_wait_reused,
            visited: self.known.then_some(found.visited),
            unfilled,
            range: self.range,
        });
        if let Some(port) = port.filter(|_| hold) {
            self.ports.in_use.insert(port);
            self.held.push(socket);
        }
        Ok(port)
    }

    /// Connects until no port is left, and three times more.
    fn exhaust(&mut self) -> Result<()> {
        while self.connect(true)?.is_some() {}
        for _ in 0..2 {
            ensure!(self.connect(true)?.is_none(), "a port came back");
        }
        Ok(())
    }
}

/// A series that ran, and where.
pub struct Done {
    name: &'static str,
    netns: u64,
    steps: Result<Vec<Step>>,
}

pub fn run(report: &mut Report, tier: Tier) {
    let theme = format!("ports/{tier}");
    if !report.wants(&theme) || !tier.sees_search() {
        return;
    }
    let told = (|| {
        let witness = Witness::attach()?;
        let tool = Tool::start_with_each_event(tier, &["--port-probes", "never"])?;
        let mut done = Vec::new();
        for (name, act) in ACTS {
            done.push(in_new_netns(name, &witness, act)?);
        }
        drop(witness);
        let threads = two_threads(&Witness::of_answers()?)?;
        Ok((done, threads, tool.stop()?))
    })();
    match told {
        Err(error) => report.test(&theme, || Err(error)),
        Ok((done, threads, answer)) => {
            report.test(&format!("{theme}/nothing_lost"), || {
                // Two threads search at once.
                let missed = answer.missed()?;
                ensure!(missed <= LEFT_OUT, "{missed} runs of programs were missed");
                answer.nothing_lost_by_us()
            });
            for series in done {
                report.test(&format!("{theme}/{}", series.name), || {
                    compare(&answer, series.netns, &series.steps?).map(|_| ())
                });
            }
            report.test(&format!("{theme}/two_threads"), || few_mismatches(&answer, &threads));
        }
    }
}

type Act = fn(&Netns, &Witness) -> Result<Vec<Step>>;
const ACTS: [(&str, Act); 8] = [
    ("even_range", |netns, witness| exhausted(netns, witness, LOCALHOST, (41000, 41039))),
    ("odd_range", |netns, witness| exhausted(netns, witness, LOCALHOST, (41001, 41041))),
    ("single_port", |netns, witness| exhausted(netns, witness, LOCALHOST, (41100, 41100))),
    ("ipv6", |netns, witness| exhausted(netns, witness, LOCALHOST6, (41000, 41039))),
    ("half_full", half_full),
    ("skipped_ports", skipped_ports),
    ("local_port_range", local_port_range),
    ("step_width", step_width),
];

fn in_new_netns(name: &'static str, witness: &Witness, act: Act) -> Result<Done> {
    netns::within("caller", |netns| Ok(Done { name, netns: netns.inode, steps: act(netns, witness) }))
}

fn exhausted(netns: &Netns, witness: &Witness, ip: IpAddr, range: (u16, u16)) -> Result<Vec<Step>> {
    netns.set_range(range.0, range.1)?;
    let mut series = Series::new(witness, ip, range);
    let _listener = Socket::listener(series.remote, 4096)?;
    series.exhaust()?;
    Ok(series.steps)
}

fn half_full(netns: &Netns, witness: &Witness) -> Result<Vec<Step>> {
    netns.set_range(41000, 41199)?;
    let mut series = Series::new(witness, LOCALHOST, (41000, 41199));
    let _listener = Socket::listener(series.remote, 4096)?;
    for _ in 0..110 {
        series.connect(true)?;
    }
    for _ in 0..100 {
        series.connect(false)?;
    }
    Ok(series.steps)
}

/// Four ports bound explicitly, five reserved.
fn skipped_ports(netns: &Netns, witness: &Witness) -> Result<Vec<Step>> {
    netns.set_range(41000, 41039)?;
    netns.set("ipv4/ip_local_reserved_ports", "41010-41013,41021")?;
    let mut series = Series::new(witness, LOCALHOST, (41000, 41039));
    let _listener = Socket::listener(series.remote, 4096)?;
    series.ports.skipped.extend([41010, 41011, 41012, 41013, 41021]);
    let mut bound = Vec::new();
    for port in [41004, 41005, 41030, 41031] {
        let socket = Socket::tcp(LOCALHOST)?;
        socket.bind(SocketAddr::new(LOCALHOST, port))?;
        series.ports.skipped.insert(port);
        bound.push(socket);
    }
    series.exhaust()?;
    Ok(series.steps)
}

fn local_port_range(netns: &Netns, witness: &Witness) -> Result<Vec<Step>> {
    netns.set_range(41000, 41199)?;
    let mut series = Series::new(witness, LOCALHOST, (41050, 41070));
    // Since 6.8 such a socket looks at every port in turn; before, at every second one.
    series.own_range = Some(tiers::kernel() >= (6, 8));
    if series.socket().is_err() {
        return Err(not_run("this kernel has no IP_LOCAL_PORT_RANGE"));
    }
    let _listener = Socket::listener(series.remote, 4096)?;
    series.exhaust()?;
    Ok(series.steps)
}

/// The step is random and invisible: only what the witness counted can be compared, and null is right too.
fn step_width(netns: &Netns, witness: &Witness) -> Result<Vec<Step>> {
    if !netns.has("ipv4/ip_local_port_step_width") {
        return Err(not_run("this kernel has no ip_local_port_step_width"));
    }
    netns.set("ipv4/ip_local_port_step_width", "7")?;
    netns.set_range(41000, 41039)?;
    let mut series = Series::new(witness, LOCALHOST, (41000, 41039));
    series.known = false;
    let _listener = Socket::listener(series.remote, 4096)?;
    for _ in 0..30 {
        series.connect(true)?;
    }
    Ok(series.steps)
}

/// Two threads towards one destination, on a range whose first half is full. The search must be long compared with the
/// moment between its entry and its reading of the table, or the threads would meet there more often than in any life:
/// a thousand candidates, and no probe of the witness at the entry.
fn two_threads(witness: &Witness) -> Result<(u64, Vec<Vec<Step>>)> {
    const RANGE: (u16, u16) = (41000, 42999);
    netns::within("caller", |netns| {
        netns.set_range(RANGE.0, RANGE.1)?;
        let mut crowd = Series::new(witness, LOCALHOST, RANGE);
        crowd.known = false;
        let _listener = Socket::listener(crowd.remote, 16384)?;
        for _ in 0..1010 {
            crowd.connect(true)?;
        }
        let hammer = || {
            let mut series = Series::new(witness, LOCALHOST, RANGE);
            series.known = false;
            for _ in 0..300 {
                series.connect(false)?;
            }
            anyhow::Ok(series.steps)
        };
        let series: Result<Vec<_>> = thread::scope(|scope| {
            let threads = [scope.spawn(hammer), scope.spawn(hammer)];
            threads.map(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?).into_iter().collect()
        });
        Ok((netns.inode, series?))
    })
}

/// What the other thread found between entry and reading is added to the report; nothing else may differ. How often the two
/// meet there depends on how the host runs the guest's CPUs: 0 to 2 of 600 on an idle host, 6 on a busy one.
fn few_mismatches(answer: &Answer, (netns, threads): &(u64, Vec<Vec<Step>>)) -> Result<()> {
    let mut total = 0;
    let mut wrong = Vec::new();
    for steps in threads {
        for (step, line) in pairs_but_missed(answer, *netns, steps)? {
            total += 1;
            let counted = step.refused + u64::from(step.port.is_some());
            let told = line["ports_visited"].as_u64().with_context(|| format!("nothing told in {line}"))?;
            ensure!(told >= counted, "counted {counted}, told only {told}");
            if told > counted {
                wrong.push(format!("counted {counted}, told {told}"));
            }
        }
    }
    ensure!(wrong.len() * 20 < total, "{} of {total} differ: {wrong:?}", wrong.len());
    Ok(())
}

/// Compares every step; says how many had their visits told.
pub fn compare(answer: &Answer, netns: u64, steps: &[Step]) -> Result<usize> {
    let mut told = 0;
    for (number, (step, line)) in pairs(answer, netns, steps)?.into_iter().enumerate() {
        same(step, line)
            .map_err(|error| anyhow!("connect {number}: {error:#}, {} refused; in {line}", step.refused))?;
        told += usize::from(!line["ports_visited"].is_null());
    }
    Ok(told)
}

/// The n-th connect of a thread is the n-th line about it.
fn pairs<'s, 'a>(answer: &'a Answer, netns: u64, steps: &'s [Step]) -> Result<Vec<(&'s Step, &'a Value)>> {
    let tid = steps.first().context("no step")?.tid;
    let lines: Vec<_> = answer.connects(netns).into_iter().filter(|line| line["tid"] == tid).collect();
    ensure!(lines.len() == steps.len(), "{} lines for {} connects", lines.len(), steps.len());
    Ok(steps.iter().zip(lines).collect())
}

/// As [`pairs`], but for connects whose programs the kernel left out; a port identifies the line.
fn pairs_but_missed<'s, 'a>(answer: &'a Answer, netns: u64, steps: &'s [Step]) -> Result<Vec<(&'s Step, &'a Value)>> {
    let tid = steps.first().context("no step")?.tid;
    let mut lines = answer.connects(netns).into_iter().filter(|line| line["tid"] == tid).peekable();
    let line_of =
        |step: &'s Step| lines.next_if(|line| line["sport"] == Value::from(step.port)).map(|line| (step, line));
    let found: Vec<_> = steps.iter().filter_map(line_of).collect();
    let (left, missed) = (lines.count(), answer.missed()?);
    let without = (steps.len() - found.len()) as u64;
    ensure!(
        left == 0 && without <= missed,
        "{without} connects have no line, {missed} runs were missed, {left} lines fit none"
    );
    Ok(found)
}

fn same(step: &Step, line: &Value) -> Result<()> {
    ensure!(line["sport"] == Value::from(step.port), "sport: wanted {:?}", step.port);
    ensure!(line["outcome"] == if step.port.is_some() { "established" } else { "no_port" }, "outcome");
    ensure!(line["range_low"] == step.range.0 && line["range_high"] == step.range.1, "range");
    let told = &line["ports_visited"];
    match step.visited {
        _ if step.unfilled => ensure!(told.is_null(), "the table was not filled yet, so this cannot be known"),
        Some(visited) => ensure!(*told == visited, "ports_visited: wanted {visited}"),
        None => {
            let counted = step.refused + u64::from(step.port.is_some());
            ensure!(told.is_null() || *told == counted, "ports_visited: wanted {counted} or null");
        }
    }
    let second = step.port.map(|port| (port - step.range.0) & 1 == 1);
    if line["source_port"] == "ephemeral"
        && let Some(second) = second
    {
        ensure!(line["second_pass"] == second, "second_pass: wanted {second}");
    }
    if !line["candidates_in_use"].is_null() {
        let time_wait = step.time_wait_refused;
        ensure!(line["candidates_time_wait"] == time_wait, "candidates_time_wait: wanted {time_wait}");
        ensure!(line["candidates_in_use"] == step.refused - time_wait, "candidates_in_use");
        ensure!(line["candidates_time_wait_reused"] == step.time_wait_reused, "candidates_time_wait_reused");
    }
    Ok(())
}

/// The first connect since the machine started: the kernel fills its table within it.
pub fn first_after_boot(report: &mut Report, tier: Tier) {
    if !report.wants("first_after_boot") {
        return;
    }
    report.test("first_after_boot", || {
        if !tier.sees_search() {
            return Err(not_run("this kernel shows no port search"));
        }
        let witness = Witness::attach()?;
        let tool = Tool::start_with_each_event(tier, &[])?;
        let (netns, steps) = netns::within("caller", |netns| {
            let range = (32768, 60999);
            let mut series = Series::new(&witness, LOCALHOST, range);
            let _listener = Socket::listener(series.remote, 16)?;
            series.connect(false)?;
            Ok((netns.inode, series.steps))
        })?;
        let answer = tool.stop()?;
        if !steps[0].unfilled {
            return Err(not_run("this machine has connected before"));
        }
        compare(&answer, netns, &steps).map(|_| ())
    });
}
