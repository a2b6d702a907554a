// SPDX-License-Identifier: MIT OR Apache-2.0
//! One module per signal: a file named after the signal handles its edges, files named by tier contain its programs.

mod bind;
mod bind_fentry;
mod bind_kprobe;
mod bind_tracepoint;
mod bucket_iter;
mod connect;
mod connect_fentry;
mod connect_kprobe;
mod connect_tracepoint;
mod listen;
mod listen_fentry;
mod listen_kprobe;
mod port_probes;
mod set_state;
mod stack;
mod stack_fentry;
mod stack_kprobe;
mod stack_on_cpu;
mod stack_tracepoint;
mod state;
mod state_fentry;
mod state_kprobe;
mod time_wait;
mod time_wait_fentry;
mod time_wait_kprobe;
