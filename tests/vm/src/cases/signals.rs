// SPDX-License-Identifier: MIT OR Apache-2.0
//! Connects that something else cuts into: a signal, another thread, the end of the process, the administrator.

use std::{net::SocketAddr, sync::mpsc::channel, thread, time::Duration};

use anyhow::{Context as _, Result, ensure};

use super::theme;
use crate::{
    harness::{Report, not_run},
    seen::{Attempt, Seen},
    socket::{LOCALHOST, LOCALHOST6, Socket},
    tiers::Tier,
};

pub fn run(report: &mut Report, tier: Tier) {
    install_handler();
    theme::run(report, "signals", tier, &[], |_, acts| {
        for (family, ip) in [("ipv4", LOCALHOST), ("ipv6", LOCALHOST6)] {
            let remote = acts.remote(ip);
            acts.one(&format!("interrupted_{family}"), interrupted(remote));
            let remote = acts.remote(ip);
            acts.one(&format!("closed_by_another_thread_{family}"), closed_elsewhere(remote));
            let remote = acts.remote(ip);
            acts.one(&format!("process_ends_{family}"), process_ends(remote));
        }
        let remote = acts.remote(LOCALHOST);
        acts.one("disconnected", disconnected(remote));
        let remote = acts.remote(LOCALHOST);
        acts.one("reset_by_ss_kill", killed(remote));
        let remote = acts.remote(LOCALHOST);
        acts.one("interrupted_then_established", interrupted_then_established(remote));
        Ok(())
    });
}

extern "C" fn nothing(_: libc::c_int) {}

/// Without SA_RESTART, so that connect() returns EINTR.
fn install_handler() {
    // SAFETY: all-zero is a valid `sigaction`; the handler does nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as *const () as usize;
        libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut());
    }
}

/// Calls connect() towards a destination that does not answer, and sends this thread a signal meanwhile.
fn interrupted_call(socket: &Socket, remote: SocketAddr) -> Result<Attempt> {
    // SAFETY: has no preconditions.
    let this = unsafe { libc::pthread_self() };
    let disturber = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        // SAFETY: the thread waits for us below, so it is still there.
        unsafe { libc::pthread_kill(this, libc::SIGUSR1) };
    });
    let (attempt, errno) = Attempt::begin(socket, remote);
    disturber.join().ok().context("the disturber panicked")?;
    ensure!(errno == libc::EINTR, "errno {errno}");
    Ok(attempt)
}

fn interrupted(remote: SocketAddr) -> Result<Seen> {
    let _listener = Socket::deaf_listener(remote)?;
    let socket = Socket::tcp(remote.ip())?;
    let attempt = interrupted_call(&socket, remote)?;
    drop(socket);
    Ok(attempt.end("interrupted", Some(libc::EINTR)))
}

/// A signal ends the call, not the handshake: the SYN that is sent again after a second is answered.
fn interrupted_then_established(remote: SocketAddr) -> Result<Seen> {
    let listener = Socket::deaf_listener(remote)?;
    let socket = Socket::resetting(remote.ip())?;
    let attempt = interrupted_call(&socket, remote)?;
    listener.hear_again()?;
    ensure!(socket.connected(Duration::from_secs(20))? == 0);
    Ok(attempt.end("established", None).with("syn_retransmits", 1))
}

fn closed_elsewhere(remote: SocketAddr) -> Result<Seen> {
    let _listener = Socket::deaf_listener(remote)?;
    let socket = Socket::tcp(remote.ip())?.nonblocking()?;
    let (attempt, errno) = Attempt::begin(&socket, remote);
    ensure!(errno == libc::EINPROGRESS, "errno {errno}");
    let (closed, wait) = channel();
    let closer = thread::Builder::new().name("closer".to_owned()).spawn(move || {
        drop(socket);
        let _ = closed.send(());
    });
    closer.context("could not start a thread")?;
    wait.recv()?;
    Ok(attempt.end("abandoned", None))
}

/// Its owner calls it off, and keeps the socket.
fn disconnected(remote: SocketAddr) -> Result<Seen> {
    let _listener = Socket::deaf_listener(remote)?;
    let socket = Socket::tcp(remote.ip())?.nonblocking()?;
    let (attempt, errno) = Attempt::begin(&socket, remote);
    ensure!(errno == libc::EINPROGRESS, "errno {errno}");
    socket.disconnect()?;
    Ok(attempt.end("abandoned", None))
}

/// What `ss -K` does: SOCK_DESTROY, which ends it with ECONNABORTED.
fn killed(remote: SocketAddr) -> Result<Seen> {
    const SOCK_DESTROY: u16 = 21;
    let _listener = Socket::deaf_listener(remote)?;
    let socket = Socket::tcp(remote.ip())?.nonblocking()?;
    let (attempt, errno) = Attempt::begin(&socket, remote);
    ensure!(errno == libc::EINPROGRESS, "errno {errno}");
    // struct nlmsghdr; struct inet_diag_req_v2: family, protocol, two spare bytes, all states, the four-tuple.
    let mut message = Vec::new();
    message.extend_from_slice(&72_u32.to_ne_bytes());
    message.extend_from_slice(&SOCK_DESTROY.to_ne_bytes());
    message.extend_from_slice(&((libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16).to_ne_bytes());
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(&[libc::AF_INET as u8, libc::IPPROTO_TCP as u8, 0, 0]);
    message.extend_from_slice(&u32::MAX.to_ne_bytes());
    message.extend_from_slice(&socket.local()?.port().to_be_bytes());
    message.extend_from_slice(&remote.port().to_be_bytes());
    for _ in ["source", "destination"] {
        message.extend_from_slice(&[127, 0, 0, 1]);
        message.extend_from_slice(&[0; 12]);
    }
    // Any interface, any cookie.
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(&[0xff; 8]);
    let reply = Socket::diag()?.exchange(&message)?;
    let errno = reply.get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    if errno != Some(0) {
        return Err(not_run(format!("this kernel does not destroy sockets: {errno:?}")));
    }
    ensure!(socket.connected(Duration::from_secs(5))? == libc::ECONNABORTED);
    Ok(attempt.end("reset", Some(libc::ECONNABORTED)))
}

/// The child leaves with its socket in SYN_SENT.
fn process_ends(remote: SocketAddr) -> Result<Seen> {
    let _listener = Socket::deaf_listener(remote)?;
    let socket = Socket::tcp(remote.ip())?.nonblocking()?;
    let attempt = Attempt::elsewhere(remote);
    // SAFETY: the child only makes system calls and leaves without running destructors.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let errno = socket.connect(remote);
        // SAFETY: the child only makes system calls and leaves without running destructors.
        unsafe { libc::_exit(i32::from(errno != libc::EINPROGRESS)) };
    }
    ensure!(child > 0, "fork: {}", std::io::Error::last_os_error());
    drop(socket);
    let mut status = 0;
    // SAFETY: waits for our own child.
    unsafe { libc::waitpid(child, &mut status, 0) };
    ensure!(status == 0, "the child could not begin to connect");
    let mut seen = attempt.end("abandoned", None);
    (seen.pid, seen.tid) = (child, child);
    Ok(seen)
}
