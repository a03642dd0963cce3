//! Words to look for, and how a text is taken apart into words.

use crosstalk_protocol::{ErrorCode, ErrorReply};

/// What somebody looks for: words and quoted phrases, all of which have to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// Each the words of one phrase, in order, folded.
    phrases: Vec<Vec<String>>,
}

impl Words {
    /// Takes a search apart.
    ///
    /// # Errors
    /// `bad-request`, if there is no word in it.
    pub fn parse(input: &str) -> Result<Self, ErrorReply> {
        let phrases: Vec<_> = input.split_whitespace().map(|word| vec![word.to_lowercase()]).collect();
        if phrases.is_empty() {
            return Err(ErrorReply::new(ErrorCode::BadRequest, "There is no word in that search; type one."));
        }
        Ok(Self { phrases })
    }

    /// Whether a text has them all.
    pub fn are_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.phrases.iter().all(|phrase| text.contains(&phrase.join(" ")))
    }
}
