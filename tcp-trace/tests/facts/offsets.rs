// SPDX-License-Identifier: MIT OR Apache-2.0
//! Offsets and rules of five kernels. The figures were read with bpftool from the whole BTF.

use tcp_trace::kernel::rules::SearchRules;
use tcp_trace_common::offsets::{ABSENT, Offsets};

use crate::machine::{KERNELS, Machine};

type Column = (&'static str, fn(&Offsets) -> u16, [u16; 5]);

/// One row a field, one figure a kernel, in the order of [`KERNELS`].
const TABLE: &[Column] = &[
    ("skc_daddr", |o| o.skc_daddr, [0; 5]),
    ("skc_rcv_saddr", |o| o.skc_rcv_saddr, [4; 5]),
    ("skc_dport", |o| o.skc_dport, [12; 5]),
    ("skc_num", |o| o.skc_num, [14; 5]),
    ("skc_family", |o| o.skc_family, [16; 5]),
    ("skc_state", |o| o.skc_state, [18; 5]),
    ("skc_net", |o| o.skc_net, [48; 5]),
    ("skc_v6_daddr", |o| o.skc_v6_daddr, [56; 5]),
    ("skc_v6_rcv_saddr", |o| o.skc_v6_rcv_saddr, [72; 5]),
    ("skc_reuse", |o| o.skc_reuse, [19; 5]),
    ("skc_reuse_mask", |o| o.skc_reuse_mask, [0x0f; 5]),
    ("skc_reuseport", |o| o.skc_reuseport, [19; 5]),
    ("skc_reuseport_mask", |o| o.skc_reuseport_mask, [0x10; 5]),
    // 5.10 and 6.1: the upper half of its byte.
    ("sk_userlocks", |o| o.sk_userlocks, [536, 512, 243, 243, 243]),
    ("sk_userlocks_mask", |o| o.sk_userlocks_mask, [0xf0, 0xf0, 0xff, 0xff, 0xff]),
    ("sk_err", |o| o.sk_err, [568, 544, 284, 284, 284]),
    ("sk_protocol", |o| o.sk_protocol, [540, 516, 574, 532, 540]),
    ("socket_sk", |o| o.socket_sk, [24; 5]),
    ("socket_file", |o| o.socket_file, [16; 5]),
    ("inet_sport", |o| o.inet_sport, [784, 804, 806, 814, 830]),
    ("local_port_range", |o| o.local_port_range, [ABSENT, 984, 840, 848, 864]),
    // 5.10 and 6.1: bit 6474 and 6490 of the structure. Later: bit 19 of inet_flags.
    ("defer_connect", |o| o.defer_connect, [809, 811, 794, 802, 818]),
    ("defer_connect_mask", |o| o.defer_connect_mask, [4, 4, 8, 8, 8]),
    ("total_retrans", |o| o.total_retrans, [2104, 2104, 2216, 2192, 2304]),
    ("is_mptcp", |o| o.is_mptcp, [ABSENT, 2180, 2272, 2244, 2356]),
    ("skc_flags", |o| o.skc_flags, [96; 5]),
    ("sk_lingertime", |o| o.sk_lingertime, [544, 520, 576, 584, 592]),
    ("bytes_received", |o| o.bytes_received, [1408, 1408, 1784, 1744, 1864]),
    ("bytes_acked", |o| o.bytes_acked, [1456, 1456, 1840, 1816, 1608]),
    ("rcv_nxt", |o| o.rcv_nxt, [1424, 1424, 1712, 1656, 1768]),
    ("copied_seq", |o| o.copied_seq, [1428, 1428, 1520, 1472, 1504]),
    ("ts_recent_stamp", |o| o.ts_recent_stamp, [1708, 1708, 1756, 1720, 1828]),
    ("net_inum", |o| o.net_inum, [144, 144, 136, 176, 280]),
    ("local_ports_range", |o| o.local_ports_range, [900, 1060, 1180, 1356, 1476]),
    ("local_ports_range_size", |o| o.local_ports_range_size, [8, 8, 4, 4, 4]),
    ("port_step_width", |o| o.port_step_width, [ABSENT, ABSENT, ABSENT, ABSENT, 1496]),
    ("tw_count", |o| o.tw_count, [1152, 704, 832, 960, 1088]),
    ("tw_count_base", |o| o.tw_count_base, [0, 1, 1, 1, 1]),
    ("max_tw_buckets", |o| o.max_tw_buckets, [1224, 776, 904, 1032, 1160]),
    ("tw_timer_expires", |o| o.tw_timer_expires, [176; 5]),
    ("tw_substate", |o| o.tw_substate, [140; 5]),
    ("tw_sport", |o| o.tw_sport, [142; 5]),
    ("tw_tb", |o| o.tw_tb, [200; 5]),
    ("icsk_bind_hash", |o| o.icsk_bind_hash, [1056, 1072, 1080, 1088, 1120]),
    ("bucket_port", |o| o.bucket_port, [12; 5]),
    ("bucket_fastreuse", |o| o.bucket_fastreuse, [14; 5]),
    ("bucket_fastreuseport", |o| o.bucket_fastreuseport, [15; 5]),
    ("task_files", |o| o.task_files, [2808, 3048, 3048, 3320, 3416]),
    ("task_group_leader", |o| o.task_group_leader, [2296, 2480, 2496, 2768, 2872]),
    ("task_start_boottime", |o| o.task_start_boottime, [2544, 2784, 2784, 3056, 3160]),
    // 5.10 has no bpf_get_current_task_btf.
    ("task_comm", |o| o.task_comm, [ABSENT, 2976, 2976, 3248, 3344]),
    ("task_cred", |o| o.task_cred, [ABSENT, 2960, 2960, 3232, 3328]),
    ("cred_uid", |o| o.cred_uid, [ABSENT, 8, 8, 8, 8]),
    ("task_stack", |o| o.task_stack, [24, 32, 32, 32, 32]),
    ("files_fdt", |o| o.files_fdt, [32; 5]),
    ("fdtable_fd", |o| o.fdtable_fd, [8; 5]),
    ("fdtable_max_fds", |o| o.fdtable_max_fds, [0; 5]),
    ("file_private_data", |o| o.file_private_data, [200, 200, 32, 24, 24]),
    ("hash_connect_params", |o| o.hash_connect_params, [4, 4, 4, 5, 5]),
    ("check_established_params", |o| o.check_established_params, [4, 4, 4, 6, 6]),
    ("timewait_process_params", |o| o.timewait_process_params, [3, 3, 4, 5, 5]),
    ("accept_params", |o| o.accept_params, [4, 4, 2, 2, 2]),
    ("cgroup_sock_addr_params", |o| o.cgroup_sock_addr_params, [4, 5, 6, 6, 6]),
    ("cgroup_connect4", |o| o.cgroup_connect4, [10, 7, 7, 7, 7]),
    ("cgroup_connect6", |o| o.cgroup_connect6, [11, 8, 8, 8, 8]),
    ("skc_cookie", |o| o.skc_cookie, [88; 5]),
    ("skc_nulls_pprev", |o| o.skc_nulls_pprev, [112; 5]),
    ("sk_ack_backlog", |o| o.sk_ack_backlog, [576, 552, 604, 608, 616]),
    ("sk_max_ack_backlog", |o| o.sk_max_ack_backlog, [580, 556, 608, 612, 620]),
    ("sk_drops", |o| o.sk_drops, [168, 184, 136, 136, 136]),
    ("syn_queue_len", |o| o.syn_queue_len, [988, 1004, 1012, 1024, 1056]),
    ("tcp_syncookies", |o| o.tcp_syncookies, [979, 1123, 1231, 1407, 1535]),
    ("max_syn_backlog", |o| o.max_syn_backlog, [1280, 1248, 1320, 1504, 1632]),
    ("skb_head", |o| o.skb_head, [192, 200, 200, 200, 200]),
    ("skb_network_header", |o| o.skb_network_header, [180, 184, 184, 184, 184]),
    ("skb_transport_header", |o| o.skb_transport_header, [178, 182, 182, 182, 182]),
];

#[test]
fn every_offset_of_every_kernel() {
    for (index, version) in KERNELS.iter().enumerate() {
        let facts = Machine::debian(version).facts();
        assert_eq!(facts.missing, Vec::<String>::new(), "{version}");
        for (name, get, expected) in TABLE {
            assert_eq!(get(&facts.offsets), expected[index], "{name} on {version}");
        }
    }
    assert_eq!(TABLE.len() * 2, size_of::<Offsets>(), "a field is not in the table");
}

#[test]
fn rules_of_the_port_search() {
    let rules = |version| Machine::debian(version).facts().search;
    let oldest = SearchRules { perturb_table: true, ..SearchRules::default() };
    assert_eq!(rules("5.10"), oldest);
    // Searched by parity.
    let socket_range = SearchRules { socket_range: true, ..oldest };
    assert_eq!(rules("6.1"), socket_range);
    let one_pass = SearchRules { socket_range_steps_by_one: true, ..socket_range };
    assert_eq!(rules("6.12"), one_pass);
    let pre_pass = SearchRules { rcu_lookup: true, heals_buckets: true, ..one_pass };
    assert_eq!(rules("6.18"), pre_pass);
    assert_eq!(rules("7.2"), SearchRules { step_width: true, ..pre_pass });
}

#[test]
fn what_is_not_asked_of_the_version() {
    let facts = |version| Machine::debian(version).facts();
    assert!(facts("5.10").accounts_locked_memory);
    assert!(!facts("6.1").accounts_locked_memory);
    assert!(KERNELS.iter().all(|version| facts(version).ring_buffer));
}

#[test]
fn a_machine_with_nothing_is_a_fact_too() {
    let facts = Machine::bare().facts();
    assert!(facts.btf.is_err());
    assert_eq!(facts.offsets, Offsets::ABSENT);
    assert!(facts.table_perturb.is_err());
    assert!(!facts.privileges.may_trace());
}
