//! Responses as Arrow batches of one row: which request they answer, status, headers, body.

use std::sync::Arc;

use arrow::array::{Array, AsArray, LargeBinaryArray, RecordBatch, StringArray, UInt16Array, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, UInt16Type};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Response;

/// The number of the row and the place in its conversation stand before the batch, so that they are found without it.
const PLACE: usize = 16;

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("row", DataType::UInt64, false),
        Field::new("place", DataType::UInt64, false),
        Field::new("status", DataType::UInt16, false),
        Field::new("url", DataType::Utf8, false),
        Field::new("headers", DataType::Utf8, false),
        Field::new("assumed", DataType::Utf8, true),
        Field::new("body", DataType::LargeBinary, false),
    ]))
}

/// Returns a response as bytes. Cookies are left out: they are no data.
pub fn bytes(row: u64, place: u64, response: &Response) -> Result<Vec<u8>> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers.iter();
    let headers: Vec<(String, String)> = headers
        .filter(|(name, _)| **name != SET_COOKIE)
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect();
    let headers =
        serde_json::to_string(&headers).map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?;
    let body = LargeBinaryArray::from_vec(vec![&response.body]);
    let batch = RecordBatch::try_new(
        schema(),
        vec![
            Arc::new(UInt64Array::from(vec![row])),
            Arc::new(UInt64Array::from(vec![place])),
            Arc::new(UInt16Array::from(vec![response.status])),
            Arc::new(StringArray::from(vec![response.url.as_str()])),
            Arc::new(StringArray::from(vec![headers])),
            Arc::new(StringArray::from(vec![
                response.assumed.map(|known| known.name()),
            ])),
            Arc::new(body),
        ],
    )?;
    let mut out = Vec::with_capacity(response.body.len() + 2048);
    out.extend_from_slice(&row.to_le_bytes());
    out.extend_from_slice(&place.to_le_bytes());
    let mut writer = StreamWriter::try_new(out, &batch.schema())?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?)
}

/// Returns the row of a response, and its place in the row's conversation.
pub fn place(bytes: &[u8]) -> Result<(u64, u64)> {
    let (row, rest) = bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
    let (place, _) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
    Ok((u64::from_le_bytes(*row), u64::from_le_bytes(*place)))
}

/// Returns the response that bytes hold.
pub fn read(bytes: &[u8]) -> Result<Response> {
    let mut reader = StreamReader::try_new(bytes.get(PLACE..).unwrap_or_default(), None)?;
    let batch = reader.next().ok_or_else(wrong)??;
    let column = |at: usize| batch.columns().get(at).filter(|c| c.len() == 1).ok_or_else(wrong);
    let text = |at: usize| Ok::<_, Error>(column(at)?.as_string_opt::<i32>().ok_or_else(wrong)?.value(0));
    let status = column(2)?.as_primitive_opt::<UInt16Type>().ok_or_else(wrong)?;
    let body = column(6)?.as_binary_opt::<i64>().ok_or_else(wrong)?;
    let headers: Vec<(String, String)> = serde_json::from_str(text(4)?).map_err(|_| wrong())?;
    let headers = headers.iter().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(value).ok()?))
    });
    let mut all = HeaderMap::new();
    for (name, value) in headers {
        all.append(name, value);
    }
    let url = Url::parse(text(3)?).map_err(|_| wrong())?;
    let mut response = Response::new(status.value(0), all, url, Bytes::copy_from_slice(body.value(0)));
    if column(5)?.is_valid(0) {
        response.assumed = encoding_rs::Encoding::for_label(text(5)?.as_bytes());
    }
    Ok(response)
}

fn wrong() -> Error {
    Error::new(ErrorKind::State, "a response that is kept has other columns")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_read_as_it_was_kept() {
        let mut headers = HeaderMap::new();
        headers.append("link", "<https://x.test/?p=2>; rel=\"next\"".parse().unwrap());
        headers.append("x-two", "a".parse().unwrap());
        headers.append("x-two", "b".parse().unwrap());
        headers.append("set-cookie", "session=secret".parse().unwrap());
        let url = Url::parse("https://x.test/?p=1").unwrap();
        let mut kept = Response::new(207, headers, url, Bytes::from_static(b"{\"a\": \xff}"));
        kept.assumed = Some(encoding_rs::WINDOWS_1252);
        let bytes = bytes(7, 3, &kept).unwrap();
        assert_eq!(place(&bytes).unwrap(), (7, 3));
        let read = read(&bytes).unwrap();
        assert_eq!((read.status, &read.body, &read.url), (207, &kept.body, &kept.url));
        assert_eq!(read.assumed, kept.assumed);
        assert_eq!(read.headers.get_all("x-two").iter().count(), 2);
        assert_eq!(read.headers["link"], kept.headers["link"]);
        assert!(read.headers.get("set-cookie").is_none());
    }
}
