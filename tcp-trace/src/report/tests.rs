// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of the page: complete, safe, reproducible, and readable without its charts.

use std::{collections::BTreeSet, sync::LazyLock};

use proptest::prelude::*;

use super::{Report, column::Column, flame::Flame, policy, sample, series};
use crate::{
    findings::Severity,
    mode::Mode,
    stream::{Consumer as _, Message},
    summarize::{Summarized, Summarizer, summary::Summary},
};

fn sample_page() -> &'static str {
    static PAGE: LazyLock<String> = LazyLock::new(|| sample::run().page().expect("a page").to_owned());
    &PAGE
}

/// Every value of an attribute.
fn attributes<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let opening = format!(" {name}=\"");
    page.split(opening.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn the_browser_tests_page_is_this_one() {
    // Chromium opens the file: tests/browser.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/report.html");
    let page = sample_page();
    if std::env::var_os("TCP_TRACE_BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(path, page).expect("written");
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    let difference = page.lines().zip(golden.lines()).find(|(new, old)| new != old);
    assert!(
        page == golden,
        "{difference:?}\nIf the new page is right: TCP_TRACE_BLESS=1 cargo test -p tcp-trace --lib report"
    );
}

#[test]
fn the_answer_comes_first_and_in_words() {
    let page = sample_page();
    let answer = page.split("id=\"answer\"").nth(1).expect("an answer");
    let answer = answer.split("</section>").next().expect("its end");
    assert!(answer.contains("critical") && answer.contains("the even half") && answer.contains("14,1"), "{answer}");
    assert!(answer.contains("200 connects (5.00 a second)"), "{answer}");
    assert!(page.find("id=\"causes\"") < page.find("id=\"latency\""));
    for section in
        ["latency", "ports", "callers", "talkers", "time-wait", "queues", "limits", "ledger", "machine", "notes"]
    {
        assert!(page.contains(&format!("<section id=\"{section}\"")), "{section}");
    }
}

#[test]
fn nothing_that_somebody_calls_himself_becomes_markup() {
    let page = sample_page();
    assert!(!page.contains(sample::HOSTILE) && !page.contains("<i>a note"));
    assert!(page.contains("&lt;b&gt;&amp;") && page.contains("&lt;i&gt;a note"));
}

#[test]
fn it_reaches_nothing() {
    let page = sample_page();
    for word in
        ["<link", "<img", "http://", "https://", "//cdn", "@import", "url(", "fetch(", "XMLHttp", " on=", " style="]
    {
        let place = page.find(word).map(|at| &page[at.saturating_sub(40)..(at + 40).min(page.len())]);
        // The name of an XML namespace is not an address.
        let place = place.filter(|place| !place.contains("www.w3.org/2000/svg"));
        assert_eq!(place, None, "{word}");
    }
    assert!(attributes(page, "src").iter().all(|from| from.starts_with("data:image/svg+xml;base64,")));
    assert!(attributes(page, "href").iter().all(|to| to.starts_with('#')));
    let between = |tag: &str| {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        let rest = page.split(open.as_str()).nth(1).expect("once");
        rest.split(close.as_str()).next().expect("closed").to_owned()
    };
    let picture = Flame::of(&sample::stacks(), 10).expect("a picture");
    let policy = policy::policy(&between("style"), &between("script"), Some(&picture.inline));
    assert!(policy.starts_with("default-src 'none'"));
    // Decoded from the attribute.
    let written = attributes(page, "content").into_iter().find(|content| content.contains("default-src"));
    let unescaped = written.map(|written| {
        written.replace("&#x27;", "'").replace("&#39;", "'").replace("&#x2f;", "/").replace("&#x2F;", "/")
    });
    assert_eq!(unescaped, Some(policy));
}

#[test]
fn every_chart_has_words_and_figures() {
    let page = sample_page();
    let charts: Vec<_> = page.split("<figure class=\"chart\"").skip(1).collect();
    assert!(charts.len() >= 9, "{} charts", charts.len());
    for chart in charts {
        let chart = chart.split("</figure>").next().expect("its end");
        let id = attributes(chart, "id").first().copied().unwrap_or_default().to_owned();
        let pictures = chart.split("role=\"img\"").skip(1);
        assert!(pictures.clone().count() >= 1, "{id}");
        assert!(pictures.map(|picture| attributes(picture, "aria-label")[0]).all(|words| words.len() > 40), "{id}");
        let rows = chart.matches("<tr data-from").count();
        assert_eq!(rows, sample::SECONDS as usize, "{id}");
        let paths = attributes(chart, "d");
        assert!(paths.iter().all(|path| !path.contains(|letter: char| "naif".contains(letter))), "{id}");
    }
}

#[test]
fn stacks_become_a_picture_and_a_table() {
    let flame = Flame::of(&sample::stacks(), 2).expect("a picture");
    assert!(
        flame.words.contains("240 ms in 200 connects; the heaviest path has 59.9 %: haproxy: main"),
        "{}",
        flame.words
    );
    assert_eq!(flame.table.rows.len(), 2);
    assert!(
        flame.table.rows[0].cells[0]
            .ends_with("[kernel] __x64_sys_connect > tcp_v4_connect > inet_hash_connect > __inet_hash_connect")
    );
    assert_eq!(flame.table.notes, ["40 user stacks could not be unwound completely"]);
    assert!(Flame::of(&Default::default(), 2).is_none());
}

#[test]
fn names_are_given_once_and_point_somewhere() {
    let page = sample_page();
    let page = page.split("<script>").next().expect("what comes before");
    let ids = attributes(page, "id");
    let names: BTreeSet<_> = ids.iter().copied().collect();
    assert_eq!(names.len(), ids.len(), "some id is given twice");
    let fragments = attributes(page, "href").into_iter().map(|to| &to[1..]);
    for name in fragments.chain(attributes(page, "aria-labelledby")) {
        assert!(names.contains(name), "{name} is nowhere");
    }
}

#[test]
fn what_is_opened_is_closed() {
    let page = sample_page();
    let head = page.find("<style>").expect("a style")..page.find("</style>").expect("its end");
    let script = page.find("<script>").expect("a script")..page.find("</script>").expect("its end");
    let mut open = Vec::new();
    let mut at = 0;
    while let Some(next) = page[at..].find('<').map(|next| at + next) {
        let end = next + page[next..].find('>').expect("a tag ends");
        at = end + 1;
        let inside = |range: &std::ops::Range<usize>| range.start < next && next < range.end;
        if inside(&head) || inside(&script) {
            continue;
        }
        let tag = &page[next + 1..end];
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap_or_default();
        match tag {
            _ if name.starts_with('!') || tag.ends_with('/') || matches!(name, "meta" | "br") => {}
            _ if tag.starts_with('/') => assert_eq!(open.pop(), Some(name), "at {}", &page[next..end]),
            _ => open.push(name),
        }
    }
    assert_eq!(open, [""; 0]);
}

#[test]
fn the_same_run_gives_the_same_page() {
    let again = sample::run();
    assert!(again.page() == Some(sample_page()));
    assert_eq!(again.worst(), Some(Severity::Critical));
}

#[test]
fn a_run_without_anything_is_a_page_too() {
    let session = crate::session_info::SessionInfo { traced: false, signals: [].into(), ..sample::session_info() };
    let mut report = Report::new(&session, 10);
    report.consume(Message::End(session.begin)).expect("followed");
    let page = report.page().expect("a page");
    assert!(page.contains("No cause was found"));
    assert!(page.contains("nothing was traced: this is what can be read"));
    assert!(!page.contains("NaN"));
}

fn column(connects: u64) -> Column {
    let mut summary = interval();
    summary.observed.connect.connects = connects;
    summary.observed.connect.by_outcome[0] = connects;
    Column::of(&summary)
}

fn interval() -> Summary {
    let session = sample::session_info();
    match Summarizer::new(Mode::Doctor, &session).take(Message::Tick(session.begin)) {
        Summarized::Interval(summary) => *summary,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn a_long_run_is_bounded_and_loses_nothing(connects in prop::collection::vec(0..1_000_u64, 0..600)) {
        let mut series = series::Series::default();
        connects.iter().for_each(|connects| series.push(column(*connects)));
        let columns = series.finish();
        prop_assert!(columns.len() <= series::COLUMNS);
        prop_assert!(columns.len() >= connects.len().min(series::COLUMNS / 2));
        prop_assert_eq!(columns.iter().map(|column| column.connects).sum::<u64>(), connects.iter().sum::<u64>());
    }
}
