//! The page: files inside the program, or in a directory while somebody works on them.

use std::borrow::Cow;
use std::future::{Ready, ready};
use std::io::{self, Cursor, SeekFrom};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::middleware::map_response;
use rust_embed::RustEmbed;
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tower_http::services::ServeDir;
use tower_http::services::fs::{Backend, File, Metadata};

use super::with_header;

/// Everything that is not another route. Browsers keep the files and ask each time whether they
/// are still the same.
pub(super) fn route(web_dir: Option<PathBuf>) -> Router {
    let not_found =
        Router::new().fallback(|| async { (StatusCode::NOT_FOUND, "There is no such page. Try /\n") });
    let files = match web_dir {
        Some(directory) => Router::new().fallback_service(ServeDir::new(directory).fallback(not_found)),
        None => Router::new().fallback_service(ServeDir::with_backend("", Embedded).fallback(not_found)),
    };
    files.layer(map_response(async |response| with_header(response, header::CACHE_CONTROL, "no-cache")))
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
    let modified = UNIX_EPOCH + Duration::from_secs(file.metadata.last_modified().unwrap_or_default());
    let facts = Facts { directory: false, modified, len: file.data.len() as u64 };
    Some(OpenFile { facts, data: Cursor::new(file.data) })
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
