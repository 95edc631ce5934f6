//! Bodies of requests, in each format.

use std::path::Path;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use sequor_planner::ops::BodyFormat;

use super::build::pairs;
use super::multipart::multipart;
use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;

/// In a body, text that renders to exactly this is JSON null.
const NULL: &str = "__NULL__";

/// A body and how to write it.
#[derive(Debug)]
pub struct Body<'a> {
    pub format: BodyFormat,
    pub value: Value,
    /// The project's, which files of a form are in.
    pub folder: &'a Path,
}

impl Body<'_> {
    /// The bytes of the body. Its content type goes to `headers`, unless they have one.
    pub fn write(self, headers: &mut HeaderMap) -> Result<Bytes> {
        let value = nulls(self.value);
        let mut content_type = HeaderValue::from_static(match self.format {
            BodyFormat::Json => "application/json",
            BodyFormat::FormUrlencoded => "application/x-www-form-urlencoded",
            BodyFormat::Text => "text/plain; charset=utf-8",
            BodyFormat::Xml => "application/xml",
            BodyFormat::MultipartFormData => "multipart/form-data",
            BodyFormat::Binary => "application/octet-stream",
        });
        let bytes = match self.format {
            BodyFormat::Json => serde_json::to_vec(&value).map_err(|e| {
                Error::new(ErrorKind::Data, format!("the body can't be written as JSON: {e}"))
            })?,
            BodyFormat::FormUrlencoded => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(pairs(&value, "body")?);
                form.finish().into_bytes()
            }
            BodyFormat::Text | BodyFormat::Xml => text(&value, self.format)?.into_bytes(),
            BodyFormat::Binary => match &value {
                Value::Bytes(bytes) => bytes.to_vec(),
                value => text(value, self.format)?.into_bytes(),
            },
            BodyFormat::MultipartFormData => {
                let (bytes, boundary) = multipart(&value, self.folder)?;
                let with_boundary = format!("multipart/form-data; boundary={boundary}");
                content_type = HeaderValue::from_str(&with_boundary).unwrap_or(content_type);
                bytes
            }
        };
        headers.entry(CONTENT_TYPE).or_insert(content_type);
        Ok(bytes.into())
    }
}

/// A body that is one text.
fn text(value: &Value, format: BodyFormat) -> Result<String> {
    let name = match format {
        BodyFormat::Xml => "xml",
        BodyFormat::Binary => "binary",
        _ => "text",
    };
    match value {
        Value::Null => Ok(String::new()),
        Value::List(_) | Value::Map(_) | Value::Row(_) | Value::Bytes(_) => Err(Error::new(
            ErrorKind::Data,
            format!(
                "a body with `body_format: {name}` must be text, and is {}",
                value.kind()
            ),
        )),
        value => Ok(value.to_text()),
    }
}

/// Replaces the texts that stand for null.
fn nulls(value: Value) -> Value {
    match value {
        Value::Text(text) if &*text == NULL => Value::Null,
        Value::List(items) => Value::list(items.iter().cloned().map(nulls).collect()),
        Value::Map(entries) => {
            let entries = entries.iter().map(|(k, v)| (k.clone(), nulls(v.clone())));
            Value::Map(std::sync::Arc::new(entries.collect()))
        }
        other => other,
    }
}
