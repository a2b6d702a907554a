// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the running kernel keeps what we read: resolved from its BTF, set as a read-only global before loading.

/// The field, function or enumerator does not exist on this kernel.
pub const ABSENT: u16 = u16::MAX;

/// Byte offsets of kernel fields; [`ABSENT`] where the kernel has no such field.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offsets {
    /// `sock_common.skc_daddr`
    pub skc_daddr: u16,
    /// `sock_common.skc_rcv_saddr`
    pub skc_rcv_saddr: u16,
    /// `sock_common.skc_dport`, big endian
    pub skc_dport: u16,
    /// `sock_common.skc_num`
    pub skc_num: u16,
    /// `sock_common.skc_family`
    pub skc_family: u16,
    /// `sock_common.skc_state`
    pub skc_state: u16,
    /// `sock_common.skc_net.net`
    pub skc_net: u16,
    /// `sock_common.skc_v6_daddr`
    pub skc_v6_daddr: u16,
    /// `sock_common.skc_v6_rcv_saddr`
    pub skc_v6_rcv_saddr: u16,
    /// Byte holding the bit-field `sock_common.skc_reuse`
    pub skc_reuse: u16,
    /// Mask of it within its byte
    pub skc_reuse_mask: u16,
    /// Byte holding the bit-field `sock_common.skc_reuseport`
    pub skc_reuseport: u16,
    /// Mask of it within its byte
    pub skc_reuseport_mask: u16,
    /// Byte holding `sock.sk_userlocks`, a bit-field (5.10, 6.1) or all of it
    pub sk_userlocks: u16,
    /// Mask of it within its byte
    pub sk_userlocks_mask: u16,
    /// `sock.sk_err`
    pub sk_err: u16,
    /// `sock.sk_protocol`, a u16 (a bit-field byte before 5.6)
    pub sk_protocol: u16,
    /// `socket.sk`
    pub socket_sk: u16,
    /// `socket.file`
    pub socket_file: u16,
    /// `inet_sock.inet_sport`, big endian
    pub inet_sport: u16,
    /// `inet_sock.local_port_range`
    pub local_port_range: u16,
    /// Byte holding `DEFER_CONNECT` (`inet_sock.inet_flags` or the bit-field `defer_connect`)
    pub defer_connect: u16,
    /// Mask of that bit within its byte
    pub defer_connect_mask: u16,
    /// `tcp_sock.total_retrans`
    pub total_retrans: u16,
    /// `tcp_sock.is_mptcp`
    pub is_mptcp: u16,
    /// `sock_common.skc_flags`
    pub skc_flags: u16,
    /// `sock.sk_lingertime`, jiffies
    pub sk_lingertime: u16,
    /// `tcp_sock.bytes_received`
    pub bytes_received: u16,
    /// `tcp_sock.bytes_acked`
    pub bytes_acked: u16,
    /// `tcp_sock.rcv_nxt`
    pub rcv_nxt: u16,
    /// `tcp_sock.copied_seq`
    pub copied_seq: u16,
    /// `tcp_sock.rx_opt.ts_recent_stamp`
    pub ts_recent_stamp: u16,
    /// `net.ns.inum`
    pub net_inum: u16,
    /// `net.ipv4.ip_local_ports.range`
    pub local_ports_range: u16,
    /// Size in bytes of `ip_local_ports.range`: 8 = `int[2]`, 4 = high and low packed in a u32
    pub local_ports_range_size: u16,
    /// `net.ipv4.sysctl_ip_local_port_step_width`
    pub port_step_width: u16,
    /// `net.ipv4.tcp_death_row.tw_count` or `.tw_refcount`
    pub tw_count: u16,
    /// Value of the counter for zero minisockets: 0 (`tw_count`) or 1 (`tw_refcount`)
    pub tw_count_base: u16,
    /// `net.ipv4.tcp_death_row.sysctl_max_tw_buckets`
    pub max_tw_buckets: u16,
    /// `sock_common.skc_nulls_node.pprev`, 0 while the socket is in no hash chain
    pub skc_nulls_pprev: u16,
    /// `inet_timewait_sock.tw_timer.expires`, in jiffies
    pub tw_timer_expires: u16,
    /// `inet_timewait_sock.tw_substate`
    pub tw_substate: u16,
    /// `inet_timewait_sock.tw_sport`, big endian
    pub tw_sport: u16,
    /// `inet_timewait_sock.tw_tb`
    pub tw_tb: u16,
    /// `inet_connection_sock.icsk_bind_hash`
    pub icsk_bind_hash: u16,
    /// `inet_bind_bucket.port`
    pub bucket_port: u16,
    /// `inet_bind_bucket.fastreuse`
    pub bucket_fastreuse: u16,
    /// `inet_bind_bucket.fastreuseport`
    pub bucket_fastreuseport: u16,
    /// `task_struct.files`
    pub task_files: u16,
    /// `task_struct.comm`; this and the next two only where programs may have the current task as a typed pointer
    pub task_comm: u16,
    /// `task_struct.cred`
    pub task_cred: u16,
    /// `cred.uid.val`
    pub cred_uid: u16,
    /// `task_struct.group_leader`
    pub task_group_leader: u16,
    /// `task_struct.start_boottime`
    pub task_start_boottime: u16,
    /// `task_struct.stack`
    pub task_stack: u16,
    /// `files_struct.fdt`
    pub files_fdt: u16,
    /// `fdtable.fd`
    pub fdtable_fd: u16,
    /// `fdtable.max_fds`
    pub fdtable_max_fds: u16,
    /// `file.private_data`
    pub file_private_data: u16,
    /// Parameters of `__inet_hash_connect`: 4, or 5 from 6.15 on
    pub hash_connect_params: u16,
    /// Parameters of `__inet_check_established`: 4, or 6 from 6.15 on
    pub check_established_params: u16,
    /// Parameters of `tcp_timewait_state_process`
    pub timewait_process_params: u16,
    /// Parameters of `inet_csk_accept`: 4, or 2 from 6.10 on
    pub accept_params: u16,
    /// Parameters of `__cgroup_bpf_run_filter_sock_addr`: 4 (5.10), 5, or 6 from 6.7 on
    pub cgroup_sock_addr_params: u16,
    /// Enumerator of the attach type for connect4 that this function is called with
    pub cgroup_connect4: u16,
    /// Enumerator for connect6
    pub cgroup_connect6: u16,
    /// `sock_common.skc_cookie`
    pub skc_cookie: u16,
    /// `sock.sk_ack_backlog`
    pub sk_ack_backlog: u16,
    /// `sock.sk_max_ack_backlog`
    pub sk_max_ack_backlog: u16,
    /// `sock.sk_drops`
    pub sk_drops: u16,
    /// `inet_connection_sock.icsk_accept_queue.qlen`
    pub syn_queue_len: u16,
    /// `net.ipv4.sysctl_tcp_syncookies`, a u8
    pub tcp_syncookies: u16,
    /// `net.ipv4.sysctl_max_syn_backlog`
    pub max_syn_backlog: u16,
    /// `sk_buff.head`
    pub skb_head: u16,
    /// `sk_buff.network_header`
    pub skb_network_header: u16,
    /// `sk_buff.transport_header`
    pub skb_transport_header: u16,
}

