//! What stands at a cursor: a name being typed, an attribute, an argument, a string, an import.
//!
//! Worked out from the tokens before the cursor, since code under a cursor is nearly always broken, and a tree of
//! broken code tells what the parser made of it.

mod escapes;
mod places;
mod string;
mod walk;

use ruff_python_ast::token::{Token, TokenKind};
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};
use ruff_text_size::{Ranged, TextRange};

use super::expression::{Code, ends_operand, is_name};
use super::model::Spot;
use super::{Program, Skipped, depth};
use escapes::Escape;
use walk::Walk;

/// Python within a magic that nests deeper is not read: whoever asks may have a small stack.
const DEEPEST_FRAGMENT: usize = 60;

/// The kind of place in which the cursor stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Nothing can be completed: a comment, a plain string, another language, a name that is being defined.
    Nothing,
    /// A bare name.
    Name,
    /// A word after a complete operand: only a keyword can go on from there (`x i|`).
    Keyword {
        /// The keywords that can.
        allowed: &'static [&'static str],
    },
    /// A pattern of `case`: a class, a dotted value, or a name that is being bound.
    Pattern,
    /// After `base.`.
    Attribute {
        /// The expression before the dot, on one line.
        base: String,
    },
    /// Inside a string within the brackets of `base[`.
    Key {
        /// The expression before the bracket, on one line.
        base: String,
        /// Commas before the string, within the bracket.
        index: usize,
        /// How the string was opened.
        quoted: Quoted,
    },
    /// Inside another string; [`Cursor::calls`] tell whose argument it is.
    Text {
        /// True when the string is an argument or element by itself, not part of an operation.
        alone: bool,
        /// How the string was opened.
        quoted: Quoted,
    },
    /// A module's dotted name: after `import` or `from`.
    Module {
        /// What stands before the word, with its dots: `os.`, `..`.
        package: String,
    },
    /// A member to import: after `from module import`.
    Member {
        /// The module, with its leading dots.
        module: String,
    },
    /// A line magic (`%name`) or a cell magic (`%%name`).
    Magic {
        /// True for `%%`.
        cell: bool,
    },
    /// The shell's text after `!`, or a magic's arguments: a path may be meant.
    Shell,
}

/// How a string was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quoted {
    /// The quote.
    pub quote: char,
    /// True when a backslash is itself.
    pub raw: bool,
}

/// A cursor in a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// What kind of place it is.
    pub place: Place,
    /// The bytes of what is being typed, up to the cursor: a word, or what a string holds.
    pub word: TextRange,
    /// The calls around the cursor, innermost first.
    pub calls: Vec<Call>,
    /// True where a statement begins.
    pub begins: bool,
    /// Right behind `base[` or a comma there, with nothing typed: the base on one line, and the commas.
    pub bracket: Option<(String, usize)>,
    /// In the head of a function: the byte at which that begins. Its parameters are not bound there.
    pub head: Option<usize>,
}

/// A call whose arguments are being typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The callee, on one line.
    pub callee: String,
    /// Commas before the cursor, at this call's level.
    pub index: usize,
    /// Arguments before the cursor that have no keyword.
    pub positional: usize,
    /// The keyword of the argument at the cursor.
    pub keyword: Option<String>,
    /// True when what is typed begins an argument, so that it may become a keyword.
    pub begins: bool,
    /// All keywords that are given, behind the cursor too.
    pub given: Vec<String>,
    /// What is written between the bracket and what is being typed; empty where that is long.
    pub written: String,
}

impl Cursor {
    fn new(place: Place, start: usize, end: usize, calls: Vec<Call>) -> Self {
        let word = TextRange::new(super::size(start.min(end)), super::size(end));
        Self {
            place,
            word,
            calls,
            begins: false,
            bracket: None,
            head: None,
        }
    }

    fn shifted(mut self, by: usize) -> Self {
        self.word += super::size(by);
        self.head = self.head.map(|head| head + by);
        self
    }
}

