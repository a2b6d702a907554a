// SPDX-License-Identifier: MIT OR Apache-2.0
//! Decodes the raw event of a caller's stacks. Names are added later.

use std::sync::Arc;

use tcp_trace_common::stack::{KERNEL_FRAMES, RawStack, USER_BYTES, taken};

use super::Decoder;
use crate::event::{Captured, Stack, Taken};

impl Decoder {
    pub(super) fn stack(&self, raw: &RawStack) -> Option<Stack> {
        let user_bytes = (raw.user_bytes as usize).min(USER_BYTES);
        let kernel = match usize::try_from(raw.kernel_bytes) {
            Ok(bytes) => Ok(raw.kernel[..(bytes / size_of::<u64>()).min(KERNEL_FRAMES)].to_vec()),
            Err(_) => Err(raw.kernel_bytes.saturating_neg()),
        };
        Some(Stack {
            time: self.clock.wall(raw.header.ktime_ns),
            pid: raw.tgid,
            tid: raw.tid,
            began_ns: raw.began_ns,
            taken: match raw.taken {
                taken::SEARCH => Taken::Search,
                taken::ON_CPU => Taken::OnCpu,
                _ => return None,
            },
            frames: Arc::default(),
            captured: Some(Box::new(Captured {
                kernel,
                ip: raw.ip,
                sp: raw.sp,
                bp: raw.bp,
                user: raw.user[..user_bytes].to_vec(),
                cut: user_bytes == USER_BYTES,
            })),
        })
    }
}
