//! The hands of the pure half: the connection and the timers that effects ask for.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::address::Address;
use crate::connection::Connection;
use crate::message::{Effect, Message, Timer};

/// At most one connection, and at most one wait for each timer.
#[derive(Default)]
pub(crate) struct Driver {
    connection: Option<Connection>,
    waits: Vec<(Timer, Instant)>,
}

impl Driver {
    /// Carries out what is about the connection and time. The rest is for the caller.
    pub(crate) fn perform(&mut self, effect: Effect, address: Option<&Address>) {
        match effect {
            Effect::Connect => self.connection = address.cloned().map(Connection::open),
            Effect::Close => self.connection = None,
            Effect::Send(request) => {
                if let Some(connection) = &self.connection {
                    connection.send(request);
                }
            }
            Effect::Wait(timer, duration) => self.wait(timer, duration),
            Effect::Show(_)
            | Effect::AskNick(_)
            | Effect::Exit(_)
            | Effect::Recall(_)
            | Effect::Remember(..) => {}
        }
    }

    /// What happens next. Cancel safe; pends for ever if nothing is under way.
    pub(crate) async fn next(&mut self) -> Message {
        let due = self.waits.iter().min_by_key(|(_, at)| *at).copied();
        let timer = async {
            match due {
                Some((timer, at)) => {
                    sleep_until(at).await;
                    timer
                }
                None => std::future::pending().await,
            }
        };
        let connection = async {
            match &mut self.connection {
                Some(connection) => connection.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            message = connection => message,
            timer = timer => {
                self.waits.retain(|(other, _)| *other != timer);
                Message::Due(timer)
            }
        }
    }

    /// What has happened already, without waiting.
    pub(crate) fn try_next(&mut self) -> Option<Message> {
        self.connection.as_mut()?.try_next()
    }

    fn wait(&mut self, timer: Timer, duration: Duration) {
        self.waits.retain(|(other, _)| *other != timer);
        self.waits.push((timer, Instant::now() + duration));
    }
}
