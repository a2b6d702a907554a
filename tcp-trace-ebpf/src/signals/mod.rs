// SPDX-License-Identifier: MIT OR Apache-2.0
//! One module a signal: `body` files hold what is done at an edge, the files named by tier hold the programs.

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
