// SPDX-License-Identifier: MIT OR Apache-2.0
//! A headless Chromium, spoken to over its debugging pipe: JSON messages that end with a zero byte.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

/// As Debian and others call it.
const NAMES: [&str; 4] = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];

/// Where one is; `None`: there is none.
pub fn find() -> Option<PathBuf> {
    let folders: Vec<_> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    NAMES.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file()))
}

/// A browser with one tab.
pub struct Chromium {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    session: Option<String>,
    number: u64,
    /// Events that came while something else was waited for.
    pub events: Vec<Value>,
}

impl Chromium {
    /// Starts it with a profile of its own.
    pub fn start(program: &Path, profile: &Path) -> Result<Self> {
        let mut command = Command::new("sh");
        // Chromium reads from descriptor 3 and writes to 4; its sandbox is not available in every container.
        command.args(["-c", "exec \"$@\" 3<&0 4>&1 1>/dev/null 2>/dev/null", "sh"]).arg(program);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run"]);
        command.arg(format!("--user-data-dir={}", profile.display())).arg("about:blank");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("cannot start a browser")?;
        let requests = child.stdin.take().context("its input is piped")?;
        let answers = BufReader::new(child.stdout.take().context("its output is piped")?);
        let mut browser = Self { child, requests, answers, session: None, number: 0, events: Vec::new() };
        let tab = browser.ask("Target.createTarget", json!({"url": "about:blank"}))?;
        let attached = browser.ask("Target.attachToTarget", json!({"targetId": tab["targetId"], "flatten": true}))?;
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network", "Accessibility"] {
            browser.ask(&format!("{domain}.enable"), json!({}))?;
        }
        Ok(browser)
    }

    /// Sends a request and waits for its answer.
    pub fn ask(&mut self, method: &str, params: Value) -> Result<Value> {
        self.number += 1;
        let mut request = json!({"id": self.number, "method": method, "params": params});
        if let Some(session) = &self.session {
            request["sessionId"] = json!(session);
        }
        let mut bytes = serde_json::to_vec(&request)?;
        bytes.push(0);
        self.requests.write_all(&bytes)?;
        loop {
            let answer = self.read()?;
            if answer["id"] != self.number {
                self.events.push(answer);
            } else if answer["error"].is_object() {
                bail!("{method}: {}", answer["error"]);
            } else {
                return Ok(answer["result"].clone());
            }
        }
    }

    /// Opens a page and waits until it is loaded.
    pub fn open(&mut self, url: &str) -> Result<()> {
        self.events.clear();
        self.ask("Page.navigate", json!({ "url": url }))?;
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.read()?;
            self.events.push(event);
        }
        Ok(())
    }

    /// Evaluates an expression in the page.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value> {
        self.evaluate_in(expression, json!({}))
    }

    /// The same in the document within the page.
    pub fn evaluate_within(&mut self, expression: &str) -> Result<Value> {
        let tree = self.ask("Page.getFrameTree", json!({}))?;
        let frame = &tree["frameTree"]["childFrames"][0]["frame"]["id"];
        let made = self.events.iter().filter(|event| event["method"] == "Runtime.executionContextCreated");
        let is_own =
            |context: &&Value| context["auxData"]["frameId"] == *frame && context["auxData"]["isDefault"] == true;
        let mut contexts = made.map(|event| &event["params"]["context"]);
        let own = contexts.rfind(is_own);
        let context = own.context("there is no document within the page")?["id"].clone();
        self.evaluate_in(expression, json!({ "contextId": context }))
    }

    fn evaluate_in(&mut self, expression: &str, mut asked: Value) -> Result<Value> {
        asked["expression"] = json!(expression);
        asked["returnByValue"] = json!(true);
        asked["awaitPromise"] = json!(true);
        let result = self.ask("Runtime.evaluate", asked)?;
        if result["exceptionDetails"].is_object() {
            bail!("{}", result["exceptionDetails"]);
        }
        Ok(result["result"]["value"].clone())
    }

    fn read(&mut self) -> Result<Value> {
        let mut bytes = Vec::new();
        self.answers.read_until(0, &mut bytes)?;
        if bytes.pop() != Some(0) {
            bail!("the browser went away");
        }
        Ok(serde_json::from_slice(&bytes)?)
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
