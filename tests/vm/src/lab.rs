// SPDX-License-Identifier: MIT OR Apache-2.0
//! An incident of the lab, held until the value is dropped.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::tool;

/// Time limit: filling a whole range takes long on a busy emulated machine.
const PATIENCE: Duration = Duration::from_secs(180);

pub struct Lab {
    child: Child,
    said: PathBuf,
}

impl Lab {
    /// Stages `scenario`, and waits until it is in place.
    pub fn stage(scenario: &str, arguments: &[&str]) -> Result<Self> {
        let (ready, said) = (tool::temporary("lab-ready"), tool::temporary("lab"));
        let mut command = Command::new(tool::path());
        command.args(["lab", scenario, "--duration", "30m"]).args(arguments).arg("--ready-file").arg(&ready);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&said)?);
        let child = command.spawn().context("could not start the lab")?;
        let mut lab = Self { child, said };
        lab.wait(|_| ready.exists())?;
        let _ = fs::remove_file(ready);
        Ok(lab)
    }

    /// Waits until the lab has printed these words.
    pub fn wait_for(&mut self, words: &str) -> Result<()> {
        self.wait(|lab| lab.said().contains(words))
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap_or_default()
    }

    fn wait(&mut self, is_so: impl Fn(&Self) -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            if let Some(status) = self.child.try_wait()? {
                bail!("the lab ended with {status}: {}", self.said().trim());
            }
            ensure!(Instant::now() < deadline, "the lab was not that far after {PATIENCE:?}: {}", self.said().trim());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.said);
    }
}
