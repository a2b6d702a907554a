// SPDX-License-Identifier: MIT OR Apache-2.0
//! Probes: the programs of each signal, which of them this kernel can run, and how they are attached.

pub mod attach;
pub mod bursts;
pub mod iterator;
mod load;
mod map_sizes;
mod memlock;
pub mod missed;
mod object_info;
pub mod plan;
pub mod refusal;
pub mod runs;
mod set_state;
pub mod table;
pub mod tier;
mod tracefs;

/// The kernel side, as `cargo xtask ebpf` built it.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!("../../object/tcp-trace.bpf.o");
