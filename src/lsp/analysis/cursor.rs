//! What stands at a cursor: a name being typed, an attribute, an argument, a string, an import.
//!
//! Worked out from the text and the tokens before the cursor, not from the tree, since code under a cursor is
//! nearly always broken.

use ruff_python_ast::token::{Token, TokenKind};
use ruff_text_size::{Ranged, TextRange};

use super::expression::{expression_before, is_word, word_before};
use super::{Program, Skipped};

/// The kind of place in which the cursor stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Nothing can be completed: a comment, a plain string, another language.
    Nothing,
    /// A bare name.
    Name,
    /// After `base.`.
    Attribute {
        /// The expression before the dot, as written.
        base: String,
    },
    /// Inside the string of `base["`.
    Key {
        /// The expression before the bracket, as written.
        base: String,
        /// The quote that was opened.
        quote: char,
    },
    /// Inside another string.
    Text {
        /// The call or subscript around it as written, if any: `open`, `os.getenv`.
        callee: Option<String>,
    },
    /// A module's dotted name: after `import` or `from`.
    Module,
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

/// A cursor in a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// What kind of place it is.
    pub place: Place,
    /// The bytes of the word being typed, up to the cursor.
    pub word: TextRange,
    /// The innermost call around the cursor.
    pub call: Option<Call>,
}

/// A call whose arguments are being typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The callee as written.
    pub callee: String,
    /// Commas before the cursor, at this call's level.
    pub index: usize,
    /// The keyword of the argument at the cursor.
    pub keyword: Option<String>,
    /// All keywords given before the cursor.
    pub given: Vec<String>,
}

impl Program {
    /// Looks around byte `offset`.
    pub fn cursor(&self, offset: usize) -> Cursor {
        let offset = crate::lsp::documents::text::floor_boundary(&self.source, offset);
        let line = self.line_before(offset);
        let word = word_before(line);
        let range = TextRange::new(super::size(offset - word.len()), super::size(offset));
        let cursor = |place, call| Cursor {
            place,
            word: range,
            call,
        };
        let part = self.part_at(offset);
        let skipped = self.skipped.iter().find(|(index, _)| *index == part);
        if let Some(place) = escape_place(line) {
            return cursor(place, None);
        }
        if matches!(skipped, Some((_, Skipped::OtherLanguage))) {
            return cursor(Place::Nothing, None);
        }
        let tokens = self.tokens_before(part, offset);
        let call = call_around(self, tokens);
        if let Some(token) = tokens.last()
            && let Some(place) = self.string_place(token, tokens, offset)
        {
            return cursor(place, call);
        }
        if line.contains('#') && self.in_comment(offset) {
            return cursor(Place::Nothing, None);
        }
        if let Some(place) = import_place(line.get(..line.len() - word.len()).unwrap_or_default()) {
            return cursor(place, None);
        }
        let before = line.get(..line.len() - word.len()).unwrap_or_default();
        if before.ends_with('.') {
            let dot = offset - word.len() - 1;
            let base = expression_before(self.source.get(..dot).unwrap_or_default());
            return match base {
                "" => cursor(Place::Nothing, call),
                base => cursor(
                    Place::Attribute {
                        base: base.to_owned(),
                    },
                    call,
                ),
            };
        }
        if word.starts_with(|char: char| char.is_ascii_digit()) {
            return cursor(Place::Nothing, call);
        }
        cursor(Place::Name, call)
    }

    /// The dotted expression around `offset` (`a.b` of `a.b.c` with the cursor in `b`), with its bytes.
    pub fn expression_at(&self, offset: usize) -> Option<(String, TextRange)> {
        let offset = crate::lsp::documents::text::floor_boundary(&self.source, offset);
        let after = self.source.get(offset..).unwrap_or_default();
        let rest = after.len() - after.trim_start_matches(is_word).len();
        let end = offset + rest;
        let base = expression_before(self.source.get(..end)?);
        if base.is_empty() || self.in_comment(offset) {
            return None;
        }
        let last = word_before(base);
        let range = TextRange::new(super::size(end - last.len()), super::size(end));
        Some((base.to_owned(), range))
    }

