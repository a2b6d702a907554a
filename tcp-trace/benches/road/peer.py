# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a script at the end of a ring buffer does with the same raw events: unpack, count, a histogram, JSON lines.

usage: peer.py EVENTS_FILE summary|lines        prints events per second
"""

import collections
import ipaddress
import json
import struct
import sys
import time

# RawConnect of tcp-trace-common, field by field.
RAW = struct.Struct("=QHHI 6Q 8I 4i 4I 7H 2B 16s 16s 16s")
FIELDS = (
    "ktime_ns kind size cpu start_ns search_start_ns search_end_ns cgroup_id port_offset process_start_ns tgid tid uid netns "
    "perturb_before perturb_after step_width socket_range syn_retransmits search_ret call_ret sk_err "
    "refused_candidates time_wait_refused time_wait_reused flags family sport dport bound_port range_low range_high "
    "first_candidate ended_by probe_epoch saddr daddr comm"
).split()
OUTCOMES = {1: "established", 2: "call_failed", 3: "closed", 4: "destroyed", 5: "denied"}


def main(path, mode):
    events = open(path, "rb").read()
    count = len(events) // RAW.size
    outcomes, processes, destinations = collections.Counter(), collections.Counter(), collections.Counter()
    latency = collections.Counter()
    sink = open("/dev/null", "w")
    begin = time.perf_counter()
    for values in RAW.iter_unpack(events):
        event = dict(zip(FIELDS, values))
        comm = event["comm"].split(b"\0", 1)[0].decode("utf-8", "replace")
        outcome = OUTCOMES.get(event["ended_by"], "pending")
        total_ns = event["ktime_ns"] - event["start_ns"]
        outcomes[outcome] += 1
        processes[event["tgid"], comm] += 1
        destinations[event["netns"], event["daddr"], event["dport"]] += 1
        latency[total_ns.bit_length()] += 1
        if mode == "lines":
            line = {
                "type": "connect",
                "time": event["ktime_ns"],
                "pid": event["tgid"],
                "tid": event["tid"],
                "comm": comm,
                "uid": event["uid"],
                "netns": event["netns"],
                "saddr": str(ipaddress.IPv6Address(event["saddr"])),
                "sport": event["sport"],
                "daddr": str(ipaddress.IPv6Address(event["daddr"])),
                "dport": event["dport"],
                "outcome": outcome,
                "port_search_ns": event["search_end_ns"] - event["search_start_ns"],
                "total_ns": total_ns,
            }
            sink.write(json.dumps(line) + "\n")
    seconds = time.perf_counter() - begin
    assert sum(outcomes.values()) == count
    print(int(count / seconds))


main(*sys.argv[1:])
