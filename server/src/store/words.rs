//! Words to look for, and how a text is taken apart into words: for searches in memory and for the
//! index of the store alike, so that both find the same.
//!
//! A word is a run of letters, digits and marks, without regard to case and accents. Chinese,
//! Japanese and Korean are written without spaces between all words: a run of such characters becomes
//! the pairs of its neighbours, so that a word is found inside a longer run. What is found must never
//! depend on what happens to be typed into a search as syntax: there is none but quotation marks.

use std::borrow::Cow;

use crosstalk_protocol::{ErrorCode, ErrorReply};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Words and phrases of one search: each costs a walk through the index.
const PHRASES_MAX: usize = 16;

/// What somebody looks for: words and quoted phrases, all of which have to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// Each some tokens that stand together, in this order.
    phrases: Vec<Vec<String>>,
}

impl Words {
    /// Takes a search apart. A phrase stands between `"`; a last one needs no closing mark.
    ///
    /// # Errors
    /// `bad-request`, if there is no word in it, or more than 16 different ones.
    pub fn parse(input: &str) -> Result<Self, ErrorReply> {
        let mut phrases = Vec::new();
        for (index, part) in input.split('"').enumerate() {
            if index % 2 == 1 {
                add_phrase(part, &mut phrases);
            } else {
                part.split_whitespace().for_each(|word| add_phrase(word, &mut phrases));
            }
        }
        phrases.sort_unstable();
        phrases.dedup();
        if phrases.is_empty() {
            return Err(ErrorReply::new(ErrorCode::BadRequest, "There is no word in that search; type one."));
        }
        if phrases.len() > PHRASES_MAX {
            let words =
                format!("A search has {PHRASES_MAX} different words and phrases at most; leave some out.");
            return Err(ErrorReply::new(ErrorCode::BadRequest, words));
        }
        Ok(Self { phrases })
    }

    /// Whether a text has them all.
    pub fn are_in(&self, text: &str) -> bool {
        let text = tokens(text);
        self.phrases.iter().all(|phrase| text.windows(phrase.len()).any(|window| window == phrase))
    }

    /// The same for the index: an expression of FTS5. A token holds letters and digits only, so that
    /// none of it can be syntax.
    pub(super) fn expression(&self) -> String {
        let quoted: Vec<_> = self.phrases.iter().map(|phrase| format!("\"{}\"", phrase.join(" "))).collect();
        quoted.join(" ")
    }
}

/// A text as the index takes it: tokens that FTS5's `ascii` tokenizer finds again, which divides at
/// whatever is in ASCII neither letter nor digit, and folds the case of ASCII.
pub(super) fn indexed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() { Cow::Borrowed(text) } else { Cow::Owned(tokens(text).join(" ")) }
}

/// The tokens of a text, in order, and behind them each character of the runs that became pairs, so
/// that one alone is found, too.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut singles = Vec::new();
    runs(text, |run| match run {
        Run::Word(word) => tokens.push(word.to_owned()),
        Run::Ideographs(&[single]) => tokens.push(single.to_string()),
        Run::Ideographs(characters) => {
            tokens.extend(pairs(characters));
            singles.extend_from_slice(characters);
        }
    });
    singles.sort_unstable();
    singles.dedup();
    tokens.extend(singles.iter().map(char::to_string));
    tokens
}

/// Adds what a phrase asks for. A single character of a script without spaces may stand anywhere: it
/// has no place among pairs.
fn add_phrase(input: &str, phrases: &mut Vec<Vec<String>>) {
    let mut phrase = Vec::new();
    runs(input, |run| match run {
        Run::Word(word) => phrase.push(word.to_owned()),
        Run::Ideographs(&[single]) => {
            phrases.push(std::mem::take(&mut phrase));
            phrases.push(vec![single.to_string()]);
        }
        Run::Ideographs(characters) => phrase.extend(pairs(characters)),
    });
    phrases.push(phrase);
    phrases.retain(|phrase| !phrase.is_empty());
}

fn pairs(characters: &[char]) -> impl Iterator<Item = String> {
    characters.windows(2).map(|pair| pair.iter().collect())
}

