//! `GET /v1/packs/{stream}/{sha256}`: files from disk, resumable after a dropped link. A pack never changes: its hash is its name.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{self, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fieldgrid_core::domain::id::{Hash, StreamId};
use fieldgrid_core::wire::error::ErrorKind;
use futures_util::stream;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::{App, Problem, bearer};
use crate::telemetry::metrics as m;

/// How much of a file is in memory for one download.
const CHUNK: usize = 64 << 10;

pub(super) async fn pack(
    State(app): State<Arc<App>>,
    extract::Path((stream, sha256)): extract::Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let token = bearer(&headers)?;
    let unknown = || Problem::new(ErrorKind::NotFound, "no such pack: sync again to learn which there is");
    let stream: StreamId = stream.parse().map_err(|_| unknown())?;
    let sha256: Hash = sha256.parse().map_err(|_| unknown())?;
    let path = app.town.pack(token, stream, sha256).await?;
    send(&path, sha256, &headers).await.map_err(|error| match error.kind() {
        // Retired between the look-up and the opening.
        io::ErrorKind::NotFound => unknown(),
        kind => {
            tracing::error!(%kind, "a pack cannot be read");
            Problem::new(ErrorKind::Internal, "the pack cannot be read: try again later")
        }
    })
}

/// The file, or the part of it that `Range` asks for.
async fn send(path: &Path, sha256: Hash, headers: &HeaderMap) -> io::Result<Response> {
    let mut file = File::open(path).await?;
    let size = file.metadata().await?.len();
    let etag = format!("\"{sha256}\"");
    // A part of another file is of no use: `If-Range` with another tag gets this one whole (RFC 9110 §13.1.5).
    let same = headers.get(header::IF_RANGE).is_none_or(|tag| tag.as_bytes() == etag.as_bytes());
    let asked = headers.get(header::RANGE).filter(|_| same).and_then(|value| value.to_str().ok());
    let (status, part) = match asked.map_or(Asked::Whole, |range| Asked::read(range, size)) {
        Asked::Whole => (StatusCode::OK, 0..size),
        Asked::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Asked::Outside => return Ok((StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, format!("bytes */{size}"))]).into_response()),
    };
    file.seek(io::SeekFrom::Start(part.start)).await?;
    let length = part.end - part.start;
    metrics::counter!(m::BODY_BYTES, "direction" => "out").increment(length);
    let mut response = Response::new(Body::from_stream(read(file, length)));
    *response.status_mut() = status;
    let out = response.headers_mut();
    out.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    out.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    out.insert(header::ETAG, value(&etag)?);
    if status == StatusCode::PARTIAL_CONTENT {
        out.insert(header::CONTENT_RANGE, value(&format!("bytes {}-{}/{size}", part.start, part.end - 1))?);
    }
    Ok(response)
}

fn value(text: &str) -> io::Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(io::Error::other)
}

fn read(file: File, length: u64) -> impl futures_util::Stream<Item = io::Result<Bytes>> + Send {
    stream::try_unfold((file, length), async |(mut file, left)| {
        if left == 0 {
            return Ok(None);
        }
        let mut chunk = Vec::with_capacity(CHUNK.min(usize::try_from(left).unwrap_or(CHUNK)));
        let got = (&mut file).take(left.min(CHUNK as u64)).read_buf(&mut chunk).await?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some((Bytes::from(chunk), (file, left - got as u64))))
    })
}

/// What a `Range` header comes to for a file of a size.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// Everything: no range, several, or one that cannot be read (RFC 9110 §14.2 lets it be ignored).
    Whole,
    Part(Range<u64>),
    /// Past the end.
    Outside,
}

impl Asked {
    fn read(range: &str, size: u64) -> Self {
        let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
            return Self::Whole;
        };
        let number = |text: &str| text.trim().parse::<u64>().ok();
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => Self::within(first..last.saturating_add(1).min(size), size),
            (Some(first), None) if last.trim().is_empty() => Self::within(first..size, size),
            (None, Some(suffix)) if first.trim().is_empty() => Self::within(size.saturating_sub(suffix)..size, size),
            _ => Self::Whole,
        }
    }

    fn within(part: Range<u64>, size: u64) -> Self {
        if part.start < size && !part.is_empty() { Self::Part(part) } else { Self::Outside }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_rfc_9110_says() {
        assert_eq!(Asked::read("bytes=0-99", 1000), Asked::Part(0..100));
        assert_eq!(Asked::read("bytes=900-", 1000), Asked::Part(900..1000));
        assert_eq!(Asked::read("bytes=-100", 1000), Asked::Part(900..1000));
        assert_eq!(Asked::read("bytes=-5000", 1000), Asked::Part(0..1000));
        assert_eq!(Asked::read("bytes=990-5000", 1000), Asked::Part(990..1000));
        assert_eq!(Asked::read("bytes=1000-", 1000), Asked::Outside);
        assert_eq!(Asked::read("bytes=-0", 1000), Asked::Outside);
        assert_eq!(Asked::read("bytes=0-", 0), Asked::Outside);
        assert_eq!(Asked::read("bytes=5-4", 1000), Asked::Whole);
        assert_eq!(Asked::read("bytes=0-1,4-5", 1000), Asked::Whole);
        assert_eq!(Asked::read("bytes=x-", 1000), Asked::Whole);
        assert_eq!(Asked::read("lines=0-1", 1000), Asked::Whole);
        assert_eq!(Asked::read("bytes=18446744073709551615-18446744073709551615", 1000), Asked::Outside);
    }

    async fn fetch(path: &Path, headers: &[(header::HeaderName, &str)]) -> (StatusCode, HeaderMap, Vec<u8>) {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect();
        let response = send(path, Hash::of(&[b"pack"]), &headers).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec())
    }

    #[tokio::test]
    async fn a_download_broken_off_anywhere_is_completed_by_its_rest() {
        let bytes: Vec<u8> = (0..3 * CHUNK + 17).map(|i| (i % 251) as u8).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        let (status, headers, whole) = fetch(file.path(), &[]).await;
        assert_eq!((status, whole.len()), (StatusCode::OK, bytes.len()));
        assert_eq!(whole, bytes);
        let tag = headers[header::ETAG].to_str().unwrap().to_owned();
        for cut in [1, CHUNK, CHUNK + 1, bytes.len() - 1] {
            let (status, headers, rest) = fetch(file.path(), &[(header::RANGE, &format!("bytes={cut}-")), (header::IF_RANGE, &tag)]).await;
            assert_eq!(status, StatusCode::PARTIAL_CONTENT);
            assert_eq!(headers[header::CONTENT_RANGE], format!("bytes {cut}-{}/{}", bytes.len() - 1, bytes.len()));
            assert_eq!(headers[header::CONTENT_LENGTH], (bytes.len() - cut).to_string());
            assert_eq!([&whole[..cut], &rest].concat(), bytes);
        }
    }

    #[tokio::test]
    async fn a_range_of_another_file_gets_this_one_whole_and_one_past_the_end_its_size() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"0123456789").unwrap();
        let (status, _, body) = fetch(file.path(), &[(header::RANGE, "bytes=4-"), (header::IF_RANGE, "\"other\"")]).await;
        assert_eq!((status, body.as_slice()), (StatusCode::OK, b"0123456789".as_slice()));
        let (status, headers, _) = fetch(file.path(), &[(header::RANGE, "bytes=10-")]).await;
        assert_eq!(status, StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(headers[header::CONTENT_RANGE], "bytes */10");
    }
}
