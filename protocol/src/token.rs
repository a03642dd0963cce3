//! The secret by which somebody who comes back is known.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::TOKEN_MAX;

/// A token: 1 to [`TOKEN_MAX`] printable ASCII characters, made by the server. Who has it is the
/// person it was given to, so it is shown to nobody and in no log.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Token(Box<str>);

impl Token {
    /// Takes `token` as it is; `None` if it cannot be one.
    pub fn new(token: &str) -> Option<Self> {
        let fits =
            (1..=TOKEN_MAX).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(token.into()))
    }

    /// The token itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Token {
    type Error = String;

    fn try_from(token: String) -> Result<Self, String> {
        Self::new(&token).ok_or_else(|| format!("a token has 1 to {TOKEN_MAX} printable characters"))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_shown() {
        assert_eq!(format!("{:?}", Token::new("secret").unwrap()), "Token(…)");
    }

    #[test]
    fn a_token_is_a_short_word() {
        for bad in ["", "two words", "é", "line\nbreak", &"x".repeat(TOKEN_MAX + 1)] {
            assert_eq!(Token::new(bad), None, "{bad:?}");
        }
    }
}