/// Characters that stand together.
enum Run<'a> {
    Word(&'a str),
    /// Of a script without spaces between words.
    Ideographs(&'a [char]),
}

fn runs(text: &str, mut found: impl FnMut(Run<'_>)) {
    if text.is_ascii() {
        let text = text.to_ascii_lowercase();
        let words = text.split(|character: char| !character.is_ascii_alphanumeric());
        return words.filter(|word| !word.is_empty()).for_each(|word| found(Run::Word(word)));
    }
    let mut word = String::new();
    let mut ideographs = Vec::new();
    let mut end = |word: &mut String, ideographs: &mut Vec<char>| {
        if !word.is_empty() {
            found(Run::Word(word));
            word.clear();
        }
        if !ideographs.is_empty() {
            found(Run::Ideographs(ideographs));
            ideographs.clear();
        }
    };
    for character in folded(text).chars() {
        if is_ideograph(character) {
            if !word.is_empty() {
                end(&mut word, &mut ideographs);
            }
            ideographs.push(character);
        } else if is_combining_mark(character) {
            // Part of what it stands on; the marks of an ideograph tell glyphs apart, not words.
            if ideographs.is_empty() {
                word.push(character);
            }
        } else if character.is_alphanumeric() {
            if !ideographs.is_empty() {
                end(&mut word, &mut ideographs);
            }
            word.push(character);
        } else {
            end(&mut word, &mut ideographs);
        }
    }
    end(&mut word, &mut ideographs);
}

/// Without case, accents and the difference between forms of one letter. Case goes by way of upper
/// case, where more letters agree: ß and SS, σ and ς. Only the accents of letters that have them as an
/// addition are taken away: in Devanagari or kana a mark is another sound.
fn folded(text: &str) -> String {
    text.nfkd()
        .filter(|character| !matches!(character, '\u{300}'..='\u{36f}'))
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .filter(|character| !matches!(character, '\u{300}'..='\u{36f}'))
        .nfc()
        .collect()
}

/// Han, Hiragana, Katakana, Bopomofo and Hangul.
fn is_ideograph(character: char) -> bool {
    matches!(character,
        '\u{1100}'..='\u{11ff}' | '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{3029}'
        | '\u{3031}'..='\u{3035}' | '\u{3038}'..='\u{303b}' | '\u{3041}'..='\u{3096}' | '\u{309d}'..='\u{309f}'
        | '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}' | '\u{3105}'..='\u{312f}' | '\u{3131}'..='\u{318e}'
        | '\u{31a0}'..='\u{31bf}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{a960}'..='\u{a97c}' | '\u{ac00}'..='\u{d7a3}' | '\u{d7b0}'..='\u{d7fb}' | '\u{f900}'..='\u{faff}'
        | '\u{1b000}'..='\u{1b16f}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::Connection;

    use super::*;

    fn found(search: &str, text: &str) -> bool {
        Words::parse(search).unwrap().are_in(text)
    }

    #[test]
    fn words_are_found_whole_in_any_order_and_case() {
        assert!(found("World hello", "Hello, world!"));
        assert!(found("don't", "I don't know"));
        assert!(!found("wor", "Hello, world!"));
        assert!(!found("hello moon", "Hello, world!"));
    }

    #[test]
    fn accents_and_forms_of_letters_do_not_matter() {
        assert!(found("cafe", "Café au lait"));
        assert!(found("CAFÉ", "cafe"));
        assert!(found("strasse", "Straße"));
        assert!(found("ΟΔΟΣ", "οδος"));
        assert!(found("istanbul", "İstanbul"));
        assert!(found("fine", "ﬁne"));
        assert!(!found("क", "कि"), "a vowel sign is no accent");
    }

    #[test]
    fn a_phrase_is_found_only_as_it_stands() {
        assert!(found("\"new york\"", "in New York, today"));
        assert!(!found("\"york new\"", "in New York, today"));
        assert!(found("today \"new york", "in New York, today"));
        assert!(!found("\"in york\"", "in 新 york"));
    }

    #[test]
    fn a_word_of_a_script_without_spaces_is_found_inside_a_run() {
        assert!(found("東京", "今日は東京です"));
        assert!(found("京", "今日は東京です"));
        assert!(found("です", "今日は東京です"));
        assert!(!found("東京都", "今日は東京です"));
        assert!(!found("京東", "今日は東京です"));
        assert!(found("中文", "用中文hello"));
        assert!(found("\"中文 hello\"", "我用中文 hello"));
        assert!(!found("\"中文 hello\"", "中文字 hello"));
        assert!(found("안녕", "안녕하세요"));
        assert!(!found("か", "が"));
        assert!(found("ガス", "ｶﾞｽ"));
        assert!(found("\"a 中 b\"", "b 中文 a"), "a lone character stands anywhere");
    }

    #[test]
    fn nothing_in_a_search_is_syntax() {
        for search in
            ["NOT a", "a* b", "a OR b", "\"\"\" a", "col:a", "^a", "NEAR(a b)", "a'); DROP", "{a} : b"]
        {
            let words = Words::parse(search).unwrap();
            let connection = index();
            search_in(&connection, &words);
        }
        for empty in ["", "  ", "\"\"", "* - +", "\"!\"", "😀"] {
            assert!(Words::parse(empty).is_err(), "{empty:?}");
        }
    }

    fn index() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE VIRTUAL TABLE word USING fts5(text, content='', columnsize=0, tokenize='ascii')",
            )
            .unwrap();
        connection
    }

    fn search_in(connection: &Connection, words: &Words) -> Vec<i64> {
        let mut statement = connection.prepare("SELECT rowid FROM word WHERE word MATCH ?1").unwrap();
        let rows = statement.query_map([words.expression()], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// Few different characters, so that searches find something; awkward ones among them.
    fn text() -> impl Strategy<Value = String> {
        let character = prop::sample::select(vec![
            'a', 'B', 'é', 'e', '\u{301}', ' ', ' ', '"', '-', '_', '1', '½', 'ß', 'İ', '中', '文', '字',
            'が', 'か', '\u{3099}', 'ｶ', 'ﾞ', '안', '\u{1100}', '\u{1161}', 'क', 'ि', '😀', '*', '\'', 'ς',
            'Σ', '\u{345}',
        ]);
        prop::collection::vec(character, 0..12).prop_map(|characters| characters.into_iter().collect())
    }

    proptest! {
        #[test]
        fn the_index_finds_what_is_in_a_text(texts in prop::collection::vec(text(), 1..6), search in text()) {
            let Ok(words) = Words::parse(&search) else { return Ok(()) };
            let connection = index();
            for (id, text) in texts.iter().enumerate() {
                let row = (id as i64, indexed(text));
                connection.execute("INSERT INTO word (rowid, text) VALUES (?1, ?2)", row).unwrap();
            }
            let expected: Vec<i64> =
                (0..texts.len()).filter(|id| words.are_in(&texts[*id])).map(|id| id as i64).collect();
            prop_assert_eq!(search_in(&connection, &words), expected);
        }

        #[test]
        fn every_text_has_its_own_words(text in "\\PC{0,40}") {
            if let Ok(words) = Words::parse(&text.replace('"', " ")) {
                prop_assert!(words.are_in(&text.replace('"', " ")));
            }
        }
    }
}
