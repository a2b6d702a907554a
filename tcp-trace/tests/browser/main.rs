// SPDX-License-Identifier: MIT OR Apache-2.0
//! The report in a real browser: on a desk, on a phone, on paper, in the light and in the dark. Pictures of it are left in
//! target/report for people to look at. Without a browser nothing is run, and that is said.

mod chromium;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, ensure};
use chromium::Chromium;
use serde_json::{Value, json};

/// Written by the library's own tests: `TCP_TRACE_BLESS=1`.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/report.html");
const LOOK: &str = include_str!("look.js");

/// How it is looked at.
struct Way {
    name: &'static str,
    width: u32,
    media: &'static str,
    scheme: &'static str,
}

const WAYS: [Way; 5] = [
    Way { name: "desk", width: 1280, media: "screen", scheme: "light" },
    Way { name: "desk in the dark", width: 1280, media: "screen", scheme: "dark" },
    Way { name: "phone", width: 360, media: "screen", scheme: "light" },
    Way { name: "phone in the dark", width: 360, media: "screen", scheme: "dark" },
    Way { name: "paper", width: 720, media: "print", scheme: "dark" },
];

fn main() -> ExitCode {
    // `cargo test NAME` and `--list` are for tests of libtest's kind.
    if std::env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let names = WAYS.iter().map(|way| way.name).chain(["script", "flame graph", "printed pages"]);
    let Some(program) = chromium::find() else {
        names.for_each(|name| println!("test report in a browser: {name} ... not run: there is no chromium"));
        return ExitCode::SUCCESS;
    };
    let mut failed = false;
    let mut told = |name: &str, verdict: Result<()>| match verdict {
        Ok(()) => println!("test report in a browser: {name} ... ok"),
        Err(error) => {
            failed = true;
            println!("test report in a browser: {name} ... FAILED: {error:#}");
        }
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    match start(&program, &folder) {
        Ok(mut browser) => {
            WAYS.iter().for_each(|way| told(way.name, look(&mut browser, way, &folder)));
            told("script", script(&mut browser));
            told("flame graph", flame(&mut browser));
            told("printed pages", paper(&mut browser, &folder));
        }
        Err(error) => told("start", Err(error)),
    }
    ExitCode::from(u8::from(failed))
}

fn start(program: &Path, folder: &PathBuf) -> Result<Chromium> {
    fs::create_dir_all(folder)?;
    Chromium::start(program, &folder.join("profile"))
}

/// Opens the page so and asks it what is wrong with it.
fn look(browser: &mut Chromium, way: &Way, folder: &Path) -> Result<()> {
    let phone = way.width < 500;
    let metrics = json!({"width": way.width, "height": 800, "deviceScaleFactor": 1, "mobile": phone});
    browser.ask("Emulation.setDeviceMetricsOverride", metrics)?;
    let features = json!([{"name": "prefers-color-scheme", "value": way.scheme}]);
    browser.ask("Emulation.setEmulatedMedia", json!({"media": way.media, "features": features}))?;
    browser.open(&format!("file://{PAGE}"))?;
    let wrong = browser.evaluate(LOOK)?;
    picture(browser, &folder.join(format!("{}.png", way.name.replace(' ', "-"))))?;
    ensure!(wrong.as_array().is_some_and(Vec::is_empty), "{wrong:#}");
    quiet(browser)?;
    let tree = browser.ask("Accessibility.getFullAXTree", json!({}))?;
    let nameless: Vec<&Value> = tree["nodes"]
        .as_array()
        .context("a tree")?
        .iter()
        .filter(|node| ["image", "img", "button", "link", "region"].iter().any(|role| node["role"]["value"] == *role))
        .filter(|node| node["name"]["value"].as_str().is_none_or(str::is_empty))
        .collect();
    ensure!(nameless.is_empty(), "a screen reader has no name for {nameless:?}");
    Ok(())
}

/// Neither a complaint nor a request, but for the page itself.
fn quiet(browser: &Chromium) -> Result<()> {
    for event in &browser.events {
        let method = event["method"].as_str().unwrap_or_default();
        // The page itself, and the picture that it carries.
        let url = event["params"]["request"]["url"].as_str();
        let is_own = url.is_some_and(|url| url.ends_with("report.html") || url.starts_with("data:image/svg+xml;"));
        let loud = match method {
            "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded" => true,
            "Network.requestWillBeSent" => !is_own,
            _ => false,
        };
        ensure!(!loud, "{:.600}", event.to_string());
    }
    Ok(())
}

/// The whole page, however long it is.
fn picture(browser: &mut Chromium, file: &Path) -> Result<()> {
    let shot = browser.ask("Page.captureScreenshot", json!({"format": "png", "captureBeyondViewport": true}))?;
    let data = shot["data"].as_str().context("a picture")?;
    fs::write(file, base64(data)).with_context(|| file.display().to_string())
}

/// Its switch, its buttons and its figures under the pointer.
fn script(browser: &mut Chromium) -> Result<()> {
    browser.ask("Emulation.setEmulatedMedia", json!({"media": "screen", "features": []}))?;
    browser.open(&format!("file://{PAGE}"))?;
    let colour = "getComputedStyle(document.body).backgroundColor";
    let before = browser.evaluate(colour)?;
    browser.evaluate("document.getElementById('theme').click()")?;
    ensure!(browser.evaluate(colour)? != before, "the switch of colours does nothing");
    let copies = browser.evaluate("document.querySelectorAll('pre.fix + button').length")?;
    let fixes = browser.evaluate("document.querySelectorAll('pre.fix').length")?;
    ensure!(copies == fixes && fixes.as_u64() > Some(0), "{copies} buttons for {fixes} fixes");
    let read = browser.evaluate(
        "(() => { const plots = document.querySelector('#range-0 .plots');
           for (const key of ['End', 'ArrowLeft', 'ArrowLeft'])
             plots.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
           return document.querySelector('#range-0 .readout').textContent; })()",
    )?;
    let read = read.as_str().unwrap_or_default();
    ensure!(read.contains("until 03:04:43") && read.contains("of the first half 14,116"), "{read}");
    quiet(browser)
}

