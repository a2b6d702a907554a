// SPDX-License-Identifier: MIT OR Apache-2.0
//! Parsers of untrusted input, each as a function of bytes. Only fuzz targets use them; live commands reach the same
//! parsers through files and sockets.

use std::io;

use crate::{
    check::rule::Rule,
    cli::Cli,
    enrich::{self, stacks::hostile},
    inventory::{diag, namespaces::Namespaces, netstat::NetStat},
    kernel::{btf::Btf, cgroup_mount, offsets, rules::SearchRules},
    outside, proc_text,
    recording::trigger::Trigger,
};

/// Parses `/tmp/perf-PID.map`.
pub fn perf_map(bytes: &[u8]) {
    for address in [0, 0x1000, 0x7f00_0000_1000, u64::MAX] {
        let name = hostile::name_in_perf_map(bytes, address).unwrap_or_default();
        assert!(!name.chars().any(char::is_control), "{name:?}");
    }
}

/// Reads a mapped program: its ELF, its unwind tables, its names.
///
/// # Errors
/// When there is no memory for a file.
pub fn program(bytes: &[u8]) -> io::Result<()> {
    for name in hostile::frames_of(bytes)? {
        assert!(!name.chars().any(char::is_control), "{name:?}");
    }
    Ok(())
}

/// Parses kernel BTF.
pub fn btf(bytes: &[u8]) {
    if let Ok(btf) = Btf::parse(bytes) {
        offsets::resolve(&btf);
        SearchRules::from_btf(&btf);
        btf.functions_among(&["inet_csk_get_port", "tcp_v4_connect"]);
        btf.has_tracepoint("sched_switch");
    }
}

/// Parses files of /proc that contain names of processes, mounts and cgroups.
pub fn proc_files(bytes: &[u8]) {
    let text = proc_text::lossy(bytes.to_vec());
    enrich::maps::executable(&text).for_each(drop);
    cgroup_mount::mount_point(bytes);
    Namespaces::of_mounts(&text);
    let counters = NetStat::new(text.clone(), text.clone(), text);
    let _ = (counters.tcp_ext("ListenOverflows"), counters.tcp("CurrEstab"), counters.sockstat("TCP:", "orphan"));
}

/// Parses a datagram of sock_diag.
pub fn netlink(bytes: &[u8]) {
    diag::parse(bytes);
}

/// Parses the condition of a flight recorder, and the same text as rules. The marked place of an error lies within it, and a
/// condition as text parses again.
pub fn trigger(text: &str) {
    match Trigger::parse(text) {
        Ok(trigger) => assert!(Trigger::parse(&trigger.to_string()).is_ok(), "{trigger}"),
        Err(wrong) => drop(wrong.point(text)),
    }
    if let Err(wrong) = Rule::parse_lines(text, "rules") {
        assert!(wrong.split('\n').all(|line| outside::one_line(line) == line), "{wrong:?}");
    }
}

/// Parses a command line, one argument per line.
pub fn command_line(text: &str) {
    let arguments = std::iter::once("tcp-trace").chain(text.lines());
    if let Err(error) = Cli::read(arguments) {
        let said = error.to_string();
        assert!(said.split('\n').all(|line| outside::one_line(line) == line), "{said:?}");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn corpus(folder: &str) -> Vec<Vec<u8>> {
        let folder = format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"));
        let files = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        files.map(|path| fs::read(path).expect("a file")).collect()
    }

    /// Parses each file, also truncated, and with single bytes changed.
    fn each(folder: &str, parse: impl Fn(&[u8])) {
        let all = corpus(folder);
        assert!(!all.is_empty(), "{folder} has a corpus");
        for bytes in all {
            parse(&bytes);
            for at in (0..bytes.len()).step_by((bytes.len() / 64).max(1)) {
                parse(&bytes[..at]);
                let mut changed = bytes.clone();
                changed[at] ^= 0x81;
                parse(&changed);
            }
        }
    }

    /// A structure that contains itself, 255 times, without a name: the search for a member would have no end.
    #[test]
    fn types_within_themselves_are_given_up() {
        const STRUCT: u32 = 4 << 24;
        let members = 255_u32;
        let mut types: Vec<u8> = [1, STRUCT | members, 8].into_iter().flat_map(u32::to_le_bytes).collect();
        (0..members).for_each(|_| types.extend([0, 1, 0].into_iter().flat_map(u32::to_le_bytes)));
        let strings = b"\0sock_common\0";
        let mut bytes = vec![0x9f, 0xeb, 1, 0];
        let lengths = [24, 0, types.len(), types.len(), strings.len()];
        bytes.extend(lengths.into_iter().flat_map(|length| (length as u32).to_le_bytes()));
        bytes.extend(types);
        bytes.extend(strings);
        assert!(Btf::parse(&bytes).is_ok_and(|btf| btf.has_struct("sock_common")));
        btf(&bytes);
    }

    #[test]
    fn what_others_wrote_is_parsed_to_its_end() {
        each("../fuzz/corpus/perf_map", perf_map);
        each("../fuzz/corpus/program", |bytes| program(bytes).expect("memory"));
        each("tests/fixtures/kernels/5.10", btf);
        each("../fuzz/corpus/proc_files", proc_files);
        each("../fuzz/corpus/netlink", netlink);
        each("../fuzz/corpus/trigger", |bytes| trigger(&String::from_utf8_lossy(bytes)));
        each("../fuzz/corpus/command_line", |bytes| command_line(&String::from_utf8_lossy(bytes)));
    }
}
