// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask dist`: one static binary that runs on any x86_64 Linux, even in an initramfs without other files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result, ensure};
use object::{
    Endianness,
    elf::PT_INTERP,
    read::elf::{Dyn as _, ElfFile64, ProgramHeader as _},
};

use crate::{
    notices, static_build,
    workspace::{cargo, root, run as run_command, target},
};

/// Build one static x86_64 binary at target/dist/tcp-trace, and the notices of its packages
#[derive(clap::Args)]
pub struct Options {
    /// Build again from a clone in another folder, and fail unless both give the same bytes: commit first
    #[arg(long)]
    twice: bool,
}

pub fn run(options: &Options) -> Result<ExitCode> {
    let binary = build()?;
    println!("{}: {} bytes, static", binary.display(), fs::metadata(&binary)?.len());
    let text = target("dist").join("THIRD-PARTY-NOTICES.txt");
    fs::write(&text, notices::text()?).with_context(|| format!("could not write {}", text.display()))?;
    println!("{}: goes along with it", text.display());
    if options.twice {
        let again = build_elsewhere()?;
        ensure!(fs::read(&binary)? == fs::read(&again)?, "{} and {} differ", binary.display(), again.display());
        println!("{}: the same bytes", again.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds what is committed in a folder whose path has another length.
fn build_elsewhere() -> Result<PathBuf> {
    let clone = target("a-clone-in-another-folder");
    if clone.exists() {
        fs::remove_dir_all(&clone).with_context(|| format!("could not remove {}", clone.display()))?;
    }
    run_command(Command::new("git").args(["clone", "--quiet"]).arg(root()).arg(&clone))?;
    run_command(cargo().args(["xtask", "dist"]).current_dir(&clone))?;
    Ok(clone.join("target/dist/tcp-trace"))
}

/// Builds the binary, and checks that it needs no loader and no library.
pub fn build() -> Result<PathBuf> {
    let built = static_build::build(&["tcp-trace"], static_build::RELEASE)?.join("tcp-trace");
    let binary = target("dist").join("tcp-trace");
    fs::create_dir_all(target("dist"))?;
    fs::copy(&built, &binary).with_context(|| format!("could not write {}", binary.display()))?;
    ensure!(needs_nothing(&binary)?, "{} asks for a loader or for libraries", binary.display());
    let bytes = fs::read(&binary)?;
    let place = root().to_string_lossy();
    // Two folders yield the same binary, which does not contain where it was built.
    ensure!(!holds(&bytes, place.as_bytes()), "{} holds the path {place}", binary.display());
    Ok(binary)
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Whether a program needs no loader and no library, so that the kernel alone can start it.
pub fn needs_nothing(program: &Path) -> Result<bool> {
    let bytes = fs::read(program).with_context(|| format!("could not read {}", program.display()))?;
    let elf = ElfFile64::<Endianness>::parse(&*bytes).with_context(|| format!("{} is no ELF", program.display()))?;
    let endian = elf.endian();
    for header in elf.elf_program_headers() {
        let libraries = header.dynamic(endian, &*bytes)?.unwrap_or_default();
        let needs_library = libraries.iter().any(|entry| entry.tag(endian) == object::elf::DT_NEEDED);
        if header.p_type(endian) == PT_INTERP || needs_library {
            return Ok(false);
        }
    }
    Ok(true)
}
