// SPDX-License-Identifier: MIT OR Apache-2.0
//! Loads programs through the verifier, several in parallel, because that takes most of the startup time.

use std::{
    cell::LazyCell,
    collections::HashMap,
    sync::{Mutex, PoisonError},
    thread,
};

use anyhow::anyhow;
use aya::{Btf, Ebpf, programs};

use super::table::{Need, Program};

/// The kernel's BTF, parsed when the first program needs it: programs on tracepoints do not, and parsing is slow.
pub type KernelBtf = LazyCell<Option<Btf>>;

/// Upper limit of CPUs in use, because the machine has other work.
const SIDE_BY_SIDE: usize = 4;

/// Loads all programs that do not depend on the result of another; returns the errors by program name.
pub fn ahead(ebpf: &mut Ebpf, rows: &[&'static Program], btf: &KernelBtf) -> HashMap<&'static str, anyhow::Error> {
    let depends = |row: &Program| rows.iter().any(|other| other.need == Need::OrNext && other.hook == row.hook);
    let certain: HashMap<_, _> = rows.iter().filter(|row| !depends(row)).map(|row| (row.name, *row)).collect();
    let kernel = if certain.values().any(|row| row.kind.is_typed()) { btf.as_ref() } else { None };
    let all = ebpf.programs_mut().filter(|(_, program)| program.fd().is_err());
    let waiting: Vec<_> = all.filter_map(|(name, program)| Some((*certain.get(name)?, program))).collect();
    let workers = thread::available_parallelism().map_or(1, usize::from).min(SIDE_BY_SIDE).min(waiting.len());
    let waiting = Mutex::new(waiting.into_iter());
    let refusals = Mutex::new(HashMap::new());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some((row, program)) = next() {
            if let Err(refusal) = through_the_verifier(program, row, kernel) {
                refusals.lock().unwrap_or_else(PoisonError::into_inner).insert(row.name, refusal);
            }
        }
    };
    thread::scope(|scope| {
        (1..workers).for_each(|_| {
            scope.spawn(work);
        });
        work();
    });
    refusals.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Loads one program.
///
/// # Errors
/// When the kernel rejects it.
pub fn one(program: &mut programs::Program, row: &Program, btf: &KernelBtf) -> anyhow::Result<()> {
    through_the_verifier(program, row, if row.kind.is_typed() { btf.as_ref() } else { None })
}

fn through_the_verifier(program: &mut programs::Program, row: &Program, btf: Option<&Btf>) -> anyhow::Result<()> {
    let btf = || btf.ok_or_else(|| anyhow!("no kernel BTF (/sys/kernel/btf/vmlinux)"));
    match program {
        programs::Program::FEntry(program) => program.load(row.hook, btf()?)?,
        programs::Program::FExit(program) => program.load(row.hook, btf()?)?,
        programs::Program::KProbe(program) => program.load()?,
        programs::Program::BtfTracePoint(program) => program.load(row.hook, btf()?)?,
        programs::Program::RawTracePoint(program) => program.load()?,
        programs::Program::TracePoint(program) => program.load()?,
        programs::Program::PerfEvent(program) => program.load()?,
        programs::Program::Iter(program) => program.load(row.hook.trim_start_matches("bpf_iter_"), btf()?)?,
        _ => return Err(anyhow!("{} has a kind that the table does not list", row.name)),
    }
    Ok(())
}
