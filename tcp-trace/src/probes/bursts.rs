// SPDX-License-Identifier: MIT OR Apache-2.0
//! The port probes: attached always, never, or in bursts whose cost stays within the budget.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use aya::{
    Btf, Ebpf,
    maps::{Array, MapData},
    programs,
};
use tcp_trace_common::names;
use tokio::time::Instant;

use super::{attach::Attached, table::Program};

/// Length of a burst: some slow searches (milliseconds each) begin and end within it.
const BURST: Duration = Duration::from_millis(100);

/// Upper limit of the share of time in bursts, whatever the budget: attaching and detaching block the agent.
/// `--port-probes always` has no such limit.
const AT_MOST_ONE_IN: f64 = 10.0;

/// When to attach the port probes
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum PortProbes {
    /// In bursts within --max-overhead, once searches are slow or fail
    #[default]
    Auto,
    /// All the time, as long as --max-overhead allows: a probed search takes about 1.5 times as long
    Always,
    /// Not at all
    Never,
}

/// The port probes: loaded once, attached and detached as needed.
pub struct Bursts {
    when: PortProbes,
    programs: Vec<&'static Program>,
    epoch: Option<Array<MapData, u64>>,
    /// Number of times they were attached; the epoch follows from it.
    attached: u64,
    links: Vec<Link>,
    began: Option<Instant>,
    not_before: Instant,
    count: u64,
    in_bursts: Duration,
}

/// A link that is kept only to be dropped, which detaches the program.
enum Link {
    Fentry(#[expect(dead_code, reason = "dropping it detaches")] programs::fentry::FEntryLink),
    Fexit(#[expect(dead_code, reason = "dropping it detaches")] programs::fexit::FExitLink),
    Kprobe(#[expect(dead_code, reason = "dropping it detaches")] programs::kprobe::KProbeLink),
}

impl Bursts {
    /// Attaches the probes at once if they are wanted always.
    ///
    /// # Errors
    /// When they were requested with `always` and cannot be attached.
    pub fn new(attached: &mut Attached, when: PortProbes) -> anyhow::Result<Self> {
        let programs = std::mem::take(&mut attached.port_probes);
        let epoch = attached.ebpf.take_map(names::PROBE_EPOCH).map(Array::try_from).transpose()?;
        let mut bursts = Self {
            when,
            programs,
            epoch,
            attached: 0,
            links: Vec::new(),
            began: None,
            not_before: Instant::now(),
            count: 0,
            in_bursts: Duration::ZERO,
        };
        if when == PortProbes::Always {
            bursts.attach(&mut attached.ebpf)?;
        }
        Ok(bursts)
    }

    /// Whether port probes can be shed.
    pub fn are_wanted(&self) -> bool {
        self.when != PortProbes::Never && !self.programs.is_empty()
    }

    /// Number of bursts so far; `None` if there are no bursts.
    pub fn count(&self) -> Option<u64> {
        (self.when == PortProbes::Auto).then_some(self.count)
    }

    /// Total time of completed bursts.
    pub fn in_bursts(&self) -> Duration {
        self.in_bursts
    }

    /// End of the current burst.
    pub fn end(&self) -> Option<Instant> {
        self.began.map(|began| began + BURST)
    }

    /// Whether the budget allows a burst now.
    pub fn may_begin(&self, now: Instant) -> bool {
        self.when == PortProbes::Auto && !self.programs.is_empty() && self.began.is_none() && now >= self.not_before
    }

    /// Begins a burst.
    pub fn begin(&mut self, ebpf: &mut Ebpf, now: Instant) {
        if let Err(error) = self.attach(ebpf) {
            tracing::info!("no port probes: {error:#}");
            self.detach();
            self.when = PortProbes::Never;
            return;
        }
        self.began = Some(now);
        self.count += 1;
    }

    /// Ends the burst. The next one waits until bursts that cost `share` of a CPU while they last cost `allowed` on
    /// average.
    pub fn stop(&mut self, share: f64, allowed: f64) {
        self.detach();
        if let Some(began) = self.began.take() {
            // Attaching and detaching are part of what a burst costs.
            let lasted = began.elapsed();
            self.in_bursts += lasted;
            let period = lasted.as_secs_f64() * (share / allowed.max(f64::MIN_POSITIVE)).max(AT_MOST_ONE_IN);
            // An upper limit of days, which is as good as never.
            self.not_before = began + Duration::from_secs_f64(period.min(1e6));
        }
    }

    /// Detaches the probes, or attaches them again if they are wanted always.
    pub fn allow(&mut self, ebpf: &mut Ebpf, allowed: bool) {
        if !allowed {
            self.stop(1.0, 1.0);
        } else if self.when == PortProbes::Always
            && self.links.is_empty()
            && let Err(error) = self.attach(ebpf)
        {
            tracing::warn!("cannot attach the port probes again: {error:#}");
            self.detach();
            self.when = PortProbes::Never;
        }
    }

    /// Attaches the probes: searches that begin from now on are probed.
    fn attach(&mut self, ebpf: &mut Ebpf) -> anyhow::Result<()> {
        let epoch = self.epoch.as_mut().filter(|_| !self.programs.is_empty());
        let epoch = epoch.context("port probes are not available on this tier")?;
        for row in &self.programs {
            let program = ebpf.program_mut(row.name).context("program missing")?;
            self.links.push(attach_for_a_while(program, row, self.attached)?);
        }
        self.attached += 1;
        // Odd means attached. A search counts as probed if it read the same odd number at both its ends.
        epoch.set(0, 2 * self.attached - 1, 0)?;
        Ok(())
    }

    /// Detaches the probes: searches in progress do not count as probed.
    fn detach(&mut self) {
        if let Some(epoch) = self.epoch.as_mut()
            && let Err(error) = epoch.set(0, 2 * self.attached, 0)
        {
            tracing::warn!("cannot end a burst of port probes: {error}");
        }
        self.links.clear();
    }
}

/// Returns the id of a new link. Until f3a95075549e (5.13) a trampoline program can be attached once in its life.
macro_rules! attach_again {
    ($program:ident, $row:ident, $before:ident) => {
        match $program.attach() {
            Err(_) if $before > 0 => {
                $program.unload()?;
                $program.load($row.hook, &Btf::from_sys_fs()?)?;
                $program.attach()?
            }
            attached => attached?,
        }
    };
}

/// Attaches a program and returns its link; dropping the link detaches it.
fn attach_for_a_while(program: &mut programs::Program, row: &Program, before: u64) -> anyhow::Result<Link> {
    Ok(match program {
        programs::Program::FEntry(program) => {
            let id = attach_again!(program, row, before);
            Link::Fentry(program.take_link(id)?)
        }
        programs::Program::FExit(program) => {
            let id = attach_again!(program, row, before);
            Link::Fexit(program.take_link(id)?)
        }
        programs::Program::KProbe(program) => {
            let id = program.attach(row.hook, 0)?;
            Link::Kprobe(program.take_link(id)?)
        }
        _ => return Err(anyhow!("{} is not a port probe", row.name)),
    })
}
