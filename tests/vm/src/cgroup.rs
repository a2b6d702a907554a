// SPDX-License-Identifier: MIT OR Apache-2.0
//! A cgroup v2 for connects.

use std::fs;

use anyhow::{Context as _, Result};

use crate::{harness::not_run, tiers};

/// A cgroup below the root; removed when it is dropped.
pub struct Cgroup {
    root: String,
    pub path: String,
}

impl Cgroup {
    /// Creates the cgroup, without processes.
    pub fn make(name: &str) -> Result<Self> {
        let root = tiers::cgroup_mount().ok_or_else(|| not_run("no cgroup2 is mounted"))?;
        let path = format!("{root}/{name}");
        fs::create_dir_all(&path).with_context(|| format!("could not make {path}"))?;
        Ok(Self { root, path })
    }

    /// Runs `act` with this process in the cgroup.
    pub fn within<T>(&self, act: impl FnOnce() -> Result<T>) -> Result<T> {
        fs::write(format!("{}/cgroup.procs", self.path), "0").context("could not enter a cgroup")?;
        let result = act();
        fs::write(format!("{}/cgroup.procs", self.root), "0").context("could not leave a cgroup")?;
        result
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.path);
    }
}
