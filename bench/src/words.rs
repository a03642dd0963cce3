//! Texts made of words that come as often as words do: the second half as often as the first, the
//! third a third, and so on (Zipf's law), a few hundred real ones and a long tail of made-up ones.

use crate::random::Random;

/// The most frequent ones, in order.
const COMMON: &str = "\
the to and of a in is it that for on you with this be are not have was as at we but if they or can so \
what there do one all my will would about an from up out has when no how your just get like time now me \
then some know which see here good new more by could than make who think because need also only work \
them use into its our way us back after any want other how two first well even look people day take year \
come did over does very where much go right too still should why thing most being between before through \
same last may long great same little own such old find give tell ask try let put mean keep begin seem help \
talk turn start show hear play run move live believe hold bring happen write provide sit stand lose pay \
meet include continue set learn change lead understand watch follow stop create speak read allow add \
spend grow open walk win offer remember love consider appear buy wait serve die send expect build stay \
fall cut reach kill remain server deploy build branch merge review test fail pass release version error \
warning log disk memory process thread socket port network packet timeout retry queue cache index query \
table row column schema migration backup restore restart config flag default option user password token \
session message room lobby channel thread reply edit delete search history page button screen keyboard \
browser terminal window mobile desktop linux kernel driver package install update upgrade patch bug issue \
ticket incident alert pager dashboard metric graph latency throughput percentile baseline regression \
profile flame stack heap leak crash panic assert fixture mock stub coverage pipeline runner artifact image \
container volume cluster node leader follower quorum lease lock mutex deadlock race atomic barrier \
lunch coffee meeting standup sprint demo monday tuesday wednesday thursday friday weekend holiday morning \
evening tonight tomorrow yesterday thanks please sorry hello goodbye congratulations welcome";

/// Of which the others are made.
const SYLLABLES: [&str; 32] = [
    "ba", "ke", "lo", "mi", "nu", "ra", "se", "ti", "vo", "zu", "dar", "fen", "gil", "hom", "jur", "kan",
    "lex", "mor", "nis", "pol", "qua", "rem", "sil", "tor", "ulm", "ver", "wik", "xan", "yor", "zet", "cha",
    "thi",
];

/// Different words.
const COUNT: usize = 60_000;

/// A source of texts.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    words: Vec<String>,
}

impl Default for Words {
    fn default() -> Self {
        let mut words: Vec<String> = COMMON.split_whitespace().map(str::to_owned).collect();
        let made_up = (0..).map(|number: usize| {
            let mut rest = number;
            let mut word = String::new();
            for _ in 0..4 {
                word.push_str(SYLLABLES[rest % SYLLABLES.len()]);
                rest /= SYLLABLES.len();
            }
            word
        });
        let missing = COUNT - words.len();
        words.extend(made_up.take(missing));
        Self { words }
    }
}

impl Words {
    /// The word that comes most often but `rank`.
    pub(crate) fn word(&self, rank: usize) -> &str {
        &self.words[rank]
    }

    /// How many different words there are.
    pub(crate) fn count(&self) -> usize {
        self.words.len()
    }

    /// A word, the frequent ones more often.
    pub(crate) fn any(&self, random: &mut Random) -> &str {
        let rank = (COUNT as f64).powf(random.share()) as usize - 1;
        &self.words[rank]
    }

    /// A sentence as people write them: mostly short.
    pub(crate) fn sentence(&self, random: &mut Random) -> String {
        let count = 2 + random.below(8) + random.below(8) * u64::from(random.below(3) == 0);
        let mut text = String::new();
        for _ in 0..count {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(self.any(random));
        }
        text
    }

    /// A text of exactly so many bytes.
    pub(crate) fn text(&self, bytes: usize, random: &mut Random) -> String {
        let mut text = String::new();
        while text.len() < bytes {
            text.push_str(self.any(random));
            text.push(' ');
        }
        text.truncate(bytes);
        if text.ends_with(' ') {
            text.pop();
            text.push('.');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_the_length_asked_for_and_stays_as_it_is() {
        let (words, mut random) = (Words::default(), Random::new(1));
        for bytes in [1, 2, 7, 100, 4_096] {
            let text = words.text(bytes, &mut random);
            assert_eq!(crosstalk_protocol::Text::clean(&text).unwrap().as_str(), text);
            assert_eq!(text.len(), bytes);
        }
    }

    #[test]
    fn the_first_word_comes_about_twice_as_often_as_the_second() {
        let (words, mut random) = (Words::default(), Random::new(1));
        let mut counts = [0_u32; 2];
        for _ in 0..100_000 {
            let word = words.any(&mut random);
            counts[0] += u32::from(word == words.word(0));
            counts[1] += u32::from(word == words.word(1));
        }
        let ratio = f64::from(counts[0]) / f64::from(counts[1]);
        assert!((1.5..2.0).contains(&ratio), "{ratio}");
    }
}
