// SPDX-License-Identifier: MIT OR Apache-2.0
//! KVM if a guest has booted under it on this machine; the presence of the device alone is not enough.

use std::{fs, time::Duration};

use anyhow::Result;

use crate::{
    guest::{Guest, Screen},
    kernels::Kernel,
    workspace::target,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    Kvm,
    Tcg,
    /// A nanosecond of the guest's time is an instruction that it ran; idling takes no time of the host.
    Counting,
}

impl Accelerator {
    /// The accelerator that works here: found out by a boot, and cached in target/vm.
    pub fn find(kernel: &Kernel) -> Result<Self> {
        let remembered = target("vm").join("accelerator");
        match fs::read_to_string(&remembered).as_deref() {
            Ok("kvm") => return Ok(Self::Kvm),
            Ok("tcg") => return Ok(Self::Tcg),
            _ => {}
        }
        let found = if boots_under_kvm(kernel) { Self::Kvm } else { Self::Tcg };
        fs::create_dir_all(target("vm"))?;
        fs::write(remembered, if found == Self::Kvm { "kvm" } else { "tcg" })?;
        Ok(found)
    }

    pub fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Kvm => &["-accel", "kvm", "-cpu", "host"],
            // QEMU 7.2 emulates cmpxchg16b wrongly: without -cx16 one boot of 6.12 in three panics. With a host thread
            // for each CPU, one may still run into an int3 that another has taken out of a hooked function (seen on
            // 6.12, in __inet_check_established): one thread for all of them emulates code that changes faithfully.
            Self::Tcg => &["-accel", "tcg,thread=single", "-cpu", "max,-cx16"],
            Self::Counting => &["-accel", "tcg,thread=single", "-cpu", "max,-cx16", "-icount", "shift=0,sleep=off"],
        }
    }
}

fn boots_under_kvm(kernel: &Kernel) -> bool {
    if fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_err() {
        return false;
    }
    let mut guest = Guest::new(kernel, vec!["true".to_owned()]);
    guest.silence_limit = Some(Duration::from_secs(10));
    guest.boot(Accelerator::Kvm, Screen::Lines(&mut |_| {})).is_ok_and(|ended| ended.code == 0)
}
