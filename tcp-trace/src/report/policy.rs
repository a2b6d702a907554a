// SPDX-License-Identifier: MIT OR Apache-2.0
//! The content security policy of the page: it runs what was written into it, and loads nothing.

use data_encoding::BASE64;
use sha2::{Digest as _, Sha256};

/// Inline styles and scripts of a document.
#[derive(Clone, Debug, Default)]
pub struct Inline {
    styles: Vec<String>,
    scripts: Vec<String>,
    /// Event handlers in attributes: `onload` and the like.
    handlers: Vec<String>,
}

impl Inline {
    /// The inline parts of an SVG.
    pub fn of(svg: &str) -> Self {
        let bodies = |tag: &str| {
            let (open, close) = (format!("<{tag}"), format!("</{tag}>"));
            let parts = svg.split(open.as_str()).skip(1);
            let body = parts.filter_map(|rest| rest.split_once('>')?.1.split(close.as_str()).next().map(text));
            body.collect::<Vec<_>>()
        };
        // Only the root element of the graph has handlers.
        let root = svg.split("<svg").nth(1).and_then(|rest| rest.split('>').next()).unwrap_or_default();
        let attributes = root.split(" on").skip(1).filter_map(|rest| rest.split('"').nth(1));
        Self { styles: bodies("style"), scripts: bodies("script"), handlers: attributes.map(text).collect() }
    }
}

/// The text as a browser reads it.
fn text(written: &str) -> String {
    // There may be text before a CDATA section, and after it.
    let mut out = String::new();
    for (index, part) in written.split("<![CDATA[").enumerate() {
        let (literal, markup) = if index == 0 { ("", part) } else { part.split_once("]]>").unwrap_or((part, "")) };
        out += literal;
        out += &markup
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&apos;", "'")
            .replace("&amp;", "&");
    }
    out
}

/// A policy that allows nothing but this style and this script, and the inline parts of a graph in a frame.
pub fn policy(style: &str, script: &str, picture: Option<&Inline>) -> String {
    let nothing = Inline::default();
    let picture = picture.unwrap_or(&nothing);
    let sources = |own: &str, others: &[String]| {
        let all: Vec<_> = std::iter::once(own).chain(others.iter().map(String::as_str)).map(source).collect();
        all.join(" ")
    };
    let scripts: Vec<_> = picture.scripts.iter().chain(&picture.handlers).cloned().collect();
    let handlers = if picture.handlers.is_empty() { "" } else { " 'unsafe-hashes'" };
    let frames = if picture.scripts.is_empty() { "" } else { "; frame-src data:" };
    format!(
        "default-src 'none'; base-uri 'none'; form-action 'none'; style-src {}; script-src {}{handlers}{frames}",
        sources(style, &picture.styles),
        sources(script, &scripts),
    )
}

/// A source by its hash.
fn source(text: &str) -> String {
    format!("'sha256-{}'", BASE64.encode(&Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_picture_runs() {
        let svg = "<?xml?><svg width=\"1\" onload=\"init(&quot;x&quot;)\"><style type=\"text/css\">a &gt; b {}</style>\
                   <script type=\"x\"><![CDATA[if (1 < 2) {}]]></script><text>no <b/> script</text></svg>";
        let inline = Inline::of(svg);
        assert_eq!(inline.styles, ["a > b {}"]);
        assert_eq!(inline.scripts, ["if (1 < 2) {}"]);
        assert_eq!(inline.handlers, ["init(\"x\")"]);
        let with = policy("s", "t", Some(&inline));
        assert!(with.contains("'unsafe-hashes'") && with.ends_with("; frame-src data:"));
        assert!(!policy("s", "t", None).contains("unsafe"));
    }
}
