//! A question to a type checker, which is not asked before somebody waits for its answer; and places in its answers.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use lsp_types::{Location, Position, Range, TextEdit, WorkspaceEdit};
use ruff_text_size::TextRange;
use serde::Deserialize;
use serde_json::Value;

use super::Types;
use super::child::{Heard, Slot, View};
use super::view::{as_python, prelude, uri_of};
use crate::lsp::analysis::{Program, size};
use crate::lsp::documents::Documents;
use crate::lsp::documents::text::Text;
use crate::lsp::documents::uri;
use crate::lsp::engine::Asker;

/// What is asked, about which byte of which program.
#[derive(Clone)]
pub struct Question {
    /// The request of the protocol.
    pub method: &'static str,
    /// The program as it is now.
    pub program: Arc<Program>,
    /// Lines at its head, of what the session knows; see [`prelude`].
    pub prelude: Arc<str>,
    /// The byte of the program.
    pub offset: usize,
    /// Further parameters.
    pub more: Value,
}

/// A question that can be asked.
pub struct Asked {
    pub(super) types: Arc<Types>,
    pub(super) question: Question,
}

impl Asked {
    /// The same, and the checker is told what the names of `expression`, and those that the program leaves unbound, are in
    /// the session.
    pub fn telling(mut self, expression: &str, asker: &mut Asker) -> Self {
        let Question { program, offset, .. } = &self.question;
        self.question.prelude = prelude(program, *offset, expression, asker, &self.types.bindings).into();
        self
    }

    /// The same with further parameters.
    pub fn with(mut self, more: Value) -> Self {
        self.question.more = more;
        self
    }

    /// Asks, which starts the checker where it does not run. The answer, if it comes until then and is not `null`.
    pub fn answer(self, until: Instant) -> Option<Value> {
        let (answer, _) = self.hear(until)?;
        Some(Arc::unwrap_or_clone(answer))
    }

    /// The answer as places for the client: those in the program itself, and those in files of their own.
    pub fn locations(self, documents: &Documents, program: &Program, until: Instant) -> Vec<Location> {
        let Some((answer, view)) = self.hear(until) else {
            return Vec::new();
        };
        let found = match &*answer {
            Value::Array(found) => found.as_slice(),
            it => std::slice::from_ref(it),
        };
        let places = Places::new(documents, program, view);
        let found = found.iter().filter_map(|it| Location::deserialize(it).ok());
        found.filter_map(|it| places.client(it)).collect()
    }

    /// The answer as edits for the client, each with its place.
    pub fn edits(self, documents: &Documents, program: &Program, until: Instant) -> Vec<(Location, String)> {
        let Some((answer, view)) = self.hear(until) else {
            return Vec::new();
        };
        let Ok(edit) = WorkspaceEdit::deserialize(&*answer) else {
            return Vec::new();
        };
        let places = Places::new(documents, program, view);
        let files = edit.changes.into_iter().flatten();
        let edits = files.flat_map(|(uri, edits)| edits.into_iter().map(move |edit| (uri.clone(), edit)));
        edits
            .filter_map(|(uri, TextEdit { range, new_text })| {
                Some((places.client(Location { uri, range })?, new_text))
            })
            .collect()
    }

    fn hear(self, until: Instant) -> Option<(Arc<Value>, View)> {
        let (id, slot) = self.types.send(self.question)?;
        match slot.wait(until) {
            Heard::Answer(answer) if !answer.is_null() => {
                Some((answer, slot.view.get().copied().unwrap_or_default()))
            }
            Heard::Late => {
                self.types.cancel(id);
                None
            }
            _ => None,
        }
    }
}

/// Places as the child has them, and as the client does.
struct Places<'a> {
    documents: &'a Documents,
    program: &'a Program,
    view: View,
    uri: String,
    text: Text,
}

impl<'a> Places<'a> {
    fn new(documents: &'a Documents, program: &'a Program, view: View) -> Self {
        Self {
            uri: uri_of(program),
            text: Text::new(as_python(program)),
            documents,
            program,
            view,
        }
    }

    /// The place for the client; none where it is in the lines before the program.
    fn client(&self, place: Location) -> Option<Location> {
        if place.uri.0 != self.uri {
            return Some(self.of_file(place));
        }
        let offset = |position: Position| {
            let line = position.line.checked_sub(self.view.lines_before)?;
            let position = Position { line, ..position };
            Some(self.text.offset(position, self.view.encoding))
        };
        let (start, end) = (offset(place.range.start)?, offset(place.range.end)?);
        let range = TextRange::new(size(start), size(end.max(start)));
        self.documents.location(self.program, range)
    }

    /// A place in a file, in the client's characters: where those are others, the file is read.
    fn of_file(&self, place: Location) -> Location {
        let (theirs, ours) = (self.view.encoding, self.documents.encoding);
        if theirs == ours {
            return place;
        }
        let Some(text) = uri::file(&place.uri.0).and_then(|path| uri::text_of(Path::new(&path))) else {
            return place;
        };
        let text = Text::new(text);
        let position = |position| text.position(text.offset(position, theirs), ours);
        Location {
            range: Range {
                start: position(place.range.start),
                end: position(place.range.end),
            },
            uri: place.uri,
        }
    }
}

/// A list of members that was asked for: it serves all words that are typed in its place.
pub(super) struct Kept {
    program: Arc<Program>,
    prelude: Arc<str>,
    pub(super) uri: String,
    /// Where the word begins, and how far it had come.
    word: std::ops::Range<usize>,
    pub(super) slot: Arc<Slot>,
}

impl Kept {
    pub(super) fn new(question: &Question, start: usize, slot: Arc<Slot>) -> Self {
        Self {
            uri: uri_of(&question.program),
            program: Arc::clone(&question.program),
            prelude: Arc::clone(&question.prelude),
            word: start..question.offset,
            slot,
        }
    }

    /// Whether it answers this, too: the program is as it was but for the word, which has at most become longer.
    pub(super) fn serves(&self, question: &Question, start: usize) -> bool {
        let (old, new) = (self.program.source.as_str(), question.program.source.as_str());
        let word = new.get(start..question.offset).unwrap_or_default();
        self.uri == uri_of(&question.program)
            && self.prelude == question.prelude
            && self.word.start == start
            && word.starts_with(old.get(self.word.clone()).unwrap_or_default())
            && old.get(..start) == new.get(..start)
            && old.get(self.word.end..) == new.get(question.offset..)
    }
}
