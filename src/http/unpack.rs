//! Packed bodies: the codings of the transfer in the spellings that servers use, and payloads that are packed files.

use std::io::Read;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use reqwest::header::{CONTENT_ENCODING, HeaderMap};
use sequor_planner::ops::Compression;

use crate::error::{Error, ErrorKind, Result};

/// Undoes the codings of a transfer that are left (RFC 9110, 8.4): names in any case, `x-gzip`, and deflate without its
/// frame.
///
/// # Errors
/// A coding that is not known, a body that is not what it says, and one that holds more than `most` bytes.
pub fn decoded(headers: &mut HeaderMap, mut body: Bytes, most: usize) -> Result<Bytes> {
    let Some(value) = headers.get(CONTENT_ENCODING) else {
        return Ok(body);
    };
    let codings = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
    if body.is_empty() {
        return Ok(body);
    }
    // The last was applied last.
    for coding in codings.rsplit(',').map(str::trim) {
        body = match coding {
            "" | "identity" => body,
            "gzip" | "x-gzip" => unpacked(MultiGzDecoder::new(&body[..]), most, "gzip")?,
            "deflate" => match unpacked(ZlibDecoder::new(&body[..]), most, "deflate") {
                Err(error) if error.kind() == ErrorKind::Broken => {
                    unpacked(DeflateDecoder::new(&body[..]), most, "deflate")?
                }
                unpacked => unpacked?,
            },
            other => {
                let message = format!("the body has the coding `{other}`, which is not known here");
                return Err(Error::new(ErrorKind::Data, message)
                    .help("ask for another by the header `Accept-Encoding`, for example gzip"));
            }
        };
    }
    headers.remove(CONTENT_ENCODING);
    Ok(body)
}

/// Unpacks a payload that is a packed file.
///
/// # Errors
/// One that is not what it is said to be, a zip with several files, and one that holds more than `most` bytes.
pub fn opened(body: Bytes, compression: Compression, most: usize) -> Result<Bytes> {
    let is_gzip = body.starts_with(&[0x1f, 0x8b, 8]);
    let is_zip = body.starts_with(b"PK\x03\x04");
    match compression {
        Compression::None => Ok(body),
        Compression::Auto if is_gzip => unpacked(MultiGzDecoder::new(&body[..]), most, "gzip"),
        // One with several files is a document of its own kind, like a spreadsheet.
        Compression::Auto if is_zip => Ok(only_file(&body, most)?.unwrap_or(body)),
        Compression::Auto => Ok(body),
        // Nothing that another try would mend.
        Compression::Gzip if !is_gzip => {
            let message = format!(
                "the payload is no gzip: it starts with {}",
                crate::exchange::excerpt(&body)
            );
            Err(Error::new(ErrorKind::Data, message)
                .help("leave `compression` out: what is packed is known by its first bytes"))
        }
        Compression::Gzip => unpacked(MultiGzDecoder::new(&body[..]), most, "gzip"),
        Compression::Zip => only_file(&body, most)?.ok_or_else(|| {
            Error::new(
                ErrorKind::Data,
                "the zip of the response holds several files, or none",
            )
            .help(
                "one that holds one file is unpacked; take others apart by Python, with `compression: none`",
            )
        }),
    }
}

/// The only file of a zip; none where there are several.
fn only_file(body: &[u8], most: usize) -> Result<Option<Bytes>> {
    let bad = |e: zip::result::ZipError| {
        Error::new(
            ErrorKind::Data,
            format!("the zip of the response can't be read: {e}"),
        )
    };
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(body)).map_err(bad)?;
    let files: Vec<String> = archive
        .file_names()
        .filter(|name| !name.ends_with('/'))
        .map(str::to_string)
        .collect();
    match files.as_slice() {
        [file] => {
            let file = archive.by_name(file).map_err(bad)?;
            unpacked(file, most, "zip").map(Some)
        }
        _ => Ok(None),
    }
}

fn unpacked(packed: impl Read, most: usize, what: &str) -> Result<Bytes> {
    let mut out = Vec::new();
    // One byte more than it may have shows that it has more.
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let read = packed.take(limit).read_to_end(&mut out);
    read.map_err(|e| Error::new(ErrorKind::Broken, format!("the body is no good {what}: {e}")))?;
    if out.len() > most {
        let message = format!(
            "the body holds more than {} once it is unpacked",
            super::live::size(most)
        );
        return Err(Error::new(ErrorKind::Data, message)
            .help("ask for smaller pages, or allow more by `max_response_size` in the source"));
    }
    Ok(out.into())
}
