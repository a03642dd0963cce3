//! Somebody with `nc`: they come back under the same name, type on, and get no ack for anything.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::{sleep, timeout};

use crate::crowd::{CURTAIN, END, Moment, Phase};
use crate::journal::{LineJournal, describe_itself};
use crate::line::GREETING;
use crate::{DEADLINE, Random};

/// Somebody who speaks lines and has not begun.
pub struct LineTalker {
    address: SocketAddr,
    random: Random,
    journal: LineJournal,
}

impl LineTalker {
    /// Talks as `nick` to the server, or a link to it, at `address`.
    pub fn new(nick: &str, address: SocketAddr, seed: u64) -> Self {
        let journal = LineJournal { nick: nick.to_owned(), ..LineJournal::default() };
        Self { address, random: Random::new(seed), journal }
    }

    pub(crate) async fn run(mut self, moment: Arc<Moment>) -> LineJournal {
        let mut idle = false;
        loop {
            // The end of a connection is nobody's failure.
            if let Ok(true) = self.live(&moment, &mut idle).await {
                return self.journal;
            }
            // What anybody does before they dial again.
            sleep(Duration::from_millis(1 + self.random.below(10) as u64)).await;
        }
    }

    /// One connection. Hands over whether they have heard the end.
    async fn live(&mut self, moment: &Moment, idle: &mut bool) -> io::Result<bool> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        writer.write_all(format!("/history off\n{}\n", self.journal.nick).as_bytes()).await?;
        loop {
            match read_line(&mut reader).await? {
                Some(line) if line == "Connected to the server" => break,
                // The connection before this one may still hold the name.
                Some(line) if line.contains("taken") => return Ok(false),
                Some(_) => {}
                None => return Ok(false),
            }
        }
        if self.journal.lives.is_empty() {
            moment.inside.send_modify(|count| *count += 1);
        }
        self.journal.lives.push(Vec::new());
        let Self { journal: LineJournal { nick, typed, lives }, random, .. } = self;
        let life = lives.last_mut().expect("it has just begun");
        let read = async {
            while let Some(line) = read_line(&mut reader).await? {
                let Some((from, text)) = line.split_once(": ") else { continue };
                if (from, text) == (CURTAIN, END) {
                    return Ok(true);
                }
                if from != "Server" && !from.starts_with(['[', '*']) {
                    moment.arrivals.send_modify(|count| *count += 1);
                    // Who is slow is shown a message that has been changed as it is by then.
                    let text = text.strip_suffix(" (edited)").unwrap_or(text);
                    life.push((from.to_owned(), text.to_owned()));
                }
            }
            Ok(false)
        };
        tokio::select! {
            end = read => end,
            end = write(&mut writer, nick, typed, random, moment, idle) => end.map(|()| false),
        }
    }
}

/// Types as long as everybody talks.
async fn write(
    writer: &mut OwnedWriteHalf,
    nick: &str,
    typed: &mut u64,
    random: &mut Random,
    moment: &Moment,
    idle: &mut bool,
) -> io::Result<()> {
    let mut phase = moment.phase.subscribe();
    while *phase.borrow_and_update() == Phase::Talk {
        *typed += 1;
        let line = describe_itself(nick, *typed, "by hand");
        writer.write_all(format!("{line}\n").as_bytes()).await?;
        let pause = Duration::from_micros(random.below(60_000) as u64);
        let _ = timeout(pause, phase.changed()).await;
    }
    if !std::mem::replace(idle, true) {
        moment.idle.send_modify(|count| *count += 1);
    }
    std::future::pending().await
}

/// The next line without its ending; `None` at the end. What was cut off is no line.
async fn read_line(reader: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let read = timeout(DEADLINE, reader.read_until(b'\n', &mut line));
    read.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let line = String::from_utf8_lossy(&line).into_owned();
    Ok(line.strip_suffix('\n').map(|line| line.strip_prefix(GREETING).unwrap_or(line).to_owned()))
}
