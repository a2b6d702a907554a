// SPDX-License-Identifier: MIT OR Apache-2.0
//! Landlock: what a thread may do with files beside reading them.

use std::{fs, path::PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus,
};

use crate::export::destination::{folder, target};

/// How much of it this kernel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Enforced {
    /// All that is asked for.
    Yes,
    /// What an earlier version of Landlock has.
    InPart,
    /// No Landlock before 5.13, or it is switched off.
    No,
}

/// The version whose rights are asked for; kernels that know fewer enforce those.
const NEWEST: ABI = ABI::V6;

/// From now on files are created, written and removed in the folders of these outputs alone, nothing is executed, and no
/// connection is made. What is open stays so.
pub(super) fn only(outputs: &[PathBuf]) -> Result<Enforced, RulesetError> {
    // Reading is not among what is ruled, so it stays as it is.
    let ruled = AccessFs::from_write(NEWEST) | AccessFs::Execute;
    let mut rules = Ruleset::default().handle_access(ruled)?.handle_access(AccessNet::from_all(NEWEST))?.create()?;
    let in_folder: BitFlags<AccessFs> =
        AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::RemoveFile;
    for output in outputs {
        // What is not there fails when it is to be opened, and says so then.
        if let Ok(folder) = PathFd::new(folder(&target(output))) {
            rules = rules.add_rule(PathBeneath::new(folder, in_folder))?;
        }
        let is_stream = fs::metadata(output).is_ok_and(|there| !there.is_file() && !there.is_dir());
        if is_stream && let Ok(stream) = PathFd::new(output) {
            // A pipe without a name takes no rule, and needs none.
            let _ = (&mut rules).add_rule(PathBeneath::new(stream, AccessFs::WriteFile));
        }
    }
    Ok(match rules.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => Enforced::Yes,
        RulesetStatus::PartiallyEnforced => Enforced::InPart,
        RulesetStatus::NotEnforced => Enforced::No,
    })
}
