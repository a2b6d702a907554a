// SPDX-License-Identifier: MIT OR Apache-2.0
//! nginx in front of a backend, without keep-alive between them, and wrk in front of nginx: each request is a connect. nginx's
//! own log is the witness.

use std::{fs, net::SocketAddr, path::Path, process::Command, thread, time::Duration};

use anyhow::{Context as _, Result, ensure};

use super::{
    ledger::balanced,
    ports_default_range::room_for,
    programs::{NGINX, Running, WRK, present, wait_for_listener},
    storm::{SUMMARIES, destination},
};
use crate::{
    harness::Report,
    netns,
    socket::LOCALHOST,
    tiers::Tier,
    tool::{self, Tool},
};

const PROXY: SocketAddr = SocketAddr::new(LOCALHOST, 2001);
const BACKEND: SocketAddr = SocketAddr::new(LOCALHOST, 2002);

const CONFIGURATION: &str = "daemon off;
master_process off;
user root root;
pid /tmp/nginx-storm.pid;
events { worker_connections 4096; }
http {
    client_body_temp_path /tmp/nginx-storm-body;
    proxy_temp_path /tmp/nginx-storm-proxy;
    fastcgi_temp_path /tmp/nginx-storm-fastcgi;
    uwsgi_temp_path /tmp/nginx-storm-uwsgi;
    scgi_temp_path /tmp/nginx-storm-scgi;
    log_format upstream '$upstream_addr';
    server {
        listen 127.0.0.1:2001;
        access_log LOG upstream;
        location / { proxy_pass http://127.0.0.1:2002; }
    }
    server {
        listen 127.0.0.1:2002;
        access_log off;
        location / { return 200 ok; }
    }
}
";

pub fn run(report: &mut Report, tier: Tier) {
    report.test(&format!("storm/{tier}/proxy"), || proxy(tier));
}

fn proxy(tier: Tier) -> Result<()> {
    let (nginx, wrk) = (present(NGINX)?, present(WRK)?);
    room_for(8_192)?;
    let [configuration, log] = ["cfg", "log"].map(tool::temporary);
    fs::write(&configuration, CONFIGURATION.replace("LOG", log.to_str().context("UTF-8")?))?;
    let (netns, answer) = netns::within("caller", |netns| {
        let child = Command::new(nginx).args(["-e", "stderr", "-c"]).arg(&configuration).spawn();
        let mut nginx = Running(child.context("could not start nginx")?);
        wait_for_listener(&mut nginx, PROXY)?;
        let tool = Tool::start(tier, &SUMMARIES)?;
        let mut load = Command::new(wrk);
        load.args(["--threads", "1", "--connections", "32", "--duration", "5s"]).arg(format!("http://{PROXY}/"));
        let load = tool::run(&mut load)?;
        ensure!(load.code == Some(0), "wrk ended with {:?}: {}", load.code, load.stderr);
        // Requests that were under way when wrk left are logged when they are over; without a master nginx waits for none.
        settled(&log)?;
        drop(nginx);
        Ok((netns.inode, tool.stop()?))
    })?;
    balanced(&answer)?;
    let connects = upstreams(&fs::read_to_string(&log)?);
    for file in [configuration, log] {
        fs::remove_file(file)?;
    }
    let row = destination(answer.final_summary()?, netns, BACKEND)?;
    ensure!(connects > 1_000, "{connects} connects are no storm");
    ensure!(row["connects"] == connects, "nginx connected {connects} times: {row}");
    ensure!(row["at_least"].is_null() || row["at_least"] == false, "not exact: {row}");
    Ok(())
}

/// Waits until nothing is logged any more.
fn settled(log: &Path) -> Result<()> {
    const QUIET: Duration = Duration::from_secs(2);
    let mut length = 0;
    loop {
        let now = fs::metadata(log)?.len();
        if now == length {
            return Ok(());
        }
        length = now;
        thread::sleep(QUIET);
    }
}

/// How often nginx turned to the backend: again, where it had to.
fn upstreams(log: &str) -> u64 {
    log.lines().map(|line| line.split(", ").count() as u64).sum()
}
