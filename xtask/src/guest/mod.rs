// SPDX-License-Identifier: MIT OR Apache-2.0
//! A virtual machine that boots a kernel, runs one command and ends.

mod machine;
mod watch;

use std::{
    env, fs,
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use anyhow::{Context as _, Result};
use rustix::termios::tcgetwinsize;

use crate::{accelerator::Accelerator, initramfs::Initramfs, kernels::Kernel, setup, static_build, workspace::target};
pub use machine::{INITRAMFS, Machine};

/// Packages whose programs are in every guest.
pub const PROGRAMS: [&str; 4] = ["tcp-trace-guest-init", "tcp-trace", "tcp-trace-vm-tests", "connect-load"];

/// The profile for these programs.
pub const PROFILE: &str = "guest";

/// Configuration of a guest.
pub struct Guest<'a> {
    pub kernel: &'a Kernel,
    pub memory_mib: u32,
    pub cpus: u32,
    /// Command to run; empty: an interactive shell.
    pub argv: Vec<String>,
    pub env: Vec<(String, String)>,
    /// Workspace packages whose programs go into /bin, and the profile that builds them.
    pub programs: &'static [&'static str],
    pub profile: String,
    /// Files of the host: programs go into /bin with their libraries, other files into /root.
    pub put: Vec<PathBuf>,
    /// Programs of another Debian release, which is unpacked in a folder.
    pub foreign: Option<Foreign>,
    /// Time limit; `None`: no limit.
    pub silence_limit: Option<Duration>,
}

/// Results of a guest.
pub struct Ended {
    /// Exit code of the command.
    pub code: i32,
    /// Data that the command wrote to /dev/results.
    pub results: Vec<u8>,
}

/// Programs for /bin, and the folder with the Debian release that they are from.
pub struct Foreign {
    pub tree: PathBuf,
    pub programs: Vec<PathBuf>,
}

/// Destination of the command's output.
pub enum Screen<'a> {
    /// Standard output of xtask, with its standard input for the command.
    Terminal,
    /// A function that receives each line.
    Lines(&'a mut dyn FnMut(&str)),
}

impl<'a> Guest<'a> {
    pub fn new(kernel: &'a Kernel, argv: Vec<String>) -> Self {
        Self {
            kernel,
            memory_mib: 1024,
            cpus: 2,
            argv,
            env: Vec::new(),
            programs: &PROGRAMS[1..],
            profile: PROFILE.to_owned(),
            put: Vec::new(),
            foreign: None,
            silence_limit: None,
        }
    }

    /// Boots and waits. A guest that ends without reporting the result of its command is an error with its last console
    /// lines.
    pub fn boot(&self, accelerator: Accelerator, screen: Screen<'_>) -> Result<Ended> {
        let folder = target("vm").join(format!("{}.{}", self.kernel.line, process::id()));
        fs::create_dir_all(&folder)?;
        let seen = matches!(screen, Screen::Terminal) && io::stdout().is_terminal();
        let piped = !seen && !self.argv.is_empty();
        self.write_initramfs(&folder.join(INITRAMFS), piped)?;
        // What the kernel does not know itself becomes PID 1's environment.
        let env: String = self.env.iter().map(|(key, value)| format!(" {key}={value}")).collect();
        let machine = Machine {
            kernel: self.kernel,
            accelerator,
            memory_mib: self.memory_mib,
            cpus: self.cpus,
            parameters: format!("rdinit=/init{env}"),
        };
        let mut watch = machine.start(&folder, &screen, self.silence_limit)?;
        let ended = watch.until_the_end(screen).and_then(|()| watch.ended());
        fs::remove_file(folder.join(INITRAMFS))?;
        let ended = ended.with_context(|| {
            format!("the guest with kernel {} died; its console is in {}", self.kernel.release, folder.display())
        })?;
        fs::remove_dir_all(&folder)?;
        Ok(ended)
    }

    fn write_initramfs(&self, path: &Path, piped: bool) -> Result<()> {
        let binaries = static_build::build(&[&["tcp-trace-guest-init"], self.programs].concat(), &self.profile)?;
        let mut archive = Initramfs::create(path)?;
        archive.file(&binaries.join("tcp-trace-guest-init"), "/init")?;
        archive.busybox(&setup::find("busybox").context("no busybox to put into the guest")?)?;
        for program in self.programs {
            archive.file(&binaries.join(program), &format!("/bin/{program}"))?;
        }
        for file in &self.put {
            put(&mut archive, file)?;
        }
        if let Some(Foreign { tree, programs }) = &self.foreign {
            programs.iter().try_for_each(|program| archive.program_of(tree, program))?;
        }
        archive.text("/etc/passwd", b"root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")?;
        archive.text("/etc/group", b"root:x:0:\nnogroup:x:65534:\n")?;
        archive.text("/etc/hosts", b"127.0.0.1 localhost\n::1 localhost\n")?;
        let argv: String = self.argv.iter().map(|word| format!("{word}\0")).collect();
        if piped {
            archive.text("/guest/piped", b"")?;
        }
        archive.text("/guest/argv", argv.as_bytes())?;
        let mut modules = String::new();
        for module in &self.kernel.modules {
            let name = module.file_name().unwrap_or_default().to_string_lossy();
            archive.file(module, &format!("/modules/{name}"))?;
            modules += &format!("{name}\n");
        }
        archive.text("/guest/modules", modules.as_bytes())?;
        archive.finish()
    }
}

fn put(archive: &mut Initramfs, file: &Path) -> Result<()> {
    let head = fs::read(file).with_context(|| format!("could not read {}", file.display()))?;
    if head.starts_with(b"\x7fELF") {
        return archive.program(file);
    }
    let name = file.file_name().with_context(|| format!("{} names no file", file.display()))?.to_string_lossy();
    archive.file(file, &format!("/root/{name}"))
}

/// Environment variables that tell programs in the guest about the host's terminal.
pub fn terminal_env() -> Vec<(String, String)> {
    let known = ["TERM", "NO_COLOR"].into_iter().filter_map(|key| Some((key.to_owned(), env::var(key).ok()?)));
    let mut env: Vec<_> = known.filter(|(_, value)| !value.contains(char::is_whitespace)).collect();
    if let Ok(size) = tcgetwinsize(io::stdout()) {
        env.extend([("LINES", size.ws_row), ("COLUMNS", size.ws_col)].map(|(key, n)| (key.to_owned(), n.to_string())));
    }
    env
}
