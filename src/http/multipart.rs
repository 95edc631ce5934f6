//! Forms of several parts (RFC 7578): values, bytes and files.

use std::path::Path;

use indexmap::IndexMap;

use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;

/// A file to be sent: `{file: path}` or `{content: bytes or text}`, each with `filename` and `content_type` if wanted.
const FILE_KEYS: [&str; 4] = ["file", "content", "filename", "content_type"];

/// One part.
struct Part {
    head: String,
    body: Vec<u8>,
}

/// Returns a form of several parts, and the boundary between them. Bytes are sent as a file of their name.
pub fn multipart(value: &Value, folder: &Path) -> Result<(Vec<u8>, String)> {
    let Value::Map(entries) = value else {
        let message = format!("`body` must be a map of names to values, and is {}", value.kind());
        return Err(Error::new(ErrorKind::Data, message));
    };
    let mut parts: Vec<Part> = Vec::new();
    for (name, value) in entries.iter() {
        let one = std::slice::from_ref(value);
        let items = match value {
            Value::List(items) => items.as_slice(),
            _ => one,
        };
        for item in items {
            parts.extend(part(name, item, folder)?);
        }
    }
    // The same form gives the same bytes, so that a recording answers it again.
    let mut boundary = String::from("sequor-form-boundary");
    while parts.iter().any(|part| contains(&part.body, boundary.as_bytes())) {
        boundary.push('x');
    }
    let mut out = Vec::new();
    for part in parts {
        out.extend_from_slice(format!("--{boundary}\r\n{}\r\n\r\n", part.head).as_bytes());
        out.extend_from_slice(&part.body);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok((out, boundary))
}

fn part(name: &str, value: &Value, folder: &Path) -> Result<Option<Part>> {
    let head = format!("Content-Disposition: form-data; name=\"{}\"", quoted(name));
    let as_file = |filename: &str, content_type: &str, body: Vec<u8>| {
        let filename = quoted(filename);
        Some(Part {
            head: format!("{head}; filename=\"{filename}\"\r\nContent-Type: {content_type}"),
            body,
        })
    };
    Ok(match value {
        Value::Null => None,
        Value::Bytes(bytes) => as_file(name, OCTETS, bytes.to_vec()),
        Value::Map(entries) if entries.contains_key("file") && !is_file(entries) => {
            let odd = entries.keys().find(|key| !FILE_KEYS.contains(&key.as_str()));
            let message = format!(
                "`{name}` is a file, which takes {}, and no `{}`",
                FILE_KEYS.join(", "),
                odd.map_or("", |odd| odd)
            );
            return Err(Error::new(ErrorKind::Data, message));
        }
        Value::Map(entries) if is_file(entries) => {
            let text = |key: &str| {
                entries
                    .get(key)
                    .filter(|v| !matches!(v, Value::Null))
                    .map(Value::to_json_text)
            };
            let content_type = text("content_type").unwrap_or_else(|| OCTETS.to_string());
            if content_type.chars().any(char::is_control) {
                let message =
                    format!("the content type of `{name}` holds a line break or another control character");
                return Err(Error::new(ErrorKind::Data, message));
            }
            let (body, own_name) = match (text("file"), entries.get("content")) {
                (Some(path), _) => {
                    let own_name = path.rsplit(['/', '\\']).next().unwrap_or(&path).to_string();
                    (read(&path, folder)?, own_name)
                }
                (None, _) if entries.contains_key("file") => {
                    return Err(Error::new(
                        ErrorKind::Data,
                        format!("the path of the file `{name}` is empty"),
                    ));
                }
                (None, Some(Value::Bytes(bytes))) => (bytes.to_vec(), name.to_string()),
                (None, content) => {
                    let content = content.map(Value::to_json_text).unwrap_or_default();
                    (content.into_bytes(), name.to_string())
                }
            };
            as_file(&text("filename").unwrap_or(own_name), &content_type, body)
        }
        value => Some(Part {
            head,
            body: value.to_json_text().into_bytes(),
        }),
    })
}

const OCTETS: &str = "application/octet-stream";

fn is_file(entries: &IndexMap<String, Value>) -> bool {
    (entries.contains_key("file") || entries.contains_key("content"))
        && entries.keys().all(|key| FILE_KEYS.contains(&key.as_str()))
}

/// A file of the project. The path may come from a row's data: what is outside is not read.
fn read(path: &str, folder: &Path) -> Result<Vec<u8>> {
    let unreadable =
        |e: std::io::Error| Error::new(ErrorKind::Data, format!("the file `{path}` can't be read: {e}"));
    let full = folder.join(path).canonicalize().map_err(unreadable)?;
    let folder = folder.canonicalize().map_err(unreadable)?;
    if !full.starts_with(&folder) {
        let message = format!("the file `{path}` is not in the project's folder");
        return Err(Error::new(ErrorKind::Data, message)
            .help("put it there, or read it by Python and give its bytes as `content`"));
    }
    std::fs::read(full).map_err(unreadable)
}

/// A name as browsers escape it (the HTML standard, "multipart/form-data encoding algorithm").
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
