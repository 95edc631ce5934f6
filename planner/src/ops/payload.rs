//! How the bytes of a response become text and rows: packing, charset, CSV, texts that databases can't hold.

use serde::{Deserialize, Serialize};

use crate::codes::Code;
use crate::diagnostic::Diagnostics;
use crate::syntax::{Form, Key, Keys, Node, Shape};

/// How the bytes of a response become text and rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Payload {
    #[serde(default, skip_serializing_if = "Compression::is_auto")]
    pub compression: Compression,
    /// The charset, where the content type names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    #[serde(default, skip_serializing_if = "InvalidText::fails")]
    pub invalid_text: InvalidText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csv: Option<Csv>,
}

impl Payload {
    pub(super) fn is_default(&self) -> bool {
        *self == Payload::default()
    }
}

/// Whether a body is a packed file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Its first bytes say so.
    #[default]
    Auto,
    Gzip,
    /// A zip with one file in it.
    Zip,
    None,
}

impl Compression {
    fn is_auto(&self) -> bool {
        *self == Compression::Auto
    }
}

/// What becomes of NUL and of halves of characters, which no database holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvalidText {
    #[default]
    Fail,
    /// U+FFFD stands in their place.
    Replace,
    Strip,
}

impl InvalidText {
    fn fails(&self) -> bool {
        *self == InvalidText::Fail
    }
}

/// How CSV is written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Csv {
    /// None: the sign that is in the first line most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<char>,
    /// What stands before a quote inside quotes; none: the quote itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escape: Option<char>,
    #[serde(default, skip_serializing_if = "Header::is_first_line")]
    pub header: Header,
    /// Lines before the header.
    #[serde(default)]
    pub skip_rows: u64,
}

/// Where the names of columns are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Header {
    #[default]
    FirstLine,
    /// Nowhere: columns are told by their position.
    None,
    /// In the flow.
    Names(Vec<String>),
}

impl Header {
    fn is_first_line(&self) -> bool {
        *self == Header::FirstLine
    }
}

static CSV: Shape = Shape {
    what: "`csv`",
    doc: "How the CSV is written, where that is not as RFC 4180 has it.",
    with: &[],
    keys: &[
        Key::new(
            "delimiter",
            Form::Name,
            "What stands between values; `\\t` for a tab.",
        ).default("comma, semicolon, tab or bar, whichever is in the first line most")
        .deferred(),
        Key::new("quote", Form::Name, "What values are quoted by.").default("`\"`").deferred(),
        Key::new(
            "escape",
            Form::Name,
            "What stands before a quote inside quotes, like `\\`.",
        ).default("a second quote")
        .deferred(),
        Key::new(
            "header",
            Form::Value,
            "`true`: the first line has the names; `false`: there are none, and columns count from the left; a list: the names, where the file has none.",
        )
        .planned(),
        Key::new("skip_rows", Form::Count, "Lines before the header, which are left out."),
    ],
};

/// The keys of a response about its bytes.
pub(super) static PAYLOAD: Shape = Shape {
    what: "a response",
    doc: "How the bytes of a response become text and rows.",
    with: &[],
    keys: &[
        Key::new(
            "compression",
            Form::Choice(&["auto", "gzip", "zip", "none"]),
            "Whether the body is a packed file; `auto`: its first bytes say so. The packing of the transfer is undone in any case.",
        ).default("`auto`"),
        Key::new(
            "encoding",
            Form::Name,
            "The charset, like latin-1, where the content type names none.",
        )
        .deferred(),
        Key::new(
            "invalid_text",
            Form::Choice(&["fail", "replace", "strip"]),
            "What becomes of NUL and of halves of characters, which no database holds.",
        ).default("`fail`"),
        Key::new("csv", Form::Map(&CSV), "How CSV is written."),
    ],
};

/// Reads the keys of a response about its bytes.
pub(super) fn read(keys: &Keys<'_>, d: &mut Diagnostics) -> Payload {
    let encoding = keys.name("encoding", d).filter(|_| !keys.defers("encoding", d));
    if let Some((label, place)) = &encoding
        && charset(label).is_none()
    {
        d.error(
            Code::BadValue,
            place.clone(),
            format!("`{label}` is no charset that is known"),
        )
        .help("for example latin-1, windows-1252, utf-16le, shift_jis");
    }
    Payload {
        compression: match keys.choice("compression", d) {
            Some("gzip") => Compression::Gzip,
            Some("zip") => Compression::Zip,
            Some("none") => Compression::None,
            _ => Compression::Auto,
        },
        encoding: encoding.map(|(label, _)| label),
        invalid_text: match keys.choice("invalid_text", d) {
            Some("replace") => InvalidText::Replace,
            Some("strip") => InvalidText::Strip,
            _ => InvalidText::Fail,
        },
        csv: keys.node("csv").and_then(|node| read_csv(node, d)),
    }
}

/// Returns the charset of a label, as the web knows it (<https://encoding.spec.whatwg.org>) or as Python spells it.
pub fn charset(label: &str) -> Option<&'static encoding_rs::Encoding> {
    let plain: String = label.chars().filter(char::is_ascii_alphanumeric).collect();
    let labels = [label.replace('_', "-"), plain];
    labels
        .iter()
        .find_map(|label| encoding_rs::Encoding::for_label(label.as_bytes()))
}

fn read_csv(node: &Node, d: &mut Diagnostics) -> Option<Csv> {
    let keys = Keys::new(node, &CSV, d)?;
    let mut sign = |key: &str| -> Option<char> {
        if keys.defers(key, d) {
            return None;
        }
        let (text, place) = keys.name(key, d)?;
        let mut letters = text.chars();
        match (text.as_str(), letters.next(), letters.next()) {
            ("\\t", ..) => Some('\t'),
            (_, Some(sign), None) if sign.is_ascii() && !matches!(sign, '\n' | '\r') => Some(sign),
            _ => {
                let message = format!("`{key}` of `csv` must be one sign, and is `{text}`");
                d.error(Code::BadValue, place, message)
                    .help("for example `delimiter: \";\"`");
                None
            }
        }
    };
    let (delimiter, quote, escape) = (sign("delimiter"), sign("quote"), sign("escape"));
    let header = match keys.node("header") {
        None => Header::FirstLine,
        Some(node) => match node.to_json() {
            serde_json::Value::Bool(true) | serde_json::Value::Null => Header::FirstLine,
            serde_json::Value::Bool(false) => Header::None,
            serde_json::Value::Array(_) => {
                let names = keys.texts("header", "names of columns", d);
                Header::Names(names.into_iter().map(|(name, _)| name).collect())
            }
            _ => {
                let message = "`header` of `csv` must be true, false or a list of names";
                d.error(Code::WrongType, node.place.clone(), message);
                Header::FirstLine
            }
        },
    };
    Some(Csv {
        delimiter,
        quote,
        escape,
        header,
        skip_rows: keys.count("skip_rows", d).unwrap_or_default(),
    })
}
