// SPDX-License-Identifier: MIT OR Apache-2.0
//! Refuses to embed a kernel side that is not what its sources give.

use std::{env, fs, path::Path};

#[path = "build/sources.rs"]
mod sources;

const KERNEL_SIDE: [&str; 2] = ["tcp-trace-ebpf", "tcp-trace-common"];
const OBJECT: &str = "tcp-trace/object/tcp-trace.bpf.o";

fn main() {
    let folder = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let root = Path::new(&folder).parent().expect("the crate lies in the workspace");
    for input in KERNEL_SIDE.into_iter().chain(["tcp-trace/object", "Cargo.lock", "rust-toolchain.toml"]) {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    let recorded = fs::read_to_string(root.join(format!("{OBJECT}.sources"))).unwrap_or_default();
    let found = sources::manifest(root, &KERNEL_SIDE, OBJECT).unwrap_or_else(|error| format!("{error}\n"));
    if let Some(stale) = found.lines().find(|line| !recorded.lines().any(|known| known == *line)) {
        println!("cargo::error={OBJECT} was built from other sources than these: {stale}");
        println!("cargo::error=refresh it with `cargo xtask ebpf` and commit it");
    }
}
