// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests that unwind this very thread, which has no frame pointers.

use std::{arch::asm, fs::File, os::unix::fs::FileExt as _, sync::Arc, thread, time::Duration};

use super::{look_up::up_to_the_hook, *};
use crate::event::{Captured, Lost, Taken};

fn captured() -> Captured {
    let (ip, sp, bp): (u64, u64, u64);
    // SAFETY: reads three registers and writes nothing else.
    unsafe {
        asm!("lea {ip}, [rip]", "mov {sp}, rsp", "mov {bp}, rbp", ip = out(reg) ip, sp = out(reg) sp, bp = out(reg) bp,
            options(nomem, nostack));
    }
    let memory = File::open("/proc/self/mem").expect("our own memory");
    let mut user = vec![0; 8192];
    let bytes = memory.read_at(&mut user, sp).expect("a stack");
    user.truncate(bytes);
    Captured { kernel: Err(14), ip, sp, bp, cut: bytes == 8192, user }
}

#[inline(never)]
fn inner_function() -> Captured {
    std::hint::black_box(captured())
}

#[inline(never)]
fn outer_function() -> Captured {
    std::hint::black_box(inner_function())
}

fn enriched(captured: Captured, pid: u32) -> Arc<Frames> {
    let event = Event::Stack(Stack {
        time: "2026-01-02T03:04:05Z".parse().expect("a time"),
        pid,
        tid: 1,
        began_ns: 1,
        taken: Taken::Search,
        frames: Arc::default(),
        captured: Some(Box::new(captured)),
    });
    let mut stacks = Stacks::default();
    let mut passed = Vec::new();
    let mut observe = |event: &Event| {
        passed.push(event.clone());
        Ok::<_, ()>(())
    };
    stacks.pass(event, &mut observe).and_then(|()| stacks.finish(&mut observe)).expect("it takes everything");
    let Some(Event::Stack(stack)) = passed.pop() else { unreachable!("it was one") };
    assert_eq!(stack.captured, None, "the memory goes no further");
    stack.frames
}

#[test]
fn finds_its_own_way_out() {
    let frames = enriched(outer_function(), std::process::id());
    let place = |name: &str| frames.user.iter().position(|frame| frame.name.contains(name));
    let (outer, inner) = (place("outer_function"), place("inner_function"));
    assert!(outer.is_some() && outer < inner, "{frames:?}");
    assert!(matches!(frames.user_end, UserEnd::Whole | UserEnd::Cut), "{frames:?}");
    assert_eq!((frames.kernel_errno, frames.kernel.len()), (Some(14), 0));
}

#[test]
fn says_what_it_lacks() {
    // No process has this pid: it is above pid_max.
    assert_eq!(enriched(outer_function(), u32::MAX).user_end, UserEnd::Gone);
    assert_eq!(enriched(Captured { ip: 0, ..outer_function() }, 1).user_end, UserEnd::None);
    let short = outer_function();
    let short = Captured { user: short.user[..64].to_vec(), ..short };
    assert_eq!(enriched(Captured { cut: true, ..short.clone() }, std::process::id()).user_end, UserEnd::Cut);
    assert_eq!(enriched(Captured { cut: false, ..short }, std::process::id()).user_end, UserEnd::Lost);
}

fn stack_of(pid: u32) -> Event {
    Event::Stack(Stack {
        time: "2026-01-02T03:04:05Z".parse().expect("a time"),
        pid,
        tid: pid,
        began_ns: 1,
        taken: Taken::Search,
        frames: Arc::default(),
        captured: Some(Box::new(Captured { kernel: Err(14), ip: 1, sp: 2, bp: 3, cut: false, user: Vec::new() })),
    })
}

/// An event that was passed on, in words.
fn words(event: &Event) -> String {
    match event {
        Event::Stack(stack) => format!("{} {}", stack.pid, stack.frames.user.first().map_or("", |frame| &frame.name)),
        _ => "other".into(),
    }
}

#[test]
fn a_process_whose_files_take_too_long_holds_up_nobody_for_long() {
    let mut stacks = Stacks::with(Duration::from_secs(2), || {
        Box::new(|stack: &mut Stack| {
            if stack.pid == 7 {
                thread::sleep(Duration::from_secs(3600));
            }
            if stack.pid == 8 {
                // Files that break their reader. A panic with its backtrace may take longer than the limit.
                std::panic::resume_unwind(Box::new("broken"));
            }
            stack.captured = None;
        })
    });
    let mut passed = Vec::new();
    let mut observe = |event: &Event| {
        passed.push(words(event));
        Ok::<_, ()>(())
    };
    let begin = Instant::now();
    for event in [stack_of(1), stack_of(7), Event::Lost(Lost { ring_buffer: 1, map_full: 0, missed: 0 }), stack_of(2)] {
        stacks.pass(event, &mut observe).expect("it takes everything");
    }
    stacks.finish(&mut observe).expect("it takes everything");
    for pid in [7, 3, 8] {
        stacks.pass(stack_of(pid), &mut observe).expect("it takes everything");
    }
    stacks.finish(&mut observe).expect("it takes everything");
    // A small part of what the reader would sleep, however busy the machine is.
    assert!(begin.elapsed() < Duration::from_secs(360));
    let refused = |pid: u32, why: &str| format!("{pid} [names not looked up: {why}]");
    assert_eq!(
        passed,
        [
            "1 ".to_owned(),
            refused(7, "reading took too long"),
            "other".into(),
            refused(2, "the reader crashed on files of another process"),
            refused(7, "reading this process's files took too long or crashed"),
            "3 ".into(),
            refused(8, "the reader crashed"),
        ]
    );
}

#[test]
fn ends_where_the_search_begins() {
    let frame = |name: &str| Frame { name: name.into(), module: None };
    let stack = ["bpf_prog_1", "bpf_trampoline_2", "__inet_hash_connect", "tcp_v4_connect", "__sys_connect"];
    let names = up_to_the_hook(stack.map(frame).into(), Taken::Search);
    let names: Vec<_> = names.iter().map(|frame| &*frame.name).collect();
    assert_eq!(names, ["__sys_connect", "tcp_v4_connect", "__inet_hash_connect"]);
    let traced = ["__inet_hash_connect", "tcp_v4_connect", "bpf_trampoline_3", "tcp_v4_connect", "__sys_connect"];
    assert_eq!(up_to_the_hook(traced.map(frame).into(), Taken::Search).len(), 3);
    let state = ["bpf_prog_1_stack_tp", "bpf_trace_run3", "__traceiter_x", "inet_sk_state_store", "tcp_v4_connect"];
    assert_eq!(up_to_the_hook(state.map(frame).into(), Taken::Search).len(), 2);
    assert_eq!(up_to_the_hook(["a", "b"].map(frame).into(), Taken::Search).len(), 2, "unknown: as it is");
    let jumped = ["bpf_prog_1", "bpf_trampoline_2", "tcp_v4_connect"];
    assert_eq!(&*up_to_the_hook(jumped.map(frame).into(), Taken::Search)[1].name, "__inet_hash_connect");
    let sampled = ["__inet_check_established", "__inet_hash_connect", "tcp_v4_connect"];
    assert_eq!(up_to_the_hook(sampled.map(frame).into(), Taken::OnCpu).len(), 3, "a sample is as deep as it was");
}
