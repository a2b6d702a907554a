// SPDX-License-Identifier: MIT OR Apache-2.0
//! A folder with the content of a machine's `/proc`, `/sys` and `/boot`.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use tcp_trace::kernel::{Facts, Roots};

/// The kernels with a fixture.
pub const KERNELS: [&str; 5] = ["5.10", "6.1", "6.12", "6.18", "7.2"];

/// Every capability that Linux has.
const ALL: &str = "000001ffffffffff";

/// Goes away when dropped.
pub struct Machine(PathBuf);

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Machine {
    /// With nothing on it.
    pub fn bare() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tcp-trace-machine-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder for the machine");
        Self(path)
    }

    /// As Debian's kernel of this version is for root.
    pub fn debian(version: &str) -> Self {
        let machine = Self::bare();
        machine.write("proc/sys/kernel/osrelease", format!("{version}\n"));
        machine.become_user(0, ALL);
        machine.write("proc/self/uid_map", "         0          0 4294967295\n");
        machine.write("proc/kallsyms", "ffffffff81000000 T _stext\nffffffff82aa0010 b table_perturb\n");
        machine.write("proc/filesystems", "nodev\tsysfs\nnodev\ttracefs\n\text4\n");
        machine.write(&format!("boot/config-{version}"), "CONFIG_INET_TABLE_PERTURB_ORDER=16\n");
        machine.write("sys/kernel/btf/vmlinux", btf(version));
        machine.write("sys/kernel/tracing/events/enable", "0\n");
        machine.write("sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
        machine.write("sys/bus/event_source/devices/kprobe/type", "6\n");
        machine.write("sys/bus/event_source/devices/kprobe/format/retprobe", "config:0\n");
        machine
    }

    pub fn become_user(&self, uid: u32, capabilities: &str) {
        let status = format!("Name:\tx\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nCapEff:\t{capabilities}\n");
        self.write("proc/self/status", status);
    }

    pub fn write(&self, path: &str, contents: impl AsRef<[u8]>) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder for the file");
        fs::write(path, contents).expect("a file for the machine");
    }

    pub fn remove(&self, path: &str) {
        let path = self.0.join(path);
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        removed.expect("it was there");
    }

    pub fn roots(&self) -> Roots {
        Roots { proc: self.0.join("proc"), sys: self.0.join("sys"), boot: self.0.join("boot") }
    }

    /// Without the folder's own name, which differs from run to run.
    pub fn text(&self, text: &str) -> String {
        text.replace(self.0.to_str().expect("a plain name"), "")
    }

    pub fn facts(&self) -> Facts {
        Facts::survey(&self.roots(), true)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Left behind at worst: it lies among the temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The shrunk BTF of a kernel.
pub fn btf(version: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kernels").join(version).join("btf");
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
