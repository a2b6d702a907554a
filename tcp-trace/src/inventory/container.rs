// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names of containers, from the names that runtimes give to cgroups.

use crate::outside::Text;

/// The name as `pod/UID/CONTAINER`, `docker/CONTAINER` or `machine/NAME`; containers by the twelve digits that their
/// tools print.
pub(super) fn name(cgroup: &str) -> Option<Text> {
    let folders: Vec<&str> = cgroup.split('/').filter(|folder| !folder.is_empty()).collect();
    let container = folders.iter().enumerate().rev().find_map(|(at, folder)| {
        let above = at.checked_sub(1).and_then(|above| folders.get(above)).copied();
        container(folder, above)
    });
    let name = match (folders.iter().rev().find_map(|folder| pod(folder)), container) {
        (Some(pod), Some((_, id))) => Some(format!("pod/{pod}/{id}")),
        (Some(pod), None) => Some(format!("pod/{pod}")),
        (None, Some((runtime, id))) => Some(format!("{runtime}/{id}")),
        (None, None) => folders.iter().find_map(|folder| machine(folder)),
    };
    name.map(Text::from)
}

/// Runtime and shortened id, from `docker-ID.scope`, `cri-containerd-ID.scope`, `libpod-ID`, or `docker` above `ID`.
fn container<'a>(folder: &'a str, above: Option<&'a str>) -> Option<(&'a str, &'a str)> {
    const DIGITS: usize = 64;
    let bare = folder.strip_suffix(".scope").unwrap_or(folder);
    let (before, id) = bare.split_at_checked(bare.len().checked_sub(DIGITS)?)?;
    if !id.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let runtime = match before.strip_suffix('-') {
        Some(runtime) => runtime,
        None if before.is_empty() => above.filter(|above| *above == "docker").unwrap_or("container"),
        None => return None,
    };
    Some((runtime, &id[..12]))
}

/// UID of a pod, from `kubepods-burstable-podUID.slice` with `_` for `-`, or `podUID`.
fn pod(folder: &str) -> Option<String> {
    const LENGTH: usize = 36;
    let bare = folder.strip_suffix(".slice").unwrap_or(folder);
    let (before, uid) = bare.split_at_checked(bare.len().checked_sub(LENGTH)?)?;
    let uid = uid.replace('_', "-");
    let is_uid = uid.bytes().enumerate().all(|(at, letter)| match at {
        8 | 13 | 18 | 23 => letter == b'-',
        _ => letter.is_ascii_hexdigit(),
    });
    (is_uid && (before == "pod" || before.ends_with("-pod"))).then_some(uid)
}

/// Machine names of systemd-nspawn, libvirt and LXC.
fn machine(folder: &str) -> Option<String> {
    let name = folder
        .strip_prefix("machine-")
        .and_then(|rest| rest.strip_suffix(".scope"))
        .or_else(|| folder.strip_prefix("lxc.payload."))?;
    Some(format!("machine/{}", name.replace("\\x2d", "-")))
}

#[cfg(test)]
mod tests {
    use super::name;

    const ID: &str = "3f2a1b0c9d8e7f6a5b4c3d2e1f00112233445566778899aabbccddeeff001122";

    #[test]
    fn names_of_runtimes() {
        let pod = "01234567-89ab-cdef-0123-456789abcdef";
        let escaped = pod.replace('-', "_");
        let cases = [
            (format!("/system.slice/docker-{ID}.scope"), Some("docker/3f2a1b0c9d8e".to_owned())),
            (format!("/docker/{ID}"), Some("docker/3f2a1b0c9d8e".into())),
            (format!("/machine.slice/libpod-{ID}.scope/container"), Some("libpod/3f2a1b0c9d8e".into())),
            (
                format!(
                    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{escaped}.slice/cri-containerd-{ID}.scope"
                ),
                Some(format!("pod/{pod}/3f2a1b0c9d8e")),
            ),
            (format!("/kubepods/besteffort/pod{pod}/{ID}"), Some(format!("pod/{pod}/3f2a1b0c9d8e"))),
            ("/machine.slice/machine-web\\x2d1.scope".into(), Some("machine/web-1".into())),
            ("/lxc.payload.db/system.slice".into(), Some("machine/db".into())),
            ("/system.slice/nginx.service".into(), None),
            ("/".into(), None),
            (format!("/x/{}", "é".repeat(40)), None),
        ];
        for (path, expected) in cases {
            assert_eq!(name(&path).as_deref(), expected.as_deref(), "{path}");
        }
    }
}
