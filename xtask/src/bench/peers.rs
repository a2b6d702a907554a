// SPDX-License-Identifier: MIT OR Apache-2.0
//! Other tools for this purpose, in the versions that Debian ships with the guest's kernel: an older bpftrace cannot
//! read a newer kernel's BTF.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};

use crate::{
    guest::Foreign,
    kernels,
    workspace::{run, target},
};

const PACKAGES: [&str; 2] = ["bpftrace", "libbpf-tools"];

/// Names in /bin of the guest; newer packages add `-libbpf` to those that bcc has too.
const PROGRAMS: [&str; 3] = ["bpftrace", "tcpconnlat", "tcpstates"];

/// The programs for guests of a kernel line, downloaded once.
pub fn get(line: &str) -> Result<Foreign> {
    let suite = kernels::home(line)?;
    let folder = target("bench").join(suite.name);
    let (tree, bin) = (folder.join("tree"), folder.join("bin"));
    if !bin.exists() {
        eprintln!("bench: fetching {} from {}", PACKAGES.join(" and "), suite.name);
        fs::create_dir_all(&tree)?;
        for deb in suite.index()?.download_whole(&PACKAGES, &folder.join("archives"))? {
            run(Command::new("dpkg-deb").arg("--extract").arg(&deb).arg(&tree))?;
        }
        take(&tree, &bin).with_context(|| format!("the packages of {}", suite.name))?;
    }
    Ok(Foreign { tree, programs: PROGRAMS.iter().map(|program| bin.join(program)).collect() })
}

/// Packages with versions: `bpftrace 0.23.2-1`.
pub fn packages(line: &str) -> Result<Vec<String>> {
    let mut packages = Vec::new();
    for file in fs::read_dir(target("bench").join(kernels::home(line)?.name).join("archives"))? {
        let file = file?.file_name().to_string_lossy().into_owned();
        let mut parts = file.split('_');
        if let (Some(name), Some(version)) = (parts.next(), parts.next())
            && PACKAGES.contains(&name)
        {
            packages.push(format!("{name} {version}"));
        }
    }
    packages.sort();
    Ok(packages)
}

fn take(tree: &Path, bin: &Path) -> Result<()> {
    // Its presence says that everything is there.
    let unfinished = bin.with_extension("unfinished");
    fs::create_dir_all(&unfinished)?;
    for program in PROGRAMS {
        let names = [format!("usr/sbin/{program}-libbpf"), format!("usr/sbin/{program}"), format!("usr/bin/{program}")];
        let found = names.iter().map(|name| tree.join(name)).find(|path| path.is_file());
        fs::copy(found.with_context(|| format!("no {program}"))?, unfinished.join(program))?;
    }
    Ok(fs::rename(unfinished, bin)?)
}
