// SPDX-License-Identifier: MIT OR Apache-2.0
//! Raw events as the kernel side writes them, the same at every run: a machine with a few services that connect to a
//! few others, most of it well, some of it over the cliff.

use std::net::Ipv4Addr;

use tcp_trace_common::{
    Address, COMM_LEN, RawHeader,
    connect::{RawConnect, ended, flag},
    family, kind,
};

/// What a ring buffer of the default size holds.
pub const EVENTS: usize = (4 << 20) / (size_of::<RawConnect>() + 8);

const PROCESSES: [(&[u8; COMM_LEN], u32); 6] = [
    (b"php-fpm\0\0\0\0\0\0\0\0\0", 24),
    (b"nginx\0\0\0\0\0\0\0\0\0\0\0", 8),
    (b"checkout-api\0\0\0\0", 4),
    (b"node\0\0\0\0\0\0\0\0\0\0\0\0", 4),
    (b"curl\0\0\0\0\0\0\0\0\0\0\0\0", 200),
    (b"prometheus\0\0\0\0\0\0", 1),
];
const DESTINATIONS: u64 = 40;
const SEARCHED: u32 = flag::START
    | flag::SEARCH_ENTERED
    | flag::SEARCH_LEFT
    | flag::PERTURB
    | flag::RANGE
    | flag::RETURNED
    | flag::MPTCP_KNOWN;

/// xorshift64*: the same numbers everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % sides
    }
}

/// A ring buffer's worth.
pub fn events() -> Vec<RawConnect> {
    let mut dice = Dice(0x5eed);
    (0..EVENTS as u64).map(|number| event(&mut dice, 3_600_000_000_000 + number * 20_000)).collect()
}

/// The destination with this number, each another one.
pub fn set_destination(raw: &mut RawConnect, number: u32) {
    raw.family = family::INET;
    raw.daddr = Address::new(Ipv4Addr::from(0x0a00_0000 + number).to_ipv6_mapped().octets());
}

fn event(dice: &mut Dice, end_ns: u64) -> RawConnect {
    let process = dice.roll(PROCESSES.len() as u64) as usize;
    let (comm, pids) = PROCESSES[process];
    let pid = 1000 * (1 + process as u32) + dice.roll(pids.into()) as u32;
    let second_pass = dice.roll(100) < 12;
    let search_ns = if second_pass { 2_000_000 + dice.roll(1_000_000) } else { 2_000 + dice.roll(8_000) };
    let handshake_ns = 20_000 + dice.roll(200_000);
    let start_ns = end_ns - handshake_ns - search_ns - 3_000;
    let mut raw = RawConnect {
        header: RawHeader { ktime_ns: end_ns, kind: kind::CONNECT, size: size_of::<RawConnect>() as u16, pad: 0 },
        start_ns,
        search_start_ns: start_ns + 3_000,
        search_end_ns: start_ns + 3_000 + search_ns,
        cgroup_id: 100 + process as u64,
        port_offset: dice.roll(1 << 31) << 32,
        tgid: pid,
        tid: pid,
        uid: 33,
        netns: 4_026_531_840,
        perturb_before: dice.roll(1 << 31) as u32 | 1,
        flags: SEARCHED,
        family: family::INET,
        sport: 32_768 + 2 * dice.roll(14_116) as u16 + u16::from(second_pass),
        dport: 3306,
        range_low: 32_768,
        range_high: 60_999,
        ended_by: ended::ESTABLISHED,
        saddr: Address::new(Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped().octets()),
        daddr: Address::new(Ipv4Addr::new(10, 0, 1, dice.roll(DESTINATIONS) as u8).to_ipv6_mapped().octets()),
        comm: *comm,
        ..RawConnect::default()
    };
    if dice.roll(10) == 0 {
        raw.family = family::INET6;
        raw.saddr = Address::new(*b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01");
        raw.daddr = Address::new(*b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02");
    }
    if dice.roll(20) == 0 {
        raw.flags |= flag::PROBED;
        raw.refused_candidates = if second_pass { 14_100 } else { 0 };
        raw.time_wait_refused = raw.refused_candidates / 3;
    }
    match dice.roll(100) {
        0..5 => (raw.ended_by, raw.sk_err) = (ended::CLOSED, libc::ECONNREFUSED),
        5..8 => (raw.ended_by, raw.sk_err, raw.syn_retransmits) = (ended::CLOSED, libc::ETIMEDOUT, 6),
        8..10 => (raw.ended_by, raw.sk_err) = (ended::CLOSED, 0),
        10..13 => {
            raw.ended_by = ended::CALL_FAILED;
            (raw.search_ret, raw.call_ret, raw.sport) = (-libc::EADDRNOTAVAIL, -libc::EADDRNOTAVAIL, 0);
        }
        13 => {
            raw.flags = 0;
            (raw.ended_by, raw.call_ret, raw.sport) = (ended::DENIED, -libc::EPERM, 0);
        }
        _ => {}
    }
    raw
}
