// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask ebpf`: the kernel side, from source to the committed object, with the stable toolchain alone.
//!
//! rustc compiles for the host and leaves LLVM bitcode; bpf-linker turns that into BPF with the LLVM of that same
//! toolchain; rust-objcopy drops DWARF and keeps BTF. Paths are remapped, so every checkout gives the same bytes.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail, ensure};
use object::{Object as _, ObjectSymbol as _};

use crate::{
    rustc_wrapper, setup, sources,
    workspace::{TARGET, cargo, root, run as run_command, sysroot, target},
};

/// Build the kernel side and refresh the committed BPF objects
#[derive(clap::Args)]
pub struct Options {
    /// Write nothing; fail if a committed object differs from what its sources yield
    #[arg(long)]
    check: bool,
}

/// An eBPF crate, and the path of its committed object.
pub struct KernelSide {
    pub package: &'static str,
    /// Folders of the crates with its code.
    crates: &'static [&'static str],
    object: &'static str,
}

/// Unrolled, the loop of aya's memset is made into calls of memset itself, which the verifier follows to no end.
const NO_UNROLLING: &str = "--llvm-args=-unroll-runtime=false";

pub const KERNEL_SIDES: [KernelSide; 2] = [
    KernelSide {
        package: "tcp-trace-ebpf",
        crates: &["tcp-trace-ebpf", "tcp-trace-common"],
        object: "tcp-trace/object/tcp-trace.bpf.o",
    },
    KernelSide {
        package: "tcp-trace-witness-ebpf",
        crates: &["tests/witness-ebpf"],
        object: "tests/vm/object/witness.bpf.o",
    },
];

pub fn run(options: &Options) -> Result<ExitCode> {
    setup::bpf_linker()?;
    for side in &KERNEL_SIDES {
        let built = build(side)?;
        if options.check { check(side, &built)? } else { refresh(side, &built)? }
    }
    Ok(ExitCode::SUCCESS)
}

fn refresh(side: &KernelSide, built: &Path) -> Result<()> {
    let object = root().join(side.object);
    fs::create_dir_all(object.parent().expect("an object lies in a folder"))?;
    let size = fs::copy(built, &object).with_context(|| format!("could not write {}", object.display()))?;
    fs::write(root().join(format!("{}.sources", side.object)), manifest(side)?)?;
    println!("{}: {size} bytes", side.object);
    Ok(())
}

fn check(side: &KernelSide, built: &Path) -> Result<()> {
    let committed = fs::read(root().join(side.object)).with_context(|| format!("could not read {}", side.object))?;
    if committed != fs::read(built)? {
        bail!("{} is not what its sources give ({}); `cargo xtask ebpf` refreshes it", side.object, built.display());
    }
    let recorded = fs::read_to_string(root().join(format!("{}.sources", side.object)))?;
    ensure!(recorded == manifest(side)?, "{}.sources is stale; `cargo xtask ebpf` refreshes it", side.object);
    println!("{}: what its sources give", side.object);
    Ok(())
}

fn manifest(side: &KernelSide) -> Result<String> {
    sources::manifest(root(), side.crates, side.object).context("could not read the kernel side's sources")
}

fn build(side: &KernelSide) -> Result<PathBuf> {
    let bitcode = compile(side)?;
    // Besides bitcode rustc leaves a host object: its global symbols are exactly what the crate exports.
    let exports = exports(&bitcode.with_extension("o"))?;
    let linked = target("ebpf").join(format!("{}.linked.o", side.package));
    let mut linker = setup::with_llvm("bpf-linker")?;
    linker.args(["--target", "bpfel", "--btf", "--cpu", "v3", "-O3", NO_UNROLLING, "--export"]).arg(exports.join(","));
    run_command(linker.arg("--output").arg(&linked).arg(bitcode))?;
    let stripped = target("ebpf").join(format!("{}.o", side.package));
    let mut objcopy = setup::with_llvm(sysroot()?.join("lib/rustlib").join(TARGET).join("bin/rust-objcopy"))?;
    objcopy.args(["--strip-debug", "--remove-section=.eh_frame", "--remove-section=.rel.eh_frame"]);
    run_command(objcopy.arg(linked).arg(&stripped))?;
    Ok(stripped)
}

fn compile(side: &KernelSide) -> Result<PathBuf> {
    let common = ["--profile", "ebpf", "--target", TARGET, "--package", side.package, "--target-dir"];
    // Cargo does not know about the bitcode, and would leave a stale one beside the new one.
    run_command(cargo().args(["clean", "--quiet"]).args(common).arg(target("ebpf")))?;
    let mut rustc = cargo();
    rustc.args(["rustc", "--locked"]).args(common).arg(target("ebpf"));
    rustc.args(["--", "--emit=llvm-bc,obj", "-Cforce-unwind-tables=no"]);
    rustc.args(["-Cno-vectorize-loops", "-Cno-vectorize-slp"]);
    rustc.env("CARGO_ENCODED_RUSTFLAGS", rustflags()?.join("\x1f"));
    rustc.env("RUSTC_WRAPPER", env::current_exe()?).env(rustc_wrapper::MARK, "1");
    run_command(&mut rustc)?;
    let crate_name = format!("{}-", side.package.replace('-', "_"));
    for entry in fs::read_dir(target("ebpf").join(TARGET).join("ebpf/deps"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(&crate_name) && name.ends_with(".bc") {
            return Ok(path);
        }
    }
    bail!("rustc left no bitcode for {}", side.package)
}

/// The remapped folders must not exist anywhere: LLVM copies source lines into BTF from files that it finds.
fn rustflags() -> Result<Vec<String>> {
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let mut flags = ["--cfg", "bpf_target_arch=\"x86_64\"", rustc_wrapper::NO_MERGING].map(str::to_owned).to_vec();
    flags.push(format!("-C{}", NO_UNROLLING.trim_start_matches("--")));
    flags.push(remap(root(), "/tcp-trace"));
    flags.push(remap(&sysroot()?, "/rust"));
    for registry in fs::read_dir(cargo_home()?.join("registry/src")).into_iter().flatten() {
        flags.push(remap(&registry?.path(), "/crates"));
    }
    Ok(flags)
}

fn cargo_home() -> Result<PathBuf> {
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    env::var_os("CARGO_HOME").map(PathBuf::from).or(home).context("neither CARGO_HOME nor HOME is set")
}

fn exports(host_object: &Path) -> Result<Vec<String>> {
    let bytes = fs::read(host_object).with_context(|| format!("could not read {}", host_object.display()))?;
    let host_object = object::File::parse(&*bytes)?;
    let symbols = host_object.symbols().filter(|symbol| symbol.is_global() && symbol.is_definition());
    let mut names: Vec<_> = symbols.map(|symbol| symbol.name().map(str::to_owned)).collect::<Result<_, _>>()?;
    names.sort();
    Ok(names)
}
