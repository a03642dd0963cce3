//! The HTTP port: the page, health checks, and the way to a WebSocket.
//!
//! Hyper's plain HTTP/1 server runs each connection, because it alone bounds the time of every kind
//! of slow head. A connection that becomes a WebSocket is given back as a plain socket, with what
//! had been read ahead.

mod page;
mod upgrade;

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{Response, StatusCode};
use axum::middleware::map_response;
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tower::ServiceExt;
use tower_http::compression::CompressionLayer;

use crate::limits::{HTTP_CONNECTION_TIME, HTTP_HEAD_MAX, HTTP_HEAD_TIME, STOP_TIME};
use crate::shutdown::Shutdown;
use upgrade::{AllowedOrigins, Slot};

pub use upgrade::Origin;

/// What the HTTP port depends on.
pub struct HttpOptions {
    /// Where the page is; `None` is the copy inside the program.
    pub web_dir: Option<PathBuf>,
    /// Origins that may connect besides the page's own, such as `https://chat.example.org`.
    pub allow_origins: Vec<Origin>,
    /// Cancelled when the server stops: then it is not ready.
    pub stopping: Shutdown,
    /// Why nothing can be stored at the moment, if so: then it is not ready, either.
    pub trouble: Arc<dyn Fn() -> Option<String> + Send + Sync>,
}

/// The HTTP port's service, shared by all connections.
#[derive(Clone)]
pub struct Http {
    router: Router,
}

impl Http {
    /// Puts the routes together.
    pub fn new(options: HttpOptions) -> Self {
        let HttpOptions { web_dir, allow_origins, stopping, trouble } = options;
        let origins = AllowedOrigins::new(allow_origins);
        let ready = move || async move {
            match trouble() {
                _ if stopping.has_begun() => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned()),
                Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("cannot store: {why}\n")),
                None => (StatusCode::OK, "ready\n".to_owned()),
            }
        };
        let router = Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .layer(map_response(async |response| with_header(response, header::CACHE_CONTROL, "no-store")))
            .merge(upgrade::route(origins))
            .merge(page::route(web_dir))
            .layer(map_response(name_methods))
            .layer(CompressionLayer::new())
            .layer(map_response(secure));
        Self { router }
    }

    /// Serves one connection until it ends, or becomes a WebSocket: then it is returned with the
    /// bytes behind the request. When `shutdown` begins, the request in progress is the last.
    ///
    /// # Errors
    /// Hyper's: the peer's HTTP, or the network.
    pub async fn serve(
        &self,
        stream: TcpStream,
        shutdown: &Shutdown,
    ) -> Result<Option<(TcpStream, Bytes)>, hyper::Error> {
        let slot = Slot::default();
        let with_slot = slot.clone();
        let service = self.router.clone().map_request(move |mut request: Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(with_slot.clone());
            request.map(axum::body::Body::new)
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HTTP_HEAD_TIME)
            .max_buf_size(HTTP_HEAD_MAX)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
            .with_upgrades();
        let mut connection = pin!(connection);
        let mut end = pin!(sleep_until(Instant::now() + HTTP_CONNECTION_TIME));
        let mut last_request = false;
        loop {
            tokio::select! {
                served = connection.as_mut() => {
                    served?;
                    break;
                }
                () = shutdown.begun(), if !last_request => {}
                () = end.as_mut() => if last_request { return Ok(None) },
            }
            last_request = true;
            connection.as_mut().graceful_shutdown();
            end.as_mut().reset(Instant::now() + STOP_TIME);
        }
        let Some(upgrade) = slot.take() else { return Ok(None) };
        let upgraded = upgrade.await?;
        let parts =
            upgraded.downcast::<TokioIo<TcpStream>>().expect("the connection was made of this stream");
        Ok(Some((parts.io.into_inner(), parts.read_buf)))
    }
}

/// What every answer says to browsers: run nothing that is not ours, and show us in no frame.
const SECURITY_HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

async fn secure<B>(mut response: Response<B>) -> Response<B> {
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Two encodings of one file are not the same bytes (RFC 9110, 8.8.3.3).
    if headers.contains_key(header::CONTENT_ENCODING)
        && let Some(tag) = headers.get(header::ETAG)
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/".as_slice(), tag.as_bytes()].concat())
        && !tag.as_bytes().starts_with(b"W/")
    {
        headers.insert(header::ETAG, weak);
    }
    response
}

/// Gives an answer to a wrong method its words, which neither routes nor files have.
async fn name_methods(mut response: axum::response::Response) -> axum::response::Response {
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, plain);
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = "Only GET and HEAD are answered here.\n".into();
    }
    response
}

fn with_header<R: IntoResponse>(
    response: R,
    name: HeaderName,
    value: &'static str,
) -> axum::response::Response {
    let mut response = response.into_response();
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}
