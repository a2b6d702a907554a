// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding `limit-near`: file descriptors, TCP memory or orphaned sockets are about to run out.

use super::{Code, Evidence, Finding, Severity, grouped};
use crate::{
    aggregate::limits::LimitsSnapshot,
    inventory::limits::{Descriptors, Limits, TcpMemory},
};

/// Usage at which a limit is near, as a share of it.
const NEAR: f64 = 0.8;
/// Usage at which a limit is as good as reached.
const REACHED: f64 = 0.98;

pub(super) fn find(limits: &LimitsSnapshot) -> Vec<Finding> {
    let Some(now) = &limits.now else { return Vec::new() };
    let of_processes = now.processes.nearest.iter().filter_map(|process| descriptors(process, now));
    of_processes.chain(files(now)).chain(memory(&now.tcp_memory)).chain(orphans(now)).collect()
}

fn severity(share: f64) -> Option<Severity> {
    match share {
        share if share >= REACHED => Some(Severity::Critical),
        share if share >= NEAR => Some(Severity::Warning),
        _ => None,
    }
}

fn finding(severity: Severity, headline: String, evidence: Vec<(&'static str, Evidence)>, fix: Vec<String>) -> Finding {
    Finding { code: Code::LimitNear, severity, headline, evidence, fix, gain: None, risk: None }
}

fn descriptors(process: &Descriptors, limits: &Limits) -> Option<Finding> {
    let (open, soft) = (process.taken.used?, process.taken.limit?);
    // A process far above its limit is a sandbox that lowered the limit afterwards, so that it opens nothing more. A
    // process slightly above it inherited descriptors with high numbers.
    let severity = severity(process.taken.share()?).filter(|_| open <= soft + soft / 8)?;
    let pid = process.pid;
    let mut fix = vec![
        "# close what is not needed: unused connections, sockets in CLOSE_WAIT, files; then raise the limit".to_owned(),
    ];
    let wanted = soft * 2;
    if limits.nr_open.is_some_and(|most| wanted > most) {
        fix.push(format!("sysctl -w fs.nr_open={}", wanted.next_power_of_two()));
    }
    fix.push(format!("prlimit --pid {pid} --nofile={wanted}:{}", process.hard.unwrap_or(wanted).max(wanted)));
    fix.push("# to make it permanent: LimitNOFILE= in its unit, or ulimit -n in its start script".to_owned());
    let (comm, of) = (&process.comm, format!("{} of {}", grouped(open), grouped(soft)));
    let evidence = vec![
        ("process", Evidence::Text(format!("{comm} ({pid})"))),
        ("open", Evidence::Number(open)),
        ("nofile_soft", Evidence::Number(soft)),
        ("nofile_hard", Evidence::number(process.hard)),
        ("fs_nr_open", Evidence::number(limits.nr_open)),
    ];
    let headline =
        format!("{comm} ({pid}) has {of} file descriptors open: at the limit socket() and accept() fail with EMFILE");
    Some(finding(severity, headline, evidence, fix))
}

fn files(limits: &Limits) -> Option<Finding> {
    let (used, limit) = (limits.files.used?, limits.files.limit?);
    let severity = severity(limits.files.share()?)?;
    Some(finding(
        severity,
        format!(
            "{} of the machine's {} files are open: at the limit open() fails with ENFILE",
            grouped(used),
            grouped(limit)
        ),
        vec![("open", Evidence::Number(used)), ("fs_file_max", Evidence::Number(limit))],
        vec![format!("sysctl -w fs.file-max={}", limit.saturating_mul(2))],
    ))
}

fn memory(memory: &TcpMemory) -> Option<Finding> {
    let (pages, pressure, limit) = (memory.pages?, memory.pressure_pages?, memory.limit_pages?);
    if pages < pressure {
        return None;
    }
    let severity = if pages >= limit { Severity::Critical } else { Severity::Warning };
    Some(finding(
        severity,
        format!(
            "TCP buffers take {} pages; the kernel saves memory from {} on and refuses it at {}: windows shrink, \
             packets are dropped",
            grouped(pages),
            grouped(pressure),
            grouped(limit)
        ),
        vec![
            ("pages", Evidence::Number(pages)),
            ("tcp_mem_pressure", Evidence::Number(pressure)),
            ("tcp_mem_max", Evidence::Number(limit)),
        ],
        vec![
            "# find the sockets with long queues, and why no process reads them: ss -tmi".into(),
            "# then, if there is free memory, raise all three numbers of net.ipv4.tcp_mem (pages)".into(),
        ],
    ))
}

fn orphans(limits: &Limits) -> Option<Finding> {
    let (used, limit) = (limits.orphans.used?, limits.orphans.limit?);
    let severity = severity(limits.orphans.share()?)?;
    Some(finding(
        severity,
        format!(
            "{} of {} orphaned sockets: at the limit the kernel resets further ones, and their data is lost",
            grouped(used),
            grouped(limit)
        ),
        vec![("orphans", Evidence::Number(used)), ("tcp_max_orphans", Evidence::Number(limit))],
        vec![
            "# peers that never take the last data: shorten net.ipv4.tcp_fin_timeout and tcp_orphan_retries".into(),
            format!("sysctl -w net.ipv4.tcp_max_orphans={}", limit.saturating_mul(2)),
        ],
    ))
}