/// The picture within the page searches and zooms as it does by itself, and its policy lets it.
fn flame(browser: &mut Chromium) -> Result<()> {
    browser.open(&format!("file://{PAGE}"))?;
    browser.evaluate("document.querySelector('iframe').scrollIntoView()")?;
    browser.evaluate_within("search('^connect_server')")?;
    let matched = browser.evaluate_within("document.getElementById('matched').textContent")?;
    browser.evaluate_within(
        "[...document.querySelectorAll('#frames > g')].find((frame) => frame.textContent.startsWith('[unwinding'))
           .dispatchEvent(new MouseEvent('click', {bubbles: true}))",
    )?;
    let is_whole = browser.evaluate_within("document.getElementById('unzoom').classList.contains('hide')")?;
    ensure!(matched == "Matched: 100%" && is_whole == false, "{matched}, not zoomed: {is_whole}");
    quiet(browser)
}

/// Prints the page: a reasonable number of sheets.
fn paper(browser: &mut Chromium, folder: &Path) -> Result<()> {
    // A dark screen, and a reader who asked for it, make no dark paper.
    let features = json!([{"name": "prefers-color-scheme", "value": "dark"}]);
    browser.ask("Emulation.setEmulatedMedia", json!({"media": "", "features": features}))?;
    browser.open(&format!("file://{PAGE}"))?;
    let printed =
        browser.ask("Page.printToPDF", json!({"paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": true}))?;
    let pdf = base64(printed["data"].as_str().context("a document")?);
    fs::write(folder.join("report.pdf"), &pdf)?;
    let text = String::from_utf8_lossy(&pdf);
    let sheets = text.matches("/Type /Page\n").count()
        + text.matches("/Type /Page ").count()
        + text.matches("/Type /Page/").count();
    ensure!((3..=16).contains(&sheets), "{sheets} sheets");
    Ok(())
}

fn base64(text: &str) -> Vec<u8> {
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let letters: Vec<u8> = text.bytes().filter(|letter| *letter != b'=').map(value).collect();
    let bytes = |group: &[u8]| {
        let bits = group.iter().fold(0_u32, |bits, six| bits << 6 | u32::from(*six)) << (6 * (4 - group.len()));
        bits.to_be_bytes()[1..group.len()].to_vec()
    };
    letters.chunks(4).flat_map(bytes).collect()
}
