// SPDX-License-Identifier: MIT OR Apache-2.0
//! Plans, word for word.

use tcp_trace::{
    kernel::hooks,
    probes::{
        plan::{PlanRequest, plan},
        table::{Kind, SIGNALS, Signal},
        tier::Tier,
    },
};

use crate::{
    machine::{KERNELS, Machine},
    support::golden::check,
};

fn wanted(tier: Option<Tier>) -> PlanRequest {
    PlanRequest { signals: vec![Signal::Connect, Signal::PortProbes, Signal::TimeWait], tier, events: vec![] }
}

fn planned(machine: &Machine, tier: Option<Tier>) -> String {
    machine.text(&plan(&machine.facts(), &wanted(tier)).to_string())
}

#[test]
fn debian_kernels() {
    for version in KERNELS {
        check(&format!("plan-{version}.txt"), &planned(&Machine::debian(version), None));
    }
}

#[test]
fn without_btf() {
    let machine = Machine::debian("6.12");
    machine.remove("sys/kernel/btf");
    check("plan-no-btf.txt", &planned(&machine, None));
}

#[test]
fn under_lockdown() {
    let machine = Machine::debian("6.12");
    machine.write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
    check("plan-6.12.txt", &planned(&machine, None));
    machine.write("sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
    check("plan-confidentiality.txt", &planned(&machine, None));
}

#[test]
fn without_privileges() {
    let machine = Machine::debian("6.12");
    machine.become_user(1000, "0000000000000000");
    let text = planned(&machine, None);
    check("plan-nobody.txt", &text);
    let facts = machine.facts();
    let choices = plan(&facts, &wanted(None));
    assert!(choices.choices(Signal::Connect).iter().all(|choice| choice.for_privileges));
}

#[test]
fn with_two_capabilities() {
    let machine = Machine::debian("6.12");
    // CAP_PERFMON and CAP_BPF
    machine.become_user(1000, "000000c000000000");
    machine.remove("sys/kernel/tracing");
    machine.write("proc/kallsyms", "0000000000000000 b table_perturb\n");
    check("plan-bpf-and-perfmon.txt", &planned(&machine, None));
}

#[test]
fn without_kprobes_and_static_symbols() {
    let machine = Machine::debian("6.18");
    machine.write("proc/kallsyms", "ffffffff81000000 T _stext\n");
    machine.remove("sys/bus");
    check("plan-no-kprobes-no-kallsyms-all.txt", &planned(&machine, None));
}

#[test]
fn a_forced_tier_stands_alone() {
    check("plan-forced-tracepoint.txt", &planned(&Machine::debian("6.12"), Some(Tier::Tracepoint)));
}

#[test]
fn time_wait_events_need_the_closer() {
    let facts = Machine::debian("6.12").facts();
    let names = |events: &[Signal]| {
        let plan = plan(&facts, &PlanRequest { events: events.to_vec(), ..wanted(Some(Tier::Fentry)) });
        let programs = plan.choices(Signal::TimeWait).iter().flat_map(|choice| choice.programs.clone());
        programs.map(|program| program.name).collect::<Vec<_>>()
    };
    assert!(!names(&[]).contains(&"tw_closer_fentry"));
    assert!(names(&[Signal::TimeWait]).contains(&"tw_closer_fentry"));
}

/// A hook that the survey does not ask for would be ruled out everywhere.
#[test]
fn every_hook_of_the_table_is_surveyed() {
    for program in SIGNALS.iter().flat_map(|row| row.alternatives).flat_map(|alternative| alternative.programs) {
        let asked = match program.kind {
            Kind::Tracepoint { .. } | Kind::Clock => true,
            Kind::BtfTracepoint | Kind::RawTracepoint => hooks::TRACEPOINTS.contains(&program.hook),
            Kind::Fentry | Kind::Fexit | Kind::Kprobe | Kind::Kretprobe | Kind::Iterator => {
                hooks::FUNCTIONS.contains(&program.hook)
            }
        };
        assert!(asked, "{} on {}", program.name, program.hook);
    }
}
