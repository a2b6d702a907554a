// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debian's kernels by line (6.12, 7.2, ...): the newest of each, downloaded once into target/kernels/LINE.

mod modules;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    apt::{self, Suite},
    workspace::{run, target},
};

/// A kernel line, and the suites that contain it, the one with the smallest index first.
struct Line {
    name: &'static str,
    suites: &'static [Suite],
}

const LINES: [Line; 10] = [
    Line { name: "5.10", suites: &[Suite::security("bullseye-security"), Suite::main("bullseye")] },
    Line { name: "6.1", suites: &[Suite::main("bookworm"), Suite::security("bookworm-security")] },
    Line { name: "6.12", suites: &[Suite::main("trixie"), Suite::security("trixie-security")] },
    Line { name: "6.16", suites: &[Suite::main("trixie-backports")] },
    Line { name: "6.17", suites: &[Suite::main("trixie-backports")] },
    Line { name: "6.18", suites: &[Suite::main("trixie-backports")] },
    Line { name: "7.0", suites: &[Suite::main("trixie-backports")] },
    Line { name: "7.1", suites: &[Suite::main("trixie-backports")] },
    Line { name: "7.2", suites: &[Suite::main("trixie-backports"), Suite::main("forky"), Suite::main("sid")] },
    Line { name: "7.3", suites: &[Suite::main("trixie-backports"), Suite::main("forky"), Suite::main("sid")] },
];

/// All kernel lines, oldest first.
pub fn lines() -> impl Iterator<Item = &'static str> {
    LINES.iter().map(|line| line.name)
}

/// A kernel ready to boot.
pub struct Kernel {
    /// Name of the line: `6.12`.
    pub line: &'static str,
    /// Release as in `uname -r`.
    pub release: String,
    pub vmlinuz: PathBuf,
    /// Modules in loading order. Empty if Debian no longer has the modules of the line.
    pub modules: Vec<PathBuf>,
}

/// The kernel of a line, from the cache or from Debian's mirror.
pub fn get(line: &str) -> Result<Kernel> {
    let line = find(line)?;
    let folder = target("kernels").join(line.name);
    if !folder.join("release").exists() {
        fetch(line, &folder).with_context(|| format!("kernel {} cannot be had", line.name))?;
    }
    Ok(Kernel {
        line: line.name,
        release: fs::read_to_string(folder.join("release"))?,
        vmlinuz: folder.join("vmlinuz"),
        modules: fs::read_to_string(folder.join("modules"))?.lines().map(|file| folder.join(file)).collect(),
    })
}

/// The suite that first had a line, and the tools made for it.
pub fn home(line: &str) -> Result<&'static Suite> {
    Ok(&find(line)?.suites[0])
}

fn find(line: &str) -> Result<&'static Line> {
    let found = LINES.iter().find(|known| known.name == line);
    found.with_context(|| format!("no kernel line {line:?}; there are {}", lines().collect::<Vec<_>>().join(" ")))
}

fn fetch(line: &Line, folder: &Path) -> Result<()> {
    let mut tried = Vec::new();
    for suite in line.suites {
        let index = match suite.index() {
            Ok(index) => index,
            Err(error) => {
                tried.push(format!("{}: {error:#}", suite.name));
                continue;
            }
        };
        if let Some(image) = newest(line.name, &index.package_names()?) {
            eprintln!("kernel {}: fetching {} from {}", line.name, image.package, suite.name);
            return unpack(&index, &image, folder);
        }
        tried.push(format!("{}: none", suite.name));
    }
    bail!("looked for a cloud-amd64 image in {}", tried.join(", "))
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Image {
    package: String,
    /// Release as in `uname -r`: `6.18.15+deb13-cloud-amd64`.
    release: String,
}

/// The newest image of a line. From 6.19 on the image itself is in linux-binary-*, and linux-image-* is empty.
fn newest(line: &str, packages: &[String]) -> Option<Image> {
    for prefix in ["linux-binary-", "linux-binary-unsigned-", "linux-image-"] {
        let images = packages.iter().filter_map(|package| {
            let name = package.strip_prefix(prefix)?;
            let release = name.strip_suffix("-unsigned").unwrap_or(name);
            let in_line = release.strip_prefix(line)?.starts_with('.') && release.ends_with("-cloud-amd64");
            in_line.then(|| Image { package: package.clone(), release: release.to_owned() })
        });
        if let Some(newest) = images.max_by_key(|image| numbers(&image.release)) {
            return Some(newest);
        }
    }
    None
}

fn numbers(release: &str) -> Vec<u64> {
    release.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

fn unpack(index: &apt::Index, image: &Image, folder: &Path) -> Result<()> {
    let unpacked = target("kernels").join(format!("{}.unpacked", image.release));
    fs::create_dir_all(&unpacked)?;
    let modules = format!("linux-modules-{}", image.release);
    let mut packages = vec![image.package.clone()];
    if index.package_names()?.contains(&modules) {
        packages.push(modules);
    }
    for deb in index.download(&packages, &unpacked)? {
        run(Command::new("dpkg-deb").arg("--extract").arg(&deb).arg(&unpacked))?;
    }
    let release = &image.release;
    let vmlinuz = [
        format!("boot/vmlinuz-{release}"),
        format!("usr/lib/modules/{release}/vmlinuz"),
        format!("usr/lib/modules/{release}/vmlinuz.unsigned"),
    ];
    let vmlinuz = vmlinuz.iter().map(|path| unpacked.join(path)).find(|path| path.exists());
    let vmlinuz = vmlinuz.with_context(|| format!("{} holds no vmlinuz", image.package))?;
    fs::create_dir_all(folder)?;
    fs::copy(vmlinuz, folder.join("vmlinuz"))?;
    let trees = ["lib/modules", "usr/lib/modules"].map(|tree| unpacked.join(tree).join(release));
    let modules = modules::take(&trees, folder)?;
    fs::write(folder.join("modules"), modules.join("\n"))?;
    // Written last: it says that all the rest is there.
    fs::write(folder.join("release"), release)?;
    fs::remove_dir_all(unpacked)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(line: &str, packages: &[&str]) -> Option<String> {
        let packages: Vec<_> = packages.iter().map(|&package| package.to_owned()).collect();
        newest(line, &packages).map(|image| image.package)
    }

    #[test]
    fn newest_is_by_number_not_by_letter() {
        let packages = ["linux-image-6.18.9+deb13-cloud-amd64", "linux-image-6.18.15+deb13-cloud-amd64"];
        assert_eq!(pick("6.18", &packages).as_deref(), Some(packages[1]));
        let packages = ["linux-image-5.10.0-9-cloud-amd64", "linux-image-5.10.0-46-cloud-amd64-unsigned"];
        assert_eq!(pick("5.10", &packages).as_deref(), Some(packages[1]));
    }

    #[test]
    fn image_is_in_linux_binary_where_there_is_one() {
        let packages = ["linux-image-7.2.12+deb13-cloud-amd64", "linux-binary-7.2.12+deb13-cloud-amd64"];
        assert_eq!(pick("7.2", &packages).as_deref(), Some(packages[1]));
        let packages = ["linux-image-7.3.4+deb13-cloud-amd64-dbg", "linux-binary-unsigned-7.3.4+deb13-cloud-amd64"];
        assert_eq!(pick("7.3", &packages).as_deref(), Some(packages[1]));
    }

    #[test]
    fn line_is_not_a_prefix_of_another_one() {
        assert_eq!(pick("6.1", &["linux-image-6.12.9+deb13-cloud-amd64", "linux-image-6.1-cloud-amd64"]), None);
    }
}