impl Program {
    /// Looks around byte `offset`.
    pub fn cursor(&self, offset: usize) -> Cursor {
        let offset = crate::lsp::documents::text::floor_boundary(&self.source, offset);
        let part = self.part_at(offset);
        match self.skipped.iter().find(|(index, _)| *index == part) {
            None => at(self.code(part), offset),
            Some((_, Skipped::OtherLanguage)) => {
                // The line that names the language is IPython's.
                let line = self.line_before(offset);
                let indent = line.len() - line.trim_start().len();
                let start = offset - line.len() + indent;
                match line.trim_start().starts_with("%%") {
                    true => escape(&self.source, start, offset, offset),
                    false => Cursor::new(Place::Nothing, offset, offset, Vec::new()),
                }
            }
            Some(_) => Cursor::new(Place::Nothing, offset, offset, Vec::new()),
        }
    }

    /// Byte `offset` as a place from which names are read.
    pub fn spot(&self, offset: usize) -> Spot {
        Spot {
            scope: self.model.scope_at(&self.source, offset),
            until: Some(super::size(offset)),
        }
    }

    /// The dotted expression around `offset` (`a.b` of `a.b.c` with the cursor in `b`) on one line, with the bytes of
    /// its last name. `None` in strings and comments, and for the keyword of an argument.
    pub fn expression_at(&self, offset: usize) -> Option<(String, TextRange)> {
        let offset = crate::lsp::documents::text::floor_boundary(&self.source, offset);
        expression_at(self.code(self.part_at(offset)), offset)
    }

    /// The keyword of an argument at `offset`, with the call and the keyword's bytes.
    pub fn keyword_at(&self, offset: usize) -> Option<(Call, TextRange)> {
        let offset = crate::lsp::documents::text::floor_boundary(&self.source, offset);
        let code = self.code(self.part_at(offset));
        let index = name_at(code, offset)?;
        let mut call = keyword_of(code, index)?;
        call.keyword = Some(code.token(index).to_owned());
        Some((call, code.tokens.get(index)?.range()))
    }

    fn code(&self, part: usize) -> Code<'_> {
        let (start, end) = self.parts.get(part).map_or((0, 0), |part| (part.start, part.end));
        let tokens: &[Token] = self.module.tokens();
        let from = tokens.partition_point(|token| token.start().to_usize() < start);
        let to = tokens.partition_point(|token| token.start().to_usize() < end);
        Code {
            text: &self.source,
            tokens: tokens.get(from..to).unwrap_or_default(),
        }
    }
}

fn at(code: Code, offset: usize) -> Cursor {
    let to = code
        .tokens
        .partition_point(|token| token.start().to_usize() < offset);
    let nothing = |calls| Cursor::new(Place::Nothing, offset, offset, calls);
    let Some(last) = to.checked_sub(1).and_then(|last| code.tokens.get(last)) else {
        return Cursor {
            begins: true,
            ..Cursor::new(Place::Name, offset, offset, Vec::new())
        };
    };
    let (start, end) = (last.start().to_usize(), last.end().to_usize());
    let touches = offset <= end;
    match last.kind() {
        TokenKind::IpyEscapeCommand if touches => return escape(code.text, start, offset, end),
        TokenKind::Comment if touches => return nothing(Vec::new()),
        TokenKind::String if offset < end || (touches && string::is_unclosed(last)) => {
            return string::place(code, to, offset);
        }
        TokenKind::FStringStart
        | TokenKind::FStringMiddle
        | TokenKind::TStringStart
        | TokenKind::TStringMiddle => return nothing(Walk::new(code, to).calls(to)),
        TokenKind::FStringEnd | TokenKind::TStringEnd if offset < end => return nothing(Vec::new()),
        kind if touches && (is_name(kind) || kind.is_keyword()) => {
            let walk = Walk::new(code, to - 1);
            // `5x`, `"a"b`: no word begins there, nor behind the backslash of a symbol's name, `\alpha`.
            let escaped = code
                .text
                .get(..start)
                .is_some_and(|before| before.ends_with('\\'));
            let glued = walk.previous.is_some_and(|before| {
                ends_operand(code.kind(before))
                    && code
                        .tokens
                        .get(before)
                        .is_some_and(|token| token.end() == last.start())
            });
            let place = match glued || escaped {
                true => Place::Nothing,
                false => walk.place(true),
            };
            let begins = walk.previous.is_none();
            return Cursor {
                begins,
                head: walk.head(),
                ..Cursor::new(place, start, offset, walk.calls(to))
            };
        }
        kind if touches && (ends_operand(kind) || kind == TokenKind::Unknown) => {
            return nothing(Walk::new(code, to).calls(to));
        }
        _ => {}
    }
    let walk = Walk::new(code, to);
    Cursor {
        begins: walk.previous.is_none(),
        bracket: walk.bracket(),
        head: walk.head(),
        ..Cursor::new(walk.place(false), offset, offset, walk.calls(to))
    }
}

