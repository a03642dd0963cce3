//! A bad link on a port of its own, for tests that are not written in Rust.
//!
//! `flaky-proxy LISTEN UPSTREAM SEED` prints the address it listens on and obeys lines on standard
//! input: `calm`, `flaky`, `cut`, and `count`, which prints how many links have been broken. It ends
//! with its input.

use std::error::Error;

use crosstalk_tests::FlakyProxy;
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, upstream, seed] = &arguments[..] else {
        return Err("usage: flaky-proxy LISTEN UPSTREAM SEED".into());
    };
    let proxy = FlakyProxy::start_on(listen.parse()?, upstream.parse()?, seed.parse()?).await?;
    println!("{}", proxy.address());
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        match line.trim() {
            "calm" => proxy.set_calm(true),
            "flaky" => proxy.set_calm(false),
            "cut" => proxy.cut_all(),
            "count" => println!("{}", proxy.breaks()),
            other => eprintln!("{other:?} is none of calm, flaky, cut and count"),
        }
    }
    Ok(())
}
