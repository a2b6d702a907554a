// SPDX-License-Identifier: MIT OR Apache-2.0
//! The independent counter in the kernel, tests/witness-ebpf, loaded and read.

use std::fs;

use anyhow::{Context as _, Result};
use aya::{
    Ebpf, EbpfLoader,
    maps::{HashMap, MapData},
    programs::KProbe,
};

use crate::{harness::not_run, tiers};

static OBJECT: &[u8] = {
    #[repr(align(8))]
    struct Aligned<T: ?Sized>(T);
    static BYTES: &Aligned<[u8]> = &Aligned(*include_bytes!("../object/witness.bpf.o"));
    &BYTES.0
};

/// Results that searches of one thread returned since the beginning, and how its last search began. The kernel side has
/// the same layout.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Calls {
    pub refused: u64,
    pub time_wait_refused: u64,
    pub time_wait_reused: u64,
    pub port_offset: u64,
    pub perturb: u64,
}

// SAFETY: `repr(C)`, integers of one width, no padding.
unsafe impl aya::Pod for Calls {}

/// The witness, attached until the value is dropped.
pub struct Witness {
    ebpf: Ebpf,
}

type Probe = (&'static str, &'static [&'static str]);
const ANSWERS: [Probe; 2] = [
    ("check_return", &["__inet_check_established", "__inet6_check_established"]),
    ("twsk_unique_return", &["tcp_twsk_unique"]),
];
const STARTS: Probe = ("hash_connect_enter", &["__inet_hash_connect"]);

impl Witness {
    /// Counts the results of searches, and how each began.
    pub fn attach() -> Result<Self> {
        Self::on(ANSWERS.into_iter().chain([STARTS]))
    }

    /// Counts the results of searches, without a probe at their beginning.
    pub fn of_answers() -> Result<Self> {
        Self::on(ANSWERS)
    }

    fn on(probes: impl IntoIterator<Item = Probe>) -> Result<Self> {
        if !tiers::has_kprobes() {
            return Err(not_run("this kernel has no kprobes, so there is no witness"));
        }
        let table = table_perturb()?;
        let mut ebpf = EbpfLoader::new().override_global("TABLE_PERTURB", &table, true).load(OBJECT)?;
        for (program, functions) in probes {
            let probe: &mut KProbe = ebpf.program_mut(program).context(program)?.try_into()?;
            probe.load().with_context(|| format!("could not load {program}"))?;
            for function in functions {
                probe.attach(function, 0).with_context(|| format!("could not attach {program} to {function}"))?;
            }
        }
        Ok(Self { ebpf })
    }

    /// Number of runs of its programs while the kernel kept statistics.
    pub fn runs(&self) -> Result<u64> {
        let each = self.ebpf.programs().map(|(_, program)| Ok(program.info()?.run_count()));
        each.sum()
    }

    /// The calling thread's counts.
    pub fn mine(&self) -> Result<Calls> {
        let calls: HashMap<&MapData, u32, Calls> = HashMap::try_from(self.ebpf.map("CALLS").context("no map CALLS")?)?;
        // SAFETY: has no preconditions.
        let tid = unsafe { libc::gettid() };
        match calls.get(&(tid as u32), 0) {
            Err(aya::maps::MapError::KeyNotFound) => Ok(Calls::default()),
            counts => Ok(counts?),
        }
    }
}

fn table_perturb() -> Result<u64> {
    let symbols = fs::read_to_string("/proc/kallsyms").context("could not read /proc/kallsyms")?;
    let line = symbols.lines().find(|line| line.ends_with(" table_perturb"));
    let line = line.ok_or_else(|| not_run("/proc/kallsyms has no table_perturb"))?;
    Ok(u64::from_str_radix(line.split(' ').next().unwrap_or(""), 16)?)
}
