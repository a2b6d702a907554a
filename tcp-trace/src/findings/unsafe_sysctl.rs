// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding `unsafe-sysctl`: settings that do harm, or do not do what they are set for. Defaults are never reported.

use super::{Code, Evidence, Finding, Severity};
use crate::kernel::rules::Sysctls;

/// Length in seconds of TIME_WAIT, and of FIN_WAIT2 of orphaned sockets by default.
const FIN_TIMEOUT: u32 = 60;

/// A harmful setting.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Fault {
    name: &'static str,
    severity: Severity,
    words: &'static str,
    fix: &'static str,
}

/// One finding per fault, however many namespaces have it.
pub(super) fn find(settings: &[Sysctls], own: Option<u32>) -> Vec<Finding> {
    let mut found: Vec<(Fault, u64, Vec<Option<u32>>)> = Vec::new();
    for sysctls in settings {
        for (fault, value) in faults(sysctls) {
            match found.iter_mut().find(|(known, at, _)| *known == fault && *at == value) {
                Some((.., namespaces)) => namespaces.push(sysctls.netns),
                None => found.push((fault, value, vec![sysctls.netns])),
            }
        }
    }
    found.into_iter().map(|(fault, value, namespaces)| describe(fault, value, &namespaces, own)).collect()
}

fn faults(sysctls: &Sysctls) -> impl Iterator<Item = (Fault, u64)> {
    let faults = [
        sysctls.tcp_syncookies.filter(|cookies| *cookies == 2).map(|value| {
            let fault = Fault {
                name: "tcp_syncookies",
                severity: Severity::Warning,
                words: "the kernel accepts every connection by cookie, without a SYN queue: TCP options survive only in timestamps",
                fix: "sysctl -w net.ipv4.tcp_syncookies=1",
            };
            (fault, value.into())
        }),
        sysctls.tcp_syncookies.filter(|cookies| *cookies == 0).map(|value| {
            let fault = Fault {
                name: "tcp_syncookies",
                severity: Severity::Info,
                words: "the kernel drops SYNs that do not fit into a SYN queue, although a cookie could answer them",
                fix: "sysctl -w net.ipv4.tcp_syncookies=1",
            };
            (fault, value.into())
        }),
        sysctls.tcp_abort_on_overflow.filter(|abort| *abort != 0).map(|value| {
            let fault = Fault {
                name: "tcp_abort_on_overflow",
                severity: Severity::Info,
                words: "when an accept queue is briefly full, clients get resets, although a retry would succeed",
                fix: "sysctl -w net.ipv4.tcp_abort_on_overflow=0",
            };
            (fault, value.into())
        }),
        (sysctls.tcp_tw_reuse == Some(1) && sysctls.tcp_timestamps == Some(0)).then_some((
            Fault {
                name: "tcp_tw_reuse",
                severity: Severity::Info,
                words: "without tcp_timestamps connect() never reuses a port in TIME_WAIT",
                fix: "sysctl -w net.ipv4.tcp_timestamps=1",
            },
            1,
        )),
        sysctls.tcp_fin_timeout.filter(|seconds| *seconds < FIN_TIMEOUT / 2).map(|value| {
            let fault = Fault {
                name: "tcp_fin_timeout",
                severity: Severity::Info,
                words: "this shortens FIN_WAIT2 of orphaned sockets; TIME_WAIT still takes 60 s",
                fix: "sysctl -w net.ipv4.tcp_fin_timeout=60",
            };
            (fault, value.into())
        }),
        sysctls.ip_local_port_range.filter(|(low, high)| low < high && (high - low) % 2 == 0).map(|(low, _)| {
            let fault = Fault {
                name: "ip_local_port_range",
                severity: Severity::Info,
                words: "both ends have the same parity: connect() never tries one port of such a range",
                fix: "# make one end even and the other odd: sysctl -w net.ipv4.ip_local_port_range='LOW HIGH'",
            };
            (fault, low.into())
        }),
    ];
    faults.into_iter().flatten()
}

fn describe(fault: Fault, value: u64, namespaces: &[Option<u32>], own: Option<u32>) -> Finding {
    let Fault { name, severity, words, fix } = fault;
    let elsewhere = namespaces.iter().flatten().find(|netns| Some(**netns) != own);
    let mut lines = Vec::new();
    if let Some(netns) = elsewhere.filter(|_| !namespaces.contains(&own)) {
        lines.push(format!("# in network namespace {netns}; PID is a process in it"));
        // Pasted as it is, the command fails: it must not change the namespace of the shell.
        lines.push(if fix.starts_with('#') { fix.to_owned() } else { format!("nsenter -t PID -n {fix}") });
    } else {
        lines.push(fix.to_owned());
    }
    let mut evidence = vec![
        ("setting", Evidence::Text(format!("net.ipv4.{name}"))),
        ("value", Evidence::Number(value)),
        ("namespaces", Evidence::Number(namespaces.len() as u64)),
    ];
    evidence.extend(namespaces[0].map(|netns| ("netns", Evidence::Number(netns.into()))));
    Finding {
        code: Code::UnsafeSysctl,
        severity,
        headline: format!("{name} is {value}: {words}"),
        evidence,
        fix: lines,
        gain: None,
        risk: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_safe() {
        let defaults = Sysctls {
            netns: Some(1),
            ip_local_port_range: Some((32_768, 60_999)),
            tcp_tw_reuse: Some(2),
            tcp_timestamps: Some(1),
            tcp_fin_timeout: Some(60),
            tcp_syncookies: Some(1),
            tcp_abort_on_overflow: Some(0),
            ..Sysctls::default()
        };
        assert_eq!(find(&[defaults, Sysctls::default()], Some(1)), []);
    }

    #[test]
    fn one_finding_for_many_namespaces() {
        let of = |netns| Sysctls { netns: Some(netns), tcp_syncookies: Some(2), ..Sysctls::default() };
        let [finding] = &find(&[of(1), of(2), of(3)], Some(1))[..] else { panic!() };
        assert!(finding.evidence.contains(&("namespaces", Evidence::Number(3))));
        assert_eq!(finding.fix, ["sysctl -w net.ipv4.tcp_syncookies=1"]);
        let [elsewhere] = &find(&[of(2)], Some(1))[..] else { panic!() };
        assert!(elsewhere.fix[0].contains("namespace 2"));
        assert_eq!(elsewhere.fix[1], "nsenter -t PID -n sysctl -w net.ipv4.tcp_syncookies=1");
    }
}
