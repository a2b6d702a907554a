// SPDX-License-Identifier: MIT OR Apache-2.0
//! Call paths: of a program whose frames are known, and of a third-party proxy, at the cliff.

use std::{fs, net::SocketAddr, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};

use super::programs;
use crate::{
    harness::{Report, not_run},
    netns,
    socket::{LOCALHOST, Socket},
    tiers::Tier,
    tool::{self, Tool},
};

const CONNECTS: u64 = 20;
/// Small enough to be filled at once; a cliff beside which whatever else connects is little.
const RANGE: (u16, u16) = (30_000, 45_999);
const SEARCH: &str = ";__inet_hash_connect_[k]";

pub fn run(report: &mut Report, tiers: &[Tier]) {
    for &tier in tiers {
        report.test(&format!("flamegraph/frames/{tier}"), || frames(tier));
    }
    let best = tiers[0];
    report.test("flamegraph/container", || container(best));
    report.test("flamegraph/on_cpu", || on_cpu(best));
    report.test("flamegraph/nginx", || proxy(best));
}

/// Lines of folded stacks, each with what it weighs.
struct Folded(Vec<(String, u64)>);

impl Folded {
    /// Of what `work` makes happen.
    fn of<T>(arguments: &[&str], work: impl FnOnce() -> Result<T>) -> Result<Self> {
        let output = tool::temporary("stacks.folded");
        let mut command = Command::new(tool::path());
        command.arg("flamegraph").args(tool::UNBOUNDED).args(arguments);
        let mut tool = Tool::spawn_to(command, &output)?;
        work()?;
        tool.signal(libc::SIGINT);
        let code = tool.wait(Duration::from_secs(60))?;
        ensure!(code == Some(0), "it ended with {code:?}: {}", tool.errors());
        let text = fs::read_to_string(&output).context("it wrote nothing")?;
        let _ = fs::remove_file(&output);
        let line =
            |line: &str| line.rsplit_once(' ').and_then(|(path, count)| Some((path.to_owned(), count.parse().ok()?)));
        Ok(Self(text.lines().map(|text| line(text).with_context(|| format!("{text:?}"))).collect::<Result<_>>()?))
    }

    fn sum(&self, chosen: impl Fn(&str) -> bool) -> u64 {
        self.0.iter().filter(|(path, _)| chosen(path)).map(|(_, count)| count).sum()
    }
}

#[inline(never)]
fn outer_caller(remote: SocketAddr, connects: u64) -> Result<()> {
    for _ in 0..connects {
        std::hint::black_box(inner_caller(remote))?;
    }
    Ok(())
}

#[inline(never)]
fn inner_caller(remote: SocketAddr) -> Result<()> {
    let socket = Socket::resetting(LOCALHOST)?;
    let errno = std::hint::black_box(socket.connect(remote));
    ensure!(errno == 0, "errno {errno}");
    Ok(())
}

fn frames(tier: Tier) -> Result<()> {
    let tier_name = tier.to_string();
    let arguments = ["--weight", "count", "--comm", "caller", "--tier", &tier_name];
    let folded = netns::within("caller", |_| {
        let listener = Socket::listener(SocketAddr::new(LOCALHOST, 2001), 64)?;
        Folded::of(&arguments, || outer_caller(listener.local()?, CONNECTS))
    })?;
    let all = folded.sum(|_| true);
    ensure!(all == CONNECTS, "{all} of {CONNECTS} connects: {:?}", folded.0);
    let whole = folded.sum(|path| {
        let place = |name: &str| path.find(name);
        path.starts_with("caller;")
            && path.contains(";tcp_v4_connect_[k]")
            && (path.ends_with(SEARCH) || !tier.sees_search())
            && !path.contains("bpf_")
            && place("outer_caller") < place("inner_caller")
            && place("outer_caller").is_some()
            && !path.contains("[unwinding failed")
    });
    ensure!(whole == CONNECTS, "{whole} of {CONNECTS} paths are whole: {:?}", folded.0);
    Ok(())
}

/// A program whose file only it can see, as in a container.
fn container(tier: Tier) -> Result<()> {
    let hidden = "mkdir -p /mnt && mount -t tmpfs none /mnt && cp \"$1\" /mnt/hidden && exec /mnt/hidden lab refused --duration 3s";
    let tier = tier.to_string();
    let folded = Folded::of(&["--weight", "count", "--comm", "checkout-api", "--tier", &tier], || {
        let mut program = Command::new("/bin/busybox");
        program.args(["unshare", "-m", "sh", "-c", hidden, "sh"]).arg(tool::path());
        let finished = tool::run(&mut program)?;
        ensure!(finished.code == Some(0), "exit code {:?}: {}", finished.code, finished.stderr);
        ensure!(!std::path::Path::new("/mnt/hidden").exists(), "its file can be seen from here");
        Ok(())
    })?;
    let all = folded.sum(|_| true);
    // Which of its functions are inlined is the compiler's affair; where a thread begins is not.
    let named = folded.sum(|path| path.contains(";start_thread;") && !path.contains("hidden+0x"));
    ensure!(all > 0 && named == all, "{named} of {all} paths have names: {:?}", folded.0);
    Ok(())
}

/// A listener, and a connection from every port of the first half towards it.
fn at_the_cliff<T>(work: impl FnOnce(SocketAddr, &Socket) -> Result<T> + Send) -> Result<T>
where
    T: Send,
{
    netns::within("caller", |netns| {
        super::ports_default_range::room_for(65_536)?;
        netns.set("core/somaxconn", "65535")?;
        netns.set_range(RANGE.0, RANGE.1)?;
        let remote = SocketAddr::new(LOCALHOST, 2002);
        let listener = Socket::listener(remote, 65_535)?;
        let mut held = Vec::new();
        for _ in (RANGE.0..=RANGE.1).step_by(2) {
            let socket = Socket::resetting(LOCALHOST)?;
            let errno = socket.connect(remote);
            ensure!(errno == 0, "errno {errno} after {} connects", held.len());
            held.push((socket, listener.accept()?));
        }
        work(remote, &listener)
    })
}

fn on_cpu(tier: Tier) -> Result<()> {
    if !tier.sees_search() {
        return Err(not_run("this kernel shows no port search"));
    }
    let folded = at_the_cliff(|remote, _| {
        Folded::of(&["--weight", "on-cpu", "--comm", "caller"], || outer_caller(remote, 40 * CONNECTS))
    })?;
    let all = folded.sum(|_| true);
    let walking = folded.sum(|path| path.contains("inner_caller") && path.contains(SEARCH));
    ensure!(all > 0 && 2 * walking > all, "{walking} of {all} ns in the search: {:?}", folded.0);
    Ok(())
}

/// Whatever else connects, most of the search's time is the proxy's.
fn proxy(tier: Tier) -> Result<()> {
    if !tier.sees_search() {
        return Err(not_run("this kernel shows no port search"));
    }
    let folded = at_the_cliff(|_, upstream| {
        let elsewhere = Socket::listener(SocketAddr::new(LOCALHOST, 2003), 64)?;
        Folded::of(&[], || {
            outer_caller(elsewhere.local()?, CONNECTS)?;
            programs::proxied(upstream)
        })
    })?;
    let all = folded.sum(|_| true);
    let own = folded
        .sum(|path| path.starts_with("nginx;") && path.contains("ngx_event_connect_peer") && path.ends_with(SEARCH));
    ensure!(all > 0 && own as f64 > 0.9 * all as f64, "{own} of {all} ns: {:?}", folded.0);
    Ok(())
}
