//! `rooms`: very many small rooms, all talking, beside one large room in which as many messages are
//! delivered a second. People are in many rooms each, so that there are fewer sockets than places.

use std::rc::Rc;

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::json;

use crate::connection::Connection;
use crate::crowd::{Crowd, Role};
use crate::door::{Door, Protocol};
use crate::options::Options;
use crate::report::Row;
use crate::senders::Texts;
use crate::server::{Mode, Scratch, Server};
use crate::traffic::{Outcome, Pace, Stream, TEXT_MIN, Traffic};

/// Flags of the scenario.
#[derive(Debug, Args)]
pub(crate) struct Rooms {
    /// How many rooms
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    rooms: usize,

    /// How many people are in each
    #[arg(long, value_name = "N", default_value_t = 5)]
    members: usize,

    /// In how many rooms each of them is
    #[arg(long, value_name = "N", default_value_t = 100)]
    each: usize,

    /// Messages a second in each room
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,2")]
    rate: Vec<f64>,

    /// Bytes of a text
    #[arg(long, value_name = "N", default_value_t = 100)]
    bytes: usize,
}

/// Measures small rooms and the large one in turns.
///
/// # Errors
/// If a server fails, or somebody misses something.
pub(crate) async fn run(options: &Options, rooms: &Rooms) -> anyhow::Result<Vec<Row>> {
    ensure!(rooms.bytes >= TEXT_MIN, "a text has {TEXT_MIN} bytes at least");
    ensure!(rooms.rooms * rooms.members >= rooms.each, "nobody can be in {} rooms", rooms.each);
    let texts = Rc::new(Texts::new(rooms.bytes - TEXT_MIN + 1));
    let mut rows = Vec::new();
    for _ in 0..options.repeat {
        for &rate in &rooms.rate {
            let outcome = many(options, rooms, rate, &texts).await?;
            rows.push(row(
                &format!("{} of {}", rooms.rooms, rooms.members),
                rate * rooms.rooms as f64,
                &outcome,
            ));
            let people = rooms.people();
            let all = rate * (rooms.rooms * rooms.members) as f64 / people as f64;
            let outcome = one(options, people, all, &texts).await?;
            rows.push(row(&format!("1 of {people}"), all, &outcome));
        }
    }
    Ok(rows)
}

impl Rooms {
    fn people(&self) -> usize {
        (self.rooms * self.members).div_ceil(self.each)
    }
}

async fn many(options: &Options, rooms: &Rooms, rate: f64, texts: &Rc<Texts>) -> anyhow::Result<Outcome> {
    let scratch = Scratch::new(options)?;
    let server = Server::start(options, &Mode::Ephemeral, scratch.path()).await?;
    let name = |room: usize| format!("room{room}");
    let people = rooms.people();
    // Of each room's members the first has made it; those after them are elsewhere in all other rooms.
    let makers = create(&server, rooms.rooms, rooms.each).await?;
    let mut crowd = Crowd::new()?;
    let mut of_person: Vec<Vec<usize>> = vec![Vec::new(); people];
    for room in 0..rooms.rooms {
        // No two people share all their rooms.
        let step = people / rooms.members + room / people;
        for member in 0..rooms.members {
            let of = &mut of_person[(room + member * step) % people];
            ensure!(of.last() != Some(&room), "{people} people are too few for such rooms");
            of.push(room);
        }
    }
    let mut members = Vec::new();
    for (number, of) in of_person.iter().enumerate() {
        let names: Vec<String> = of.iter().map(|room| name(*room)).collect();
        let stream = Door::Json.enter(server.address(Door::Json), &format!("person{number}"), &names)?;
        members.push(crowd.add(stream, Role::Reader)?);
    }
    drop(makers);
    server.settle(&mut crowd)?;
    let mut speaker = vec![None; rooms.rooms];
    let mut audience = vec![0_u32; rooms.rooms];
    for (number, of) in of_person.iter().enumerate() {
        for &room in of {
            speaker[room] = Some(members[number]);
            audience[room] += 1;
        }
    }
    let stream = |room: usize| {
        let member = speaker[room].context("every room has members")?;
        Ok(Stream { member, room: name(room), audience: audience[room] })
    };
    let streams = (0..rooms.rooms).map(stream).collect::<anyhow::Result<Vec<_>>>()?;
    let mut traffic = Traffic::new(Box::new(Door::Json), false, texts.clone(), Pace::Rate(rate), streams);
    let outcome = traffic.run(&mut crowd, options.seconds, || server.cpu_time())?;
    drop(crowd);
    server.stop().await?;
    Ok(outcome)
}

async fn one(options: &Options, people: usize, rate: f64, texts: &Rc<Texts>) -> anyhow::Result<Outcome> {
    let scratch = Scratch::new(options)?;
    let server = Server::start(options, &Mode::Ephemeral, scratch.path()).await?;
    let mut crowd = Crowd::new()?;
    let mut streams = Vec::new();
    for number in 0..people {
        let member = crowd.add(server.let_in(Door::Json, &format!("person{number}"))?, Role::Reader)?;
        streams.push(Stream { member, room: "lobby".to_owned(), audience: people as u32 });
    }
    server.settle(&mut crowd)?;
    let each = rate / people as f64;
    let mut traffic = Traffic::new(Box::new(Door::Json), false, texts.clone(), Pace::Rate(each), streams);
    let outcome = traffic.run(&mut crowd, options.seconds, || server.cpu_time())?;
    drop(crowd);
    server.stop().await?;
    Ok(outcome)
}

/// Makes all rooms. Whoever has made one has to stay in it until somebody else is there.
async fn create(server: &Server, rooms: usize, each: usize) -> anyhow::Result<Vec<Connection>> {
    let mut makers = Vec::new();
    for room in 0..rooms {
        if room % each == 0 {
            let nick = format!("maker{}", room / each);
            makers.push(Connection::open(server.tcp(), &nick, json!({ "rooms": [] })).await?.0);
        }
        let frame = json!({ "type": "create", "room": format!("room{room}"), "id": "create" });
        let maker = makers.last_mut().context("there is somebody")?;
        maker.request(&frame, "joined").await?;
    }
    Ok(makers)
}

fn row(rooms: &str, rate: f64, outcome: &Outcome) -> Row {
    Row::default()
        .with("rooms", rooms)
        .with("messages/s", rate.to_string())
        .with("deliveries/s", outcome.heard.delivered as f64 / outcome.seconds)
        .with("messages/read", outcome.batch())
        .with("server µs CPU/delivery", outcome.cpu_per_delivery())
        .with("of it in user mode", outcome.server.user as f64 / 1e3 / outcome.heard.delivered as f64)
        .with("p50 ms", outcome.latency.percentile(0.5))
        .with("p99 ms", outcome.latency.percentile(0.99))
}
