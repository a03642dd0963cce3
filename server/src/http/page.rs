//! The page: files inside the program, or in a directory while somebody works on them.

use std::borrow::Cow;
use std::future::{Ready, ready};
use std::io::{self, Cursor, SeekFrom};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::Response;
use rust_embed::RustEmbed;
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tower_http::services::ServeDir;
use tower_http::services::fs::{Backend, DefaultServeDirFallback, File, Metadata};

use super::with_header;

/// Everything that is not another route. Browsers keep the files and ask each time whether they
/// are still the same.
pub(super) fn route(web_dir: Option<PathBuf>) -> Router {
    let not_found =
        Router::new().fallback(|| async { (StatusCode::NOT_FOUND, "There is no such page. Try /\n") });
    let files = match web_dir {
        Some(directory) => files(ServeDir::new(directory), not_found),
        None => files(ServeDir::with_backend("", Embedded), not_found),
    };
    files
        .layer(map_response(async |response| with_header(response, header::CACHE_CONTROL, "no-cache")))
        .layer(map_response(with_charset))
}

/// No directory but the first has a page, so there is nothing to redirect to; and what `//name`
/// would be redirected to is another host.
fn files<B: Backend>(directory: ServeDir<DefaultServeDirFallback, B>, not_found: Router) -> Router {
    Router::new().fallback_service(directory.redirect_to_trailing_slash(false).fallback(not_found))
}

/// All text of the page is UTF-8, which browsers only guess otherwise.
async fn with_charset(mut response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if let Some(kind) = kind.filter(|kind| kind.starts_with("text/") && !kind.contains(';'))
        && let Ok(kind) = HeaderValue::try_from(format!("{kind}; charset=utf-8"))
    {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response
}

#[derive(RustEmbed)]
#[folder = "../web"]
struct Web;

/// The files inside the program, in the place of a file system.
#[derive(Clone)]
struct Embedded;

impl Backend for Embedded {
    type File = OpenFile;
    type Metadata = Facts;
    type OpenFuture = Ready<io::Result<OpenFile>>;
    type MetadataFuture = Ready<io::Result<Facts>>;

    fn open(&self, path: PathBuf) -> Self::OpenFuture {
        ready(open(&path).ok_or_else(|| io::ErrorKind::NotFound.into()))
    }

    fn metadata(&self, path: PathBuf) -> Self::MetadataFuture {
        let file = open(&path).map(|file| file.facts);
        let directory =
            || is_directory(&path).then_some(Facts { directory: true, modified: UNIX_EPOCH, len: 0 });
        ready(file.or_else(directory).ok_or_else(|| io::ErrorKind::NotFound.into()))
    }
}

fn open(path: &Path) -> Option<OpenFile> {
    let file = Web::get(name(path).to_str()?)?;
    let modified = stamp(file.metadata.last_modified().unwrap_or_default(), file.metadata.sha256_hash());
    let facts = Facts { directory: false, modified, len: file.data.len() as u64 };
    Some(OpenFile { facts, data: Cursor::new(file.data) })
}

/// When a file was changed, with its hash in the fraction of the second. `ServeDir` makes ETags of
/// this time and the size, and a build may give every file the same time.
fn stamp(seconds: u64, hash: [u8; 32]) -> SystemTime {
    let [a, b, c, d, ..] = hash;
    UNIX_EPOCH + Duration::new(seconds, u32::from_be_bytes([a, b, c, d]) % 1_000_000_000)
}

fn is_directory(path: &Path) -> bool {
    Web::iter().any(|file| Path::new(&*file).ancestors().skip(1).any(|ancestor| ancestor == name(path)))
}

/// `ServeDir` looks for files below the current directory.
fn name(path: &Path) -> &Path {
    path.strip_prefix(".").unwrap_or(path)
}

/// What is known of a file without reading it.
#[derive(Clone, Copy)]
struct Facts {
    directory: bool,
    modified: SystemTime,
    len: u64,
}

impl Metadata for Facts {
    fn is_dir(&self) -> bool {
        self.directory
    }

    fn modified(&self) -> io::Result<SystemTime> {
        Ok(self.modified)
    }

    fn len(&self) -> u64 {
        self.len
    }
}

struct OpenFile {
    facts: Facts,
    data: Cursor<Cow<'static, [u8]>>,
}

impl File for OpenFile {
    type Metadata = Facts;
    type MetadataFuture<'a> = Ready<io::Result<Facts>>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        ready(Ok(self.facts))
    }
}

impl AsyncRead for OpenFile {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.data).poll_read(context, buffer)
    }
}

impl AsyncSeek for OpenFile {
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        Pin::new(&mut self.data).start_seek(position)
    }

    fn poll_complete(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Pin::new(&mut self.data).poll_complete(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_one_time_are_told_apart_by_what_is_in_them() {
        let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_secs();
        let (one, other) = (stamp(1, [0xAA; 32]), stamp(1, [0xBB; 32]));
        assert_ne!(one, other);
        assert_eq!((seconds(one), seconds(other)), (1, 1));
    }
}