/// The cursor within an escape command that stands at `start`..`end`.
fn escape(text: &str, start: usize, offset: usize, end: usize) -> Cursor {
    match escapes::at(text.get(start..end).unwrap_or_default(), offset - start) {
        Escape::Place(place, word) => Cursor::new(place, start + word, offset, Vec::new()),
        Escape::Python(from, to) => fragment(text, start + from, start + to, |code| {
            at(code, offset - start - from).shifted(start + from)
        })
        .unwrap_or(Cursor::new(Place::Nothing, offset, offset, Vec::new())),
    }
}

/// Reads a stretch of Python that the program's own tokens do not cover.
fn fragment<T>(text: &str, start: usize, end: usize, read: impl FnOnce(Code) -> T) -> Option<T> {
    let text = text.get(start..end)?;
    if depth::measure(text) > DEEPEST_FRAGMENT {
        return None;
    }
    let parsed = parse_unchecked(text, ParseOptions::from(Mode::Module));
    Some(read(Code {
        text,
        tokens: parsed.tokens(),
    }))
}

/// The name that `offset` is in, or at whose end it stands.
fn name_at(code: Code, offset: usize) -> Option<usize> {
    let to = code
        .tokens
        .partition_point(|token| token.start().to_usize() <= offset);
    let touching = |index: &usize| {
        let token = code.tokens.get(*index);
        token.is_some_and(|token| {
            token.end().to_usize() >= offset && (is_name(token.kind()) || token.kind().is_keyword())
        })
    };
    // Dedents take no room, so the name may be some tokens away.
    (to.saturating_sub(4)..to).rev().find(touching)
}

fn expression_at(code: Code, offset: usize) -> Option<(String, TextRange)> {
    let to = code
        .tokens
        .partition_point(|token| token.start().to_usize() <= offset);
    if let Some(token) = to.checked_sub(1).and_then(|last| code.tokens.get(last))
        && token.kind() == TokenKind::IpyEscapeCommand
    {
        let start = token.start().to_usize();
        let text = code.text.get(start..token.end().to_usize())?;
        let Escape::Python(from, to) = escapes::at(text, offset.checked_sub(start)?.min(text.len())) else {
            return None;
        };
        let (start, end) = (start + from, start + to);
        let (expression, range) =
            fragment(code.text, start, end, |code| expression_at(code, offset - start))??;
        return Some((expression, range + super::size(start)));
    }
    let index = name_at(code, offset)?;
    match keyword_of(code, index) {
        Some(_) => None,
        None => Some((code.expression(index)?, code.tokens.get(index)?.range())),
    }
}

/// The call of which token `index` is the keyword of an argument.
fn keyword_of(code: Code, index: usize) -> Option<Call> {
    let before = code.before(index)?;
    if code.kind(index + 1) != TokenKind::Equal
        || !matches!(code.kind(before), TokenKind::Lpar | TokenKind::Comma)
    {
        return None;
    }
    Walk::new(code, index).call_of_item(index)
}

#[cfg(test)]
mod tests;
