//! Responses as Arrow batches: which request they answer, status, headers, body.

use std::sync::Arc;

use arrow::array::{Array, AsArray, LargeBinaryArray, RecordBatch, StringArray, UInt16Array, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, UInt16Type, UInt64Type};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Response;

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

/// A response, with its row and its place in the row's conversation.
pub type Kept = (u64, u64, Arc<Response>);

/// Returns responses as bytes: a stream of Arrow IPC behind a first byte. Cookies are left out: they are no data.
pub fn bytes(first: u8, responses: &[Kept]) -> Result<Vec<u8>> {
    let each = || responses.iter().map(|(_, _, response)| response);
    let headers = each()
        .map(|response| headers(response))
        .collect::<Result<Vec<_>>>()?;
    let numbers = |of: fn(&Kept) -> u64| UInt64Array::from_iter_values(responses.iter().map(of));
    let assumed = each().map(|response| response.assumed.map(|known| known.name()));
    let batch = RecordBatch::try_new(
        schema(),
        vec![
            Arc::new(numbers(|(row, _, _)| *row)),
            Arc::new(numbers(|(_, place, _)| *place)),
            Arc::new(UInt16Array::from_iter_values(
                each().map(|response| response.status),
            )),
            Arc::new(StringArray::from_iter_values(
                each().map(|response| response.url.as_str()),
            )),
            Arc::new(StringArray::from_iter_values(headers)),
            Arc::new(assumed.collect::<StringArray>()),
            Arc::new(LargeBinaryArray::from_iter_values(
                each().map(|response| &response.body),
            )),
        ],
    )?;
    let bodies: usize = each().map(|response| response.body.len()).sum();
    let mut out = Vec::with_capacity(bodies + responses.len() * 512 + 2048);
    out.push(first);
    let mut writer = StreamWriter::try_new(out, &batch.schema())?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?)
}

fn headers(response: &Response) -> Result<String> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let all = response.headers.iter();
    let all: Vec<(&str, String)> = all
        .filter(|(name, _)| **name != SET_COOKIE)
        .map(|(name, value)| (name.as_str(), text(value)))
        .collect();
    serde_json::to_string(&all).map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))
}

/// Returns the batch that bytes hold.
pub fn batch(bytes: &[u8]) -> Result<RecordBatch> {
    let mut reader = StreamReader::try_new(bytes, None)?;
    Ok(reader.next().ok_or_else(wrong)??)
}

/// Returns the rows of a batch's responses, and their places in the rows' conversations.
pub fn places(batch: &RecordBatch) -> Result<Vec<(u64, u64)>> {
    let column = |at: usize| {
        let column = batch.columns().get(at).ok_or_else(wrong)?;
        column.as_primitive_opt::<UInt64Type>().ok_or_else(wrong)
    };
    let (rows, places) = (column(0)?, column(1)?);
    Ok(rows
        .values()
        .iter()
        .copied()
        .zip(places.values().iter().copied())
        .collect())
}

/// Returns a response of a batch.
pub fn read(batch: &RecordBatch, at: usize) -> Result<Response> {
    let column = |number: usize| {
        batch
            .columns()
            .get(number)
            .filter(|c| at < c.len())
            .ok_or_else(wrong)
    };
    let text = |number: usize| {
        let column = column(number)?.as_string_opt::<i32>();
        Ok::<_, Error>(column.ok_or_else(wrong)?.value(at))
    };
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
    let body = Bytes::copy_from_slice(body.value(at));
    let mut response = Response::new(status.value(at), all, url, body);
    if column(5)?.is_valid(at) {
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
        let kept = Arc::new(kept);
        let other = Response::new(200, HeaderMap::new(), kept.url.clone(), Bytes::new());
        let bytes = bytes(2, &[(5, 1, Arc::new(other)), (7, 3, kept.clone())]).unwrap();
        let batch = batch(&bytes[1..]).unwrap();
        assert_eq!(places(&batch).unwrap(), [(5, 1), (7, 3)]);
        assert!(read(&batch, 0).unwrap().body.is_empty());
        let read = read(&batch, 1).unwrap();
        assert_eq!((read.status, &read.body, &read.url), (207, &kept.body, &kept.url));
        assert_eq!(read.assumed, kept.assumed);
        assert_eq!(read.headers.get_all("x-two").iter().count(), 2);
        assert_eq!(read.headers["link"], kept.headers["link"]);
        assert!(read.headers.get("set-cookie").is_none());
    }
}
