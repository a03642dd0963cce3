//! `search`: how long a search takes through the server, in a directory that `fill` has made.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use crate::clock::now;
use crate::connection::Connection;
use crate::histogram::Histogram;
use crate::options::Options;
use crate::report::Row;
use crate::server::{Mode, Server};
use crate::stored;
use crate::words::Words;

/// Flags of the scenario.
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// A directory that `fill` has made
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// How often each search is repeated after the first time
    #[arg(long, value_name = "N", default_value_t = 20)]
    again: usize,
}

/// What is looked for, where.
struct Question {
    what: &'static str,
    room: &'static str,
    words: String,
}

fn questions() -> Vec<Question> {
    let words = Words::default();
    let word = |rank: usize| words.word(rank).to_owned();
    let rare = word(words.count() - 10);
    let question = |what, room, words| Question { what, room, words };
    vec![
        question("a word of one message", "lobby", "needle1".to_owned()),
        question("a rare word", "lobby", rare.clone()),
        question("the commonest word", "lobby", word(0)),
        question("a word of middling frequency", "lobby", word(300)),
        question("two common words", "lobby", format!("{} {}", word(0), word(1))),
        question("three common words", "lobby", format!("{} {} {}", word(0), word(3), word(9))),
        question("a common and a rare word", "lobby", format!("{} {rare}", word(0))),
        question("two middling words", "lobby", format!("{} {}", word(300), word(301))),
        question("a phrase of common words", "lobby", format!("\"{} {}\"", word(1), word(2))),
        question("a phrase of middling words", "lobby", format!("\"{} {}\"", word(300), word(310))),
        question("a phrase of a common and a rare word", "lobby", format!("\"{} {rare}\"", word(0))),
        question("a word that nobody said", "lobby", "xylophone".to_owned()),
        question("a common word in the smallest room", "quiet", word(0)),
        question("two middling words in the smallest room", "quiet", format!("{} {}", word(300), word(301))),
    ]
}

/// Asks each question with the server and the system fresh, and then again and again.
///
/// # Errors
/// If a server fails.
pub(crate) async fn run(options: &Options, search: &Search) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for _ in 0..options.repeat {
        for question in questions() {
            rows.push(measure(options, search, &question).await.context(question.what)?);
        }
    }
    Ok(rows)
}

async fn measure(options: &Options, search: &Search, question: &Question) -> anyhow::Result<Row> {
    stored::forget(&search.data)?;
    let server = Server::start(options, &Mode::Durable("full".to_owned()), &search.data).await?;
    let rooms = json!({ "rooms": [{ "room": question.room }] });
    let (mut connection, _) = Connection::open(server.tcp(), "visitor", rooms).await?;
    let frame = json!({ "type": "search", "room": question.room, "words": question.words, "id": "search" });
    let since = now();
    let found = connection.request(&frame, "found").await?;
    let cold = (now() - since) as f64 / 1e6;
    let mut warm = Histogram::default();
    for _ in 0..search.again {
        let since = now();
        connection.request(&frame, "found").await?;
        warm.record(now() - since);
    }
    server.stop().await?;
    Ok(Row::default()
        .with("search for", question.what)
        .with("words", question.words.clone())
        .with("found", found["messages"].as_array().map_or(0, Vec::len).to_string())
        .with("more", found["more"] == true)
        .with("first time ms", cold)
        .with("again p50 ms", warm.percentile(0.5))
        .with("again max ms", warm.max()))
}
