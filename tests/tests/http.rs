//! The page and what surrounds it.

use crosstalk_tests::{TestServer, http, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn the_page_comes_with_strict_headers() {
    let server = TestServer::start().await;
    let page = http::get(server.http(), "/", &[]).await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{page:?}");
    assert!(page.text().to_lowercase().contains("<!doctype html>"));
    let policy = page.header("content-security-policy").expect("a Content-Security-Policy");
    assert!(policy.contains("default-src 'none'") || policy.contains("default-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert!(page.header("referrer-policy").is_some());
    assert!(page.header("cache-control").is_some());
    server.stop().await;
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    let server = TestServer::start().await;
    for path in ["/", "/main.js", "/nothing-here", "/healthz", "/ws"] {
        let answer = http::get(server.http(), path, &[]).await;
        assert!(answer.header("content-security-policy").is_some(), "{path}: {answer:?}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let server = TestServer::start().await;
    for path in ["/", "/main.js"] {
        let first = http::get(server.http(), path, &[]).await;
        assert_eq!(first.status, 200, "{path}");
        let tag = first.header("etag").unwrap_or_else(|| panic!("{path} has no ETag: {first:?}"));
        let again = http::get(server.http(), path, &[("If-None-Match", tag)]).await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        assert_eq!(again.header("etag"), Some(tag));
        let other = http::get(server.http(), path, &[("If-None-Match", "\"other\"")]).await;
        assert_eq!((other.status, other.body), (200, first.body.clone()), "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_sent_is_compressed_for_who_takes_it() {
    let server = TestServer::start().await;
    let plain = http::get(server.http(), "/", &[]).await;
    assert_eq!(plain.header("content-encoding"), None);
    for encoding in ["gzip", "br"] {
        let small = http::get(server.http(), "/", &[("Accept-Encoding", encoding)]).await;
        assert_eq!(small.header("content-encoding"), Some(encoding), "{small:?}");
        assert!(small.body.len() < plain.body.len());
        assert!(small.header("vary").is_some_and(|vary| vary.to_lowercase().contains("accept-encoding")));
    }
    server.stop().await;
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let server = TestServer::start().await;
    let get = http::get(server.http(), "/", &[]).await;
    let head = http::request(server.http(), "HEAD", "/", &[]).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("etag"), get.header("etag"));
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_is_not_allowed_405() {
    let server = TestServer::start().await;
    for path in
        ["/nothing", "/../Cargo.toml", "/%2e%2e/Cargo.toml", "/..%2fCargo.toml", "//etc/passwd", "/%00"]
    {
        let answer = http::get(server.http(), path, &[]).await;
        assert!(matches!(answer.status, 400 | 404), "{path}: {answer:?}");
    }
    for (method, path) in [("POST", "/"), ("DELETE", "/main.js"), ("PUT", "/healthz"), ("POST", "/ws")] {
        let answer = http::request(server.http(), method, path, &[]).await;
        assert_eq!(answer.status, 405, "{method} {path}: {answer:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_directory_given_with_web_dir_is_served_instead() {
    let directory = std::env::temp_dir().join(format!("crosstalk-web-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("index.html"), "<!doctype html><title>mine</title>").unwrap();
    let server = TestServer::with(&["--web-dir", directory.to_str().unwrap()]).await;
    let page = http::get(server.http(), "/", &[]).await;
    assert_eq!(page.text(), "<!doctype html><title>mine</title>");
    // What is edited is seen at the next reload.
    std::fs::write(directory.join("index.html"), "<!doctype html><title>changed</title>").unwrap();
    let page = http::get(server.http(), "/", &[]).await;
    assert_eq!(page.text(), "<!doctype html><title>changed</title>");
    let outside = http::get(server.http(), "/../../etc/passwd", &[]).await;
    assert!(matches!(outside.status, 400 | 404), "{outside:?}");
    server.stop().await;
    std::fs::remove_dir_all(&directory).unwrap();
}

#[tokio::test]
async fn health_and_readiness_are_answered() {
    let server = TestServer::start().await;
    for path in ["/healthz", "/readyz"] {
        let answer = http::get(server.http(), path, &[]).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert!(answer.header("cache-control").is_some_and(|value| value.contains("no-store")), "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn several_requests_use_one_connection() {
    let server = TestServer::start().await;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.http());
    let last = request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let answers =
        http::exchange(server.http(), [request.as_str(), &request, &last].concat().as_bytes()).await;
    let answers = String::from_utf8_lossy(&answers);
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 3, "{answers}");
    server.stop().await;
}

#[tokio::test]
async fn a_browser_at_the_wrong_port_is_told_the_right_one() {
    let server = TestServer::start().await;
    for request in [
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /x HTTP/1.1\r\n\r\n",
        "HEAD / HTTP/1.0\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let answer = http::exchange(server.tcp(), request.as_bytes()).await;
        let answer = http::parse(&answer)
            .unwrap_or_else(|| panic!("{request:?} was answered {:?}", String::from_utf8_lossy(&answer)));
        assert!(answer.status >= 300, "{answer:?}");
        let whole = format!("{:?} {}", answer.headers, answer.text());
        assert!(whole.contains(&server.http().port().to_string()), "{request:?} was answered {whole}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = TestServer::start().await;
    let request = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Filler: {}\r\n\r\n", "x".repeat(20_000));
    let answer = http::exchange(server.http(), request.as_bytes()).await;
    // The rest of the head may turn the answer into a reset.
    if let Some(answer) = http::parse(&answer) {
        assert_eq!(answer.status, 431, "{answer:?}");
    }
    assert_eq!(http::get(server.http(), "/healthz", &[]).await.status, 200);
    server.stop().await;
}

/// The one test that takes its time: ten seconds is the server's bound, and a constant.
#[tokio::test]
async fn a_slow_head_is_cut() {
    let server = TestServer::start().await;
    let mut slow = TcpStream::connect(server.http()).await.unwrap();
    let mut silent = TcpStream::connect(server.http()).await.unwrap();
    let mut slow_again = TcpStream::connect(server.http()).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Sl").await.unwrap();
    // One that has behaved once may be slow the second time.
    slow_again.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET / HT").await.unwrap();
    for stream in [&mut slow, &mut silent, &mut slow_again] {
        let mut answer = Vec::new();
        let _ = within("a slow head to be cut", stream.read_to_end(&mut answer)).await;
    }
    assert_eq!(http::get(server.http(), "/healthz", &[]).await.status, 200);
    server.stop().await;
}
