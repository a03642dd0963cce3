//! Events and errors in words, the original's where it had some.

use crosstalk_protocol::line::render;
use crosstalk_protocol::{ErrorCode, ErrorReply, Event, RequestId};

use crate::session::Refusal;

/// What is said once it is stored. Who types lines cannot send anything a second time, so that the
/// label need not be another one each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receipt {
    Broadcast,
    Edit,
    Delete,
}

impl Receipt {
    const ALL: [(Self, &str, &str); 3] = [
        (Self::Broadcast, "broadcast", "Message broadcasted!"),
        (Self::Edit, "edit", "Message changed."),
        (Self::Delete, "delete", "Message withdrawn."),
    ];

    /// Under which it is asked for.
    pub(super) fn label(self) -> Option<RequestId> {
        Self::ALL
            .iter()
            .find(|(receipt, ..)| *receipt == self)
            .and_then(|(_, label, _)| RequestId::new(label))
    }

    fn words(id: &RequestId) -> Option<&'static str> {
        Self::ALL.iter().find(|(_, label, _)| *label == id.as_str()).map(|(.., words)| *words)
    }
}

/// An event that is not an entry of a log, in words; `None` if people are not told.
pub(super) fn in_words(event: &Event) -> Option<String> {
    match event {
        Event::Ack { id, .. } => Receipt::words(id).map(str::to_owned),
        Event::Error { error, .. } => Some(error_in_words(error)),
        Event::Gap { room, after, before, .. } => {
            let missed = before.saturating_sub(after + 1);
            let missed = render::grouped(usize::try_from(missed).unwrap_or(usize::MAX));
            Some(format!(
                "Server: You have missed up to {missed} messages in {room}; they are no longer there."
            ))
        }
        _ => None,
    }
}

/// The original has words of its own for some errors; all others are notices.
pub(super) fn error_in_words(error: &ErrorReply) -> String {
    let original = match error.code {
        ErrorCode::NoSuchUser | ErrorCode::NoSuchRoom => true,
        ErrorCode::BadRequest => error.message.starts_with("Usage: "),
        _ => false,
    };
    if original { error.message.clone() } else { format!("Server: {}", error.message) }
}

/// Replaces one error by the original's words for it.
pub(super) fn instead_of(
    result: Result<Option<Event>, Refusal>,
    code: ErrorCode,
    words: impl FnOnce() -> String,
) -> Result<Option<String>, Refusal> {
    match result {
        Ok(_) => Ok(None),
        Err(Refusal::Error(error)) if error.code == code => Ok(Some(words())),
        Err(refusal) => Err(refusal),
    }
}
