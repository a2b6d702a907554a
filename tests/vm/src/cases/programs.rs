// SPDX-License-Identifier: MIT OR Apache-2.0
//! Third-party programs, traced by the tool.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::{
    harness::{Report, not_run},
    netns,
    socket::{LOCALHOST, LOCALHOST6, Socket},
    tiers::Tier,
    tool::{self, Answer, Tool},
};

const REQUESTS: usize = 20;
pub const NGINX: &str = "nginx";
pub const WRK: &str = "wrk";

pub fn run(report: &mut Report, tier: Tier) {
    report.test("programs/curl", || curl(tier));
    report.test("programs/nginx", || nginx(tier));
}

/// The path of a program that need not be here.
pub fn present(name: &str) -> Result<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| not_run("not in the guest"))
}

/// Answers that many requests, and gives the ports that they came from: what the server saw is the witness.
fn serve(listener: &Socket, requests: usize) -> Result<Vec<u16>> {
    let mut ports = Vec::new();
    for _ in 0..requests {
        let (socket, peer) = listener.accept()?;
        socket.receive(&mut [0; 4096])?;
        socket.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")?;
        ports.push(peer.port());
    }
    Ok(ports)
}

fn lines<'a>(answer: &'a Answer, netns: u64, comm: &str) -> Vec<&'a Value> {
    answer.connects(netns).into_iter().filter(|line| line["comm"] == comm).collect()
}

fn curl(tier: Tier) -> Result<()> {
    let program = &present("curl")?;
    let tool = Tool::start_with_each_event(tier, &["--comm", "curl"])?;
    let (netns, ports) = netns::within("caller", |netns| {
        let ipv4 = Socket::listener(SocketAddr::new(LOCALHOST, 2001), 16)?;
        let ipv6 = Socket::listener(SocketAddr::new(LOCALHOST6, 2001), 16)?;
        let mut ports = Vec::new();
        for (url, listener) in [("http://127.0.0.1:2001/", &ipv4), ("http://[::1]:2001/", &ipv6)] {
            let mut child = Command::new(program).args(["-sS", "-m", "20", url]).stdout(Stdio::null()).spawn()?;
            ports.extend(serve(listener, 1)?);
            let status = child.wait()?;
            ensure!(status.success(), "curl {url}: {status}");
        }
        // CURLE_COULDNT_CONNECT
        let refused = tool::run(Command::new(program).args(["-sS", "http://127.0.0.1:2002/"]))?;
        ensure!(refused.code == Some(7), "curl ended with {:?}: {}", refused.code, refused.stderr);
        Ok((netns.inode, ports))
    })?;
    let answer = tool.stop()?;
    let lines = lines(&answer, netns, "curl");
    let seen: Vec<_> = lines.iter().map(|line| (line["outcome"].as_str(), line["family"].as_str())).collect();
    let wanted = [("established", "ipv4"), ("established", "ipv6"), ("refused", "ipv4")];
    ensure!(seen == wanted.map(|(outcome, family)| (Some(outcome), Some(family))), "got {seen:?}");
    for (line, port) in lines.iter().zip(ports) {
        ensure!(line["sport"] == port, "the server saw port {port}: {line}");
    }
    Ok(())
}

/// Ends it whatever happens.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const CONFIGURATION: &str = "daemon off;
master_process off;
user root root;
pid /tmp/nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path /tmp/nginx-body;
    proxy_temp_path /tmp/nginx-proxy;
    fastcgi_temp_path /tmp/nginx-fastcgi;
    uwsgi_temp_path /tmp/nginx-uwsgi;
    scgi_temp_path /tmp/nginx-scgi;
    server {
        listen 127.0.0.1:2001;
        location / { proxy_pass http://127.0.0.1:2002; }
    }
}
";

fn nginx(tier: Tier) -> Result<()> {
    present(NGINX)?;
    let tool = Tool::start_with_each_event(tier, &["--comm", "nginx"])?;
    let (netns, ports) = netns::within("caller", |netns| {
        let upstream = Socket::listener(SocketAddr::new(LOCALHOST, 2002), 64)?;
        Ok((netns.inode, proxied(&upstream)?))
    })?;
    let answer = tool.stop()?;
    let lines = lines(&answer, netns, "nginx");
    ensure!(lines.len() == REQUESTS, "{} lines for {REQUESTS} connects", lines.len());
    for (line, port) in lines.iter().zip(ports) {
        ensure!(line["sport"] == port && line["dport"] == 2002, "the server saw port {port}: {line}");
        ensure!(line["outcome"] == "established", "{line}");
    }
    Ok(())
}

/// Requests through nginx, each of which makes it connect; the ports that it came from. `upstream` listens on port 2002
/// of this network namespace.
pub fn proxied(upstream: &Socket) -> Result<Vec<u16>> {
    let program = present(NGINX)?;
    let configuration = tool::temporary("nginx.cfg");
    fs::write(&configuration, CONFIGURATION)?;
    let ports = thread::scope(|scope| {
        let server = scope.spawn(|| serve(upstream, REQUESTS));
        let child =
            Command::new(program).args(["-e", "stderr", "-c"]).arg(&configuration).stdout(Stdio::null()).spawn();
        let mut nginx = Running(child.context("could not start nginx")?);
        for _ in 0..REQUESTS {
            request(&mut nginx, SocketAddr::new(LOCALHOST, 2001))?;
        }
        let ports = server.join().ok().context("the server panicked")?;
        // A proxy does not end with its last request, so there is time to read it.
        thread::sleep(Duration::from_secs(1));
        ports
    });
    let _ = fs::remove_file(&configuration);
    ports
}

/// One request through the proxy.
fn request(nginx: &mut Running, remote: SocketAddr) -> Result<()> {
    let socket = wait_for_listener(nginx, remote)?;
    let reply = socket.exchange(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")?;
    ensure!(reply.starts_with(b"HTTP/1.1 200"), "nginx said {:?}", String::from_utf8_lossy(&reply));
    Ok(())
}

/// A connection to a program that takes a moment to start.
pub fn wait_for_listener(server: &mut Running, remote: SocketAddr) -> Result<Socket> {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let socket = Socket::tcp(remote.ip())?;
        if socket.connect(remote) == 0 {
            return Ok(socket);
        }
        if let Some(status) = server.0.try_wait()? {
            bail!("nginx ended: {status}");
        }
        ensure!(Instant::now() < deadline, "nginx does not listen");
        thread::sleep(Duration::from_millis(50));
    }
}