impl Offsets {
    /// Nothing known.
    pub const ABSENT: Self = Self {
        skc_daddr: ABSENT,
        skc_rcv_saddr: ABSENT,
        skc_dport: ABSENT,
        skc_num: ABSENT,
        skc_family: ABSENT,
        skc_state: ABSENT,
        skc_net: ABSENT,
        skc_v6_daddr: ABSENT,
        skc_v6_rcv_saddr: ABSENT,
        skc_reuse: ABSENT,
        skc_reuse_mask: 0,
        skc_reuseport: ABSENT,
        skc_reuseport_mask: 0,
        sk_userlocks: ABSENT,
        sk_userlocks_mask: 0,
        sk_err: ABSENT,
        sk_protocol: ABSENT,
        socket_sk: ABSENT,
        socket_file: ABSENT,
        inet_sport: ABSENT,
        local_port_range: ABSENT,
        defer_connect: ABSENT,
        defer_connect_mask: 0,
        total_retrans: ABSENT,
        is_mptcp: ABSENT,
        skc_flags: ABSENT,
        sk_lingertime: ABSENT,
        bytes_received: ABSENT,
        bytes_acked: ABSENT,
        rcv_nxt: ABSENT,
        copied_seq: ABSENT,
        ts_recent_stamp: ABSENT,
        net_inum: ABSENT,
        local_ports_range: ABSENT,
        local_ports_range_size: 0,
        port_step_width: ABSENT,
        tw_count: ABSENT,
        tw_count_base: 0,
        max_tw_buckets: ABSENT,
        skc_nulls_pprev: ABSENT,
        tw_timer_expires: ABSENT,
        tw_substate: ABSENT,
        tw_sport: ABSENT,
        tw_tb: ABSENT,
        icsk_bind_hash: ABSENT,
        bucket_port: ABSENT,
        bucket_fastreuse: ABSENT,
        bucket_fastreuseport: ABSENT,
        task_files: ABSENT,
        task_comm: ABSENT,
        task_cred: ABSENT,
        cred_uid: ABSENT,
        task_group_leader: ABSENT,
        task_start_boottime: ABSENT,
        task_stack: ABSENT,
        files_fdt: ABSENT,
        fdtable_fd: ABSENT,
        fdtable_max_fds: ABSENT,
        file_private_data: ABSENT,
        hash_connect_params: ABSENT,
        check_established_params: ABSENT,
        timewait_process_params: ABSENT,
        accept_params: ABSENT,
        cgroup_sock_addr_params: ABSENT,
        cgroup_connect4: ABSENT,
        cgroup_connect6: ABSENT,
        skc_cookie: ABSENT,
        sk_ack_backlog: ABSENT,
        sk_max_ack_backlog: ABSENT,
        sk_drops: ABSENT,
        syn_queue_len: ABSENT,
        tcp_syncookies: ABSENT,
        max_syn_backlog: ABSENT,
        skb_head: ABSENT,
        skb_network_header: ABSENT,
        skb_transport_header: ABSENT,
    };
}

#[cfg(feature = "user")]
mod user {
    // SAFETY: `repr(C)`, all fields u16, so no padding.
    unsafe impl aya::Pod for super::Offsets {}
}