    fn tokens_before(&self, part: usize, offset: usize) -> &[Token] {
        let start = self.parts.get(part).map_or(0, |part| part.start);
        let tokens: &[Token] = self.module.tokens();
        let from = tokens.partition_point(|token| token.end().to_usize() <= start);
        let to = tokens.partition_point(|token| token.start().to_usize() < offset);
        tokens.get(from..to).unwrap_or_default()
    }

    fn in_comment(&self, offset: usize) -> bool {
        let at = super::size(offset);
        let tokens: &[Token] = self.module.tokens();
        let index = tokens.partition_point(|token| token.start() < at);
        tokens
            .get(index.saturating_sub(1))
            .is_some_and(|token| token.kind() == TokenKind::Comment && token.end() >= at)
    }

    /// The place when the cursor is inside a string. An unterminated string is an `Unknown` token to the lexer.
    fn string_place(&self, token: &Token, tokens: &[Token], offset: usize) -> Option<Place> {
        let text = self.text(token.range());
        let end = token.end().to_usize();
        let body = text.trim_start_matches(|char: char| char.is_ascii_alphabetic());
        let quote = body.chars().next().filter(|char| matches!(char, '"' | '\''))?;
        let closed = body.len() > 1 && body.ends_with(quote) && token.kind() == TokenKind::String;
        let on_line = token.kind() == TokenKind::String || !body.contains('\n');
        if (closed && offset >= end) || offset > end || !on_line || body.len() == text.len() + 1 {
            return None;
        }
        if !matches!(token.kind(), TokenKind::String | TokenKind::Unknown) {
            return None;
        }
        let opener = tokens.get(..tokens.len().saturating_sub(1)).unwrap_or_default();
        let before = self.source.get(..token.start().to_usize()).unwrap_or_default();
        match opener.last().map(|token| token.kind()) {
            Some(TokenKind::Lsqb) => {
                let base = expression_before(before.trim_end().strip_suffix('[').unwrap_or(before));
                if base == "os.environ" || base == "environ" {
                    return Some(Place::Text {
                        callee: Some("os.environ".into()),
                    });
                }
                (!base.is_empty())
                    .then(|| Place::Key {
                        base: base.to_owned(),
                        quote,
                    })
                    .or(Some(Place::Text { callee: None }))
            }
            _ => Some(Place::Text {
                callee: call_around(self, opener).map(|call| call.callee),
            }),
        }
    }
}

fn escape_place(line: &str) -> Option<Place> {
    let text = line.trim_start();
    if let Some(rest) = text.strip_prefix("%%").or_else(|| text.strip_prefix('%')) {
        let cell = text.starts_with("%%");
        let is_name = rest.chars().all(|char| is_word(char) || char == '.');
        return match is_name {
            true => Some(Place::Magic { cell }),
            false => Some(Place::Shell),
        };
    }
    text.starts_with('!').then_some(Place::Shell)
}

/// Reads the line up to the word being typed: `import os.pa|`, `from x import a, b|`.
fn import_place(before: &str) -> Option<Place> {
    let statement = before.rsplit(';').next().unwrap_or_default().trim_start();
    if let Some(rest) = statement.strip_prefix("from ") {
        let Some((module, _)) = rest
            .split_once(" import ")
            .or_else(|| rest.split_once(" import("))
        else {
            let typing = rest.trim_start();
            return (!typing.contains(' ')).then_some(Place::Module);
        };
        return Some(Place::Member {
            module: module.trim().to_owned(),
        });
    }
    let rest = statement.strip_prefix("import ")?;
    let last = rest.rsplit(',').next().unwrap_or_default().trim_start();
    (!last.contains(' ')).then_some(Place::Module)
}

