//! What somebody at a terminal has before them: questions first, then the chat, and always one
//! line that is being typed. Pure: keys and messages in, effects out, and a picture of itself.

use std::borrow::Cow;

use crosstalk_protocol::Token;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::address::Address;
use crate::editor::Editor;
use crate::journal::Kept;
use crate::keys::Key;
use crate::message::{Effect, Ending, Line, Message};
use crate::model::{Front, Model};
use crate::questions::Questions;
use crate::rooms::Rooms;
use crate::screen::Live;
use crate::update::update;
use crate::view::{self, Style};

/// The state of the interface.
pub(crate) struct Interface {
    questions: Questions,
    /// The rooms to be in from the start.
    rooms: Rooms,
    seed: u64,
    /// There once the questions are answered for the first time.
    chat: Option<Model>,
    editor: Editor,
}

impl Interface {
    /// An interface that asks what is still to be asked.
    pub(crate) fn new(questions: Questions, rooms: Rooms, seed: u64) -> Self {
        Self { questions, rooms, seed, chat: None, editor: Editor::default() }
    }

    /// The first effects: without questions, it connects at once.
    pub(crate) fn start(&mut self) -> Vec<Effect> {
        self.go_on()
    }

    /// Where to connect to, once that is known.
    pub(crate) fn address(&self) -> Option<&Address> {
        self.questions.answers().map(|(address, _)| address)
    }

    /// A key was pressed.
    pub(crate) fn key(&mut self, key: Key) -> Vec<Effect> {
        match key {
            Key::Focus(attention) => return self.happened(Message::Attention(attention)),
            Key::Redraw => {}
            // Whoever presses a key is there, whatever the terminal says.
            _ => {
                if let Some(chat) = &mut self.chat {
                    chat.attention = true;
                }
            }
        }
        match key {
            Key::Edit(edit) => {
                self.editor.apply(edit);
                Vec::new()
            }
            Key::Enter => self.enter(),
            Key::Interrupt => self.leave(),
            Key::EndOfInput if self.editor.is_empty() => self.leave(),
            Key::EndOfInput => self.key(Key::Edit(crate::editor::Edit::Delete)),
            Key::Redraw | Key::Clear | Key::Focus(_) => Vec::new(),
        }
    }

    /// Something else happened.
    pub(crate) fn happened(&mut self, message: Message) -> Vec<Effect> {
        let Some(chat) = &mut self.chat else { return Vec::new() };
        let mut effects = update(chat, message);
        for effect in &mut effects {
            if let Effect::AskNick(reason) = effect {
                self.questions.forget_nick();
                *effect = Effect::Show(Line::Refused(std::mem::take(reason), None));
            }
        }
        effects
    }

    /// Leaves; while there are only questions, at once.
    pub(crate) fn leave(&mut self) -> Vec<Effect> {
        match self.chat {
            Some(_) => self.happened(Message::Leave),
            None => vec![Effect::Exit(Ending::Left)],
        }
    }

    /// What is to be left to the next start, should this be the end.
    pub(crate) fn kept(&self) -> Option<Vec<Kept>> {
        Some(self.chat.as_ref()?.outbox.kept())
    }

    /// What stays below the scroll-back on a screen so wide.
    pub(crate) fn live(&self, width: usize, style: &Style) -> Live {
        let (above, prompt) = match (&self.chat, self.questions.next()) {
            (_, Some(question)) => (Vec::new(), question),
            (Some(chat), None) => (view::below(chat), view::prompt(chat)),
            (None, None) => (Vec::new(), String::new()),
        };
        // The last column stays free: what is written there makes some terminals begin a new row.
        let width = width.saturating_sub(1);
        let above = above.iter().map(|row| style.dim(&fit(row, width))).collect();
        let prompt = fit(&prompt, (width * 2 / 3).max(1)).into_owned();
        let visible = self.editor.visible(width.saturating_sub(prompt.width()).max(2));
        let cursor = prompt.width() + visible.cursor;
        Live { above, input: prompt + &visible.text, cursor }
    }

    fn enter(&mut self) -> Vec<Effect> {
        let Some(question) = self.questions.next() else {
            let line = self.editor.submit(true);
            return if line.trim().is_empty() { Vec::new() } else { self.happened(Message::Typed(line)) };
        };
        let line = self.editor.submit(false);
        let mut effects = vec![Effect::Show(Line::Row(format!("{question}{}", line.trim())))];
        match self.questions.answer(&line) {
            Ok(()) => effects.extend(self.go_on()),
            Err(reason) => effects.push(Effect::Show(Line::Refused(reason, None))),
        }
        effects
    }

    fn go_on(&mut self) -> Vec<Effect> {
        match self.questions.answers() {
            Some((_, nick)) => vec![Effect::Recall(nick.clone())],
            None => Vec::new(),
        }
    }

    /// The answer to [`Effect::Recall`]: the token of whoever has had the nickname, if it is known,
    /// and what they had not sent.
    pub(crate) fn recalled(&mut self, token: Option<Token>, kept: Vec<Kept>) -> Vec<Effect> {
        let Some((address, nick)) = self.questions.answers() else { return Vec::new() };
        let nick = nick.clone();
        if let Some(chat) = &mut self.chat {
            chat.outbox.adopt(kept);
            return self.happened(Message::Nick(nick, token));
        }
        let rooms = std::mem::take(&mut self.rooms);
        let mut chat = Model::new(nick, address.to_string(), rooms, Front::Terminal, self.seed);
        chat.token = token;
        chat.outbox.adopt(kept);
        self.chat = Some(chat);
        vec![Effect::Connect]
    }
}

/// As much of `text` as fits into `width` columns, with a mark where something is left out.
fn fit(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let mut fitting = String::new();
    let mut used = 1;
    for grapheme in text.graphemes(true) {
        used += grapheme.width();
        if used > width {
            break;
        }
        fitting.push_str(grapheme);
    }
    fitting.push('…');
    Cow::Owned(fitting)
}
