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

/// Long enough for some slow searches (milliseconds each) to begin and end within it.
const BURST: Duration = Duration::from_millis(100);

/// Of the time, whatever the budget: attaching and detaching keep the agent waiting, and those who want all of it ask for
/// it.
const AT_MOST_ONE_IN: f64 = 10.0;

/// When to attach them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum PortProbes {
    /// In bursts within --max-overhead, once searches are slow or fail
    #[default]
    Auto,
    /// All the time, as long as --max-overhead allows: one search at a time, at half the cost of its own again
    Always,
    /// Not at all
    Never,
}

/// Loaded once, attached and detached as needed.
pub struct Bursts {
    when: PortProbes,
    programs: Vec<&'static Program>,
    epoch: Option<Array<MapData, u64>>,
    /// How often they were attached; the epoch follows from it.
    attached: u64,
    links: Vec<Link>,
    began: Option<Instant>,
    not_before: Instant,
    count: u64,
    in_bursts: Duration,
}

/// Held only to be dropped, which detaches.
enum Link {
    Fentry(#[expect(dead_code, reason = "dropping it detaches")] programs::fentry::FEntryLink),
    Fexit(#[expect(dead_code, reason = "dropping it detaches")] programs::fexit::FExitLink),
    Kprobe(#[expect(dead_code, reason = "dropping it detaches")] programs::kprobe::KProbeLink),
}

impl Bursts {
    /// Attaches at once if they are to be there always.
    ///
    /// # Errors
    /// When they were asked for and cannot be had.
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

    /// Whether there is something to shed.
    pub fn are_wanted(&self) -> bool {
        self.when != PortProbes::Never && !self.programs.is_empty()
    }

    /// How many bursts there were; `None` where there are none to count.
    pub fn count(&self) -> Option<u64> {
        (self.when == PortProbes::Auto).then_some(self.count)
    }

    /// Time spent in bursts that are over.
    pub fn in_bursts(&self) -> Duration {
        self.in_bursts
    }

    /// When the burst under way is over.
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

    /// Ends the burst, and waits until bursts that cost `share` of a CPU while they last cost `allowed` on average.
    pub fn stop(&mut self, share: f64, allowed: f64) {
        self.detach();
        if let Some(began) = self.began.take() {
            // Attaching and detaching are part of what a burst costs.
            let lasted = began.elapsed();
            self.in_bursts += lasted;
            let period = lasted.as_secs_f64() * (share / allowed.max(f64::MIN_POSITIVE)).max(AT_MOST_ONE_IN);
            // Days are as good as never.
            self.not_before = began + Duration::from_secs_f64(period.min(1e6));
        }
    }

    /// Takes them away, or puts them back where they are wanted always.
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

    /// Searches that begin from now on are probed.
    fn attach(&mut self, ebpf: &mut Ebpf) -> anyhow::Result<()> {
        let epoch = self.epoch.as_mut().filter(|_| !self.programs.is_empty());
        let epoch = epoch.context("port probes are not available on this tier")?;
        for row in &self.programs {
            let program = ebpf.program_mut(row.name).context("program missing")?;
            self.links.push(attach_for_a_while(program, row, self.attached)?);
        }
        self.attached += 1;
        // Odd: attached. A search counts as probed if it saw the same odd number at both its ends.
        epoch.set(0, 2 * self.attached - 1, 0)?;
        Ok(())
    }

    /// Searches under way do not count as probed.
    fn detach(&mut self) {
        if let Some(epoch) = self.epoch.as_mut()
            && let Err(error) = epoch.set(0, 2 * self.attached, 0)
        {
            tracing::warn!("cannot end a burst of port probes: {error}");
        }
        self.links.clear();
    }
}

/// The id of a new link. Until f3a95075549e (5.13) a trampoline program can be attached once in its life.
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

/// Attaches, and hands the link out: dropping it detaches.
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
