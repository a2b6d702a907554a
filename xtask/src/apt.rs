// SPDX-License-Identifier: MIT OR Apache-2.0
//! The package index of one suite through apt's own tools, with its state under target/: apt checks signatures and
//! checksums, and the system's lists stay unchanged.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::workspace::{output, target};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A suite of Debian, and the archive that contains it.
pub struct Suite {
    pub name: &'static str,
    security: bool,
}

impl Suite {
    pub const fn main(name: &'static str) -> Self {
        Self { name, security: false }
    }

    pub const fn security(name: &'static str) -> Self {
        Self { name, security: true }
    }

    /// Fetches the suite's index from the mirror that this machine's apt uses.
    pub fn index(&self) -> Result<Index> {
        let folder = target("apt").join(self.name);
        for sub in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(sub))?;
        }
        let mirror = mirror(self.security)?;
        let source = format!("deb [arch=amd64 signed-by={KEYRING}] {mirror} {} main\n", self.name);
        fs::write(folder.join("sources.list"), source)?;
        let config = format!(
            "Dir::Etc::SourceList \"{0}/sources.list\";\nDir::Etc::SourceParts \"/dev/null\";\n\
             Dir::State::Lists \"{0}/lists\";\nDir::Cache \"{0}/cache\";\n\
             APT::Sandbox::User \"root\";\nAcquire::Languages \"none\";\n\
             Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n",
            folder.display()
        );
        fs::write(folder.join("apt.conf"), config)?;
        let index = Index { config: folder.join("apt.conf") };
        output(index.apt("apt-get").args(["--quiet=2", "--error-on=any", "update"]))?;
        Ok(index)
    }
}

/// A fetched index.
pub struct Index {
    config: PathBuf,
}

impl Index {
    fn apt(&self, tool: &str) -> Command {
        let mut command = Command::new(tool);
        command.env("APT_CONFIG", &self.config).env("LC_ALL", "C");
        command
    }

    /// Names of the kernel's packages.
    pub fn package_names(&self) -> Result<Vec<String>> {
        let names = output(self.apt("apt-cache").args(["pkgnames", "linux-"]))?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// Downloads packages into a folder, with all dependencies of a bare machine; returns the files.
    pub fn download_whole(&self, packages: &[&str], folder: &Path) -> Result<Vec<PathBuf>> {
        let nothing = folder.join("status");
        fs::create_dir_all(folder.join("partial"))?;
        fs::write(&nothing, "")?;
        let mut apt = self.apt("apt-get");
        apt.args(["--quiet=2", "--yes", "--download-only", "--no-install-recommends", "-o", "Debug::NoLocking=true"]);
        apt.arg("-o").arg(format!("Dir::State::status={}", nothing.display()));
        apt.arg("-o").arg(format!("Dir::Cache::archives={}", folder.display()));
        output(apt.arg("install").args(packages))?;
        debs(folder)
    }

    /// Downloads packages into a folder and returns the files.
    pub fn download(&self, packages: &[String], folder: &Path) -> Result<Vec<PathBuf>> {
        output(self.apt("apt-get").args(["--quiet=2", "download"]).args(packages).current_dir(folder))?;
        debs(folder)
    }
}

fn debs(folder: &Path) -> Result<Vec<PathBuf>> {
    let files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    Ok(files.into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "deb")).collect())
}

/// The Debian archive that this machine uses, or its security archive.
fn mirror(security: bool) -> Result<String> {
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]);
    let uris = output(&mut command).context("this machine has no apt, which the kernels come through")?;
    let is_debian = |uri: &&str| uri.contains("debian");
    let main = uris.lines().filter(is_debian).find(|uri| !uri.contains("security"));
    let main = main.context("apt's sources name no Debian mirror to fetch kernels from")?;
    if !security {
        return Ok(main.to_owned());
    }
    let named = uris.lines().filter(is_debian).find(|uri| uri.contains("security")).map(str::to_owned);
    Ok(named.unwrap_or_else(|| format!("{}-security/", main.trim_end_matches('/'))))
}