/// The innermost call whose brackets are open at the end of `tokens`.
fn call_around(program: &Program, tokens: &[Token]) -> Option<Call> {
    let mut depth = 0_usize;
    let mut index = 0;
    let mut given = Vec::new();
    let mut keyword = None;
    for (at, token) in tokens.iter().enumerate().rev() {
        match token.kind() {
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => depth += 1,
            TokenKind::Lpar if depth == 0 => {
                let callee = program.source.get(..token.start().to_usize())?;
                let callee = expression_before(callee);
                let kind_before = |steps: usize| Some(tokens.get(at.checked_sub(steps)?)?.kind());
                let is_definition = matches!(kind_before(2), Some(TokenKind::Def | TokenKind::Class));
                let is_word = kind_before(1).is_some_and(|kind| kind.is_keyword());
                if callee.is_empty() || is_definition || is_word {
                    return None;
                }
                return Some(Call {
                    callee: callee.to_owned(),
                    index,
                    keyword,
                    given,
                });
            }
            TokenKind::Lsqb | TokenKind::Lbrace if depth == 0 => {}
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => depth -= 1,
            TokenKind::Comma if depth == 0 => index += 1,
            TokenKind::Equal if depth == 0 => {
                if let Some(name) = at.checked_sub(1).and_then(|at| tokens.get(at)) {
                    let name = program.text(name.range()).to_owned();
                    if index == 0 {
                        keyword = Some(name.clone());
                    }
                    given.push(name);
                }
            }
            TokenKind::Newline => return None,
            // A statement's first word inside brackets: the brackets above belong to broken code.
            TokenKind::Def
            | TokenKind::Class
            | TokenKind::Import
            | TokenKind::With
            | TokenKind::While
            | TokenKind::Return
            | TokenKind::Del => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cursor stands where `|` is.
    fn cursor(text: &str) -> Cursor {
        let offset = text.find('|').unwrap_or(text.len());
        let text = text.replacen('|', "", 1);
        Program::plain(&text).cursor(offset)
    }

    #[test]
    fn places() {
        let attribute = |base: &str| Place::Attribute { base: base.into() };
        for (text, place) in [
            ("x = ab|", Place::Name),
            ("df.co|", attribute("df")),
            ("a.b[0]['k'].c|\nprint(1)", attribute("a.b[0]['k']")),
            ("f(x).y|", attribute("f(x)")),
            ("'abc'.up|", attribute("'abc'")),
            ("1.|", Place::Nothing),
            ("x1.|", attribute("x1")),
            ("# note.a|", Place::Nothing),
            ("import nu|", Place::Module),
            ("import os.pa|", Place::Module),
            ("from os.pa|", Place::Module),
            ("from os import pa|", Place::Member { module: "os".into() }),
            ("from . import a, b|", Place::Member { module: ".".into() }),
            ("import numpy as n|", Place::Name),
            ("%ti|", Place::Magic { cell: false }),
            ("%%ti|", Place::Magic { cell: true }),
            ("!ls fo|", Place::Shell),
            ("%cd fo|", Place::Shell),
            (
                "df['co|",
                Place::Key {
                    base: "df".into(),
                    quote: '\'',
                },
            ),
            (
                "df[\"co|\"]",
                Place::Key {
                    base: "df".into(),
                    quote: '"',
                },
            ),
            (
                "open('da|",
                Place::Text {
                    callee: Some("open".into()),
                },
            ),
            (
                "open('da|')",
                Place::Text {
                    callee: Some("open".into()),
                },
            ),
            (
                "os.environ['H|",
                Place::Text {
                    callee: Some("os.environ".into()),
                },
            ),
            ("x = 'da|'", Place::Text { callee: None }),
            ("x = 'da'|", Place::Name),
            ("%%bash\nls|", Place::Nothing),
        ] {
            assert_eq!(cursor(text).place, place, "{text}");
        }
    }

    #[test]
    fn calls() {
        let call = cursor("f(g(1, 2), key=3, other=|").call;
        let Some(call) = call else { panic!("no call") };
        assert_eq!((call.callee.as_str(), call.index), ("f", 2));
        assert_eq!(call.keyword.as_deref(), Some("other"));
        assert_eq!(call.given, ["other", "key"]);
        assert_eq!(
            cursor("a.b(\n  [1, 2|").call.map(|it| it.callee),
            Some("a.b".into())
        );
        assert_eq!(cursor("def f(a|").call, None);
        assert_eq!(cursor("if (a|").call, None);
        assert_eq!(cursor("f(1)|").call, None);
    }

    #[test]
    fn expressions_under_the_cursor() {
        let program = Program::plain("x = a.bc.d + f(y).z\n");
        let at = |offset| program.expression_at(offset).map(|(text, _)| text);
        assert_eq!(at(7).as_deref(), Some("a.bc"));
        assert_eq!(at(9).as_deref(), Some("a.bc.d"));
        assert_eq!(at(13).as_deref(), Some("f"));
        assert_eq!(at(18).as_deref(), Some("f(y).z"));
        assert_eq!(at(11), None);
    }
}
