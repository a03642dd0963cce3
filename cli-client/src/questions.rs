//! What the original's client asks before it connects, in its words and order, with defaults.

use crosstalk_protocol::Nick;

use crate::address::{Address, TCP_PORT};

const DEFAULT_HOST: &str = "localhost";

/// What is known so far, and so what is to be asked next.
#[derive(Clone, Debug)]
pub(crate) struct Questions {
    address: Option<Address>,
    /// A host without a port, which is asked for next.
    host: Option<String>,
    nick: Option<Nick>,
    default_nick: Nick,
}

impl Questions {
    /// Asks for what is `None`.
    pub(crate) fn new(address: Option<Address>, nick: Option<Nick>, default_nick: Nick) -> Self {
        Self { address, host: None, nick, default_nick }
    }

    /// The next question; `None` once everything is known.
    pub(crate) fn next(&self) -> Option<String> {
        match (&self.address, &self.host, &self.nick) {
            (None, None, _) => Some(format!("Enter server IP address [{DEFAULT_HOST}]: ")),
            (None, Some(_), _) => Some(format!("Enter server port number [{TCP_PORT}]: ")),
            (Some(_), _, None) => Some(format!("Enter your nickname [{}]: ", self.default_nick)),
            (Some(_), _, Some(_)) => None,
        }
    }

    /// Takes the answer to the next question; an empty one is the default.
    ///
    /// # Errors
    /// What is wrong with it, in words. The question is to be asked again.
    pub(crate) fn answer(&mut self, line: &str) -> Result<(), String> {
        let line = line.trim();
        let or = |default: &str| if line.is_empty() { default.to_owned() } else { line.to_owned() };
        if let Some(host) = &self.host {
            let port = or(&TCP_PORT.to_string());
            self.address = Some(Address::tcp(host, &port).map_err(|error| error.to_string())?);
            self.host = None;
        } else if self.address.is_none() {
            let written = or(DEFAULT_HOST);
            let address: Address = written.parse().map_err(|error| format!("{error}"))?;
            match address {
                Address::Tcp { host, .. } if !has_port(&written) => self.host = Some(host),
                // A URL or host:port says everything.
                complete => self.address = Some(complete),
            }
        } else if self.nick.is_none() {
            let nick = or(self.default_nick.as_str());
            self.nick = Some(nick.parse().map_err(|error| format!("Not a nickname: {error}."))?);
        }
        Ok(())
    }

    /// The nickname was refused: it is to be asked for again.
    pub(crate) fn forget_nick(&mut self) {
        self.nick = None;
    }

    /// Where to connect and as whom, once everything is known.
    pub(crate) fn answers(&self) -> Option<(&Address, &Nick)> {
        Some((self.address.as_ref()?, self.nick.as_ref()?))
    }
}

fn has_port(written: &str) -> bool {
    written.rsplit_once(':').is_some_and(|(host, _)| host.ends_with(']') || !host.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn questions(nick: Option<&str>) -> Questions {
        Questions::new(None, nick.map(|nick| nick.parse().unwrap()), "user".parse().unwrap())
    }

    #[test]
    fn the_original_questions_are_asked_in_order() {
        let mut questions = questions(None);
        for (question, answer) in [
            ("Enter server IP address [localhost]: ", ""),
            ("Enter server port number [44444]: ", ""),
            ("Enter your nickname [user]: ", "alice"),
        ] {
            assert_eq!(questions.next().as_deref(), Some(question));
            questions.answer(answer).unwrap();
        }
        assert_eq!(questions.next(), None);
        let (address, nick) = questions.answers().unwrap();
        assert_eq!((address.to_string().as_str(), nick.as_str()), ("localhost:44444", "alice"));
    }

    #[test]
    fn an_address_that_says_the_port_is_not_asked_for_it() {
        for complete in ["127.0.0.1:5000", "[::1]:5000", "ws://host:8080/"] {
            let mut questions = questions(Some("alice"));
            questions.answer(complete).unwrap();
            assert_eq!(questions.next(), None, "{complete}");
        }
        let mut questions = questions(Some("alice"));
        questions.answer("::1").unwrap();
        assert_eq!(questions.next().as_deref(), Some("Enter server port number [44444]: "));
    }

    #[test]
    fn a_wrong_answer_is_explained_and_asked_again() {
        let mut questions = questions(None);
        assert!(questions.answer("https://x").unwrap_err().contains("not there yet"));
        questions.answer("").unwrap();
        assert!(questions.answer("many").unwrap_err().contains("not a port"));
        questions.answer("5000").unwrap();
        assert!(questions.answer("two words").unwrap_err().contains("' ' is not allowed"));
        assert_eq!(questions.next().as_deref(), Some("Enter your nickname [user]: "));
    }
}
