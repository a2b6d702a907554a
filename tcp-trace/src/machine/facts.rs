// SPDX-License-Identifier: MIT OR Apache-2.0
//! Facts as rows: a name, a value for programs, text for people.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::kernel::{Facts, generation, privileges::Privileges};

/// A fact about the machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// Name of the fact.
    #[serde(rename = "fact")]
    pub name: String,
    /// Value for programs.
    pub value: Value,
    /// Text for people.
    pub words: String,
}

impl Fact {
    fn new(name: &str, value: impl Into<Value>, words: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into(), words: words.into() }
    }
}

pub(super) fn text(facts: &[Fact]) -> String {
    let mut text = String::new();
    for Fact { name, words, .. } in facts {
        for (index, line) in words.lines().enumerate() {
            // Writing to a `String` never fails.
            let _ = writeln!(text, "{:<14} {line}", if index == 0 { name } else { "" });
        }
    }
    text
}

pub(super) fn rows(facts: &Facts) -> Vec<Fact> {
    let release = if facts.release.is_empty() { "unknown".into() } else { facts.release.clone() };
    let btf = match &facts.btf {
        Ok(bytes) if facts.missing.is_empty() => format!("{} KiB, every field found", bytes >> 10),
        Ok(bytes) => format!("{} KiB; not found: {}", bytes >> 10, facts.missing.join(", ")),
        Err(why) => why.clone(),
    };
    let lockdown = match facts.lockdown {
        Some(lockdown) => lockdown.to_string(),
        None => "unknown (the kernel has none, or securityfs is not mounted)".into(),
    };
    let kprobes = match (facts.hooks.kprobe_pmu, facts.hooks.kretprobe) {
        (true, true) => "yes",
        (true, false) => "without returns",
        (false, _) => "no (CONFIG_KPROBE_EVENTS is not set)",
    };
    let ring_buffer = match (&facts.btf, facts.ring_buffer) {
        (Err(_), _) => "unknown without BTF",
        (_, true) => "yes",
        (_, false) => "no (5.8 and later have it)",
    };
    vec![
        Fact::new("kernel", facts.release.clone(), release),
        privileges(&facts.privileges),
        Fact::new("lockdown", json!(facts.lockdown), lockdown),
        Fact::new("btf", facts.btf.is_ok(), btf),
        Fact::new("ring_buffer", facts.btf.is_ok().then_some(facts.ring_buffer), ring_buffer),
        Fact::new("kprobes", facts.hooks.kprobe_pmu && facts.hooks.kretprobe, kprobes),
        Fact::new("tracefs", json!(facts.hooks.tracefs), facts.hooks.tracefs.to_string()),
        table_perturb(facts),
        port_search(facts),
        upgrade(facts),
        settings(facts),
    ]
}

fn privileges(privileges: &Privileges) -> Fact {
    let who = match privileges.euid {
        Some(0) => "root".into(),
        Some(euid) => format!("uid {euid}"),
        None => "user unknown".into(),
    };
    let words = match privileges.missing_for_tracing() {
        None => format!("{who}, may trace"),
        Some(missing) => format!("{who}, may not trace: {missing}"),
    };
    Fact::new("privileges", json!(privileges), words)
}

fn table_perturb(facts: &Facts) -> Fact {
    let order = &facts.table_order;
    let words = match &facts.table_perturb {
        Ok(_) => format!("found, {} entries ({}): ports visited are exact", 1_u64 << order.order, order.source),
        Err(why) => format!("{why}: ports visited are known only while port probes are attached"),
    };
    Fact::new("table_perturb", facts.table_perturb.is_ok(), words)
}

fn port_search(facts: &Facts) -> Fact {
    if facts.btf.is_err() {
        return Fact::new("port_search", Value::Null, "unknown without BTF");
    }
    let mut lines = vec![generation::name(&facts.search).to_owned()];
    lines.extend(generation::explained(&facts.search).into_iter().map(str::to_owned));
    Fact::new("port_search", json!(facts.search), lines.join("\n"))
}

fn upgrade(facts: &Facts) -> Fact {
    if facts.btf.is_err() {
        return Fact::new("upgrade", Value::Null, "unknown without BTF");
    }
    let buys = generation::upgrades(&facts.search);
    let words = if buys.is_empty() { "no newer port search exists".to_owned() } else { buys.join("\n") };
    Fact::new("upgrade", json!(buys), words)
}

fn settings(facts: &Facts) -> Fact {
    let sysctls = &facts.sysctls;
    let shown = |value: Option<String>| value.unwrap_or_else(|| "unknown".into());
    let mut lines = vec![
        format!(
            "ip_local_port_range {}",
            shown(sysctls.ip_local_port_range.map(|(low, high)| format!("{low}-{high}")))
        ),
        format!("tcp_tw_reuse {}", shown(sysctls.tcp_tw_reuse.map(|value| value.to_string()))),
        format!("tcp_timestamps {}", shown(sysctls.tcp_timestamps.map(|value| value.to_string()))),
        format!("tcp_max_tw_buckets {}", shown(sysctls.tcp_max_tw_buckets.map(|value| value.to_string()))),
    ];
    if let Some(reserved) = sysctls.ip_local_reserved_ports.as_ref().filter(|ports| !ports.is_empty()) {
        lines.push(format!("ip_local_reserved_ports {reserved}"));
    }
    if let Some(width) = sysctls.ip_local_port_step_width {
        lines.push(format!("ip_local_port_step_width {width}"));
    }
    Fact::new("settings", json!(sysctls), lines.join("\n"))
}
