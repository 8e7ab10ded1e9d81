//! The cursor inside a string: a key, an argument, or prose.

use ruff_python_ast::StringFlags;
use ruff_python_ast::token::{Token, TokenKind};
use ruff_text_size::Ranged;

use super::walk::{Opener, Walk};
use super::{Cursor, Place, Quoted};
use crate::lsp::analysis::expression::{Code, is_word};

/// True when the string's closing quote is missing.
pub(super) fn is_unclosed(token: &Token) -> bool {
    token.string_flags().is_some_and(|flags| flags.is_unclosed())
}

/// The place at `offset` in the string that is the token before `to`.
pub(super) fn place(code: Code, to: usize, offset: usize) -> Cursor {
    let index = to - 1;
    let walk = Walk::new(code, index);
    let calls = walk.calls(to);
    let nothing = |calls| Cursor::new(Place::Nothing, offset, offset, calls);
    let Some((token, flags)) = code
        .tokens
        .get(index)
        .and_then(|token| Some((token, token.string_flags()?)))
    else {
        return nothing(calls);
    };
    let text = code.token(index);
    let prefix = text.len()
        - text
            .trim_start_matches(|char: char| char.is_ascii_alphabetic())
            .len();
    let start = token.start().to_usize() + prefix + 1;
    let letters = text.get(..prefix).unwrap_or_default();
    let is_prose = flags.is_triple_quoted() || letters.contains(['b', 'B']);
    // A string that is a statement is documentation.
    let Some(previous) = walk.previous.filter(|_| !is_prose && offset >= start) else {
        return nothing(calls);
    };
    let quoted = Quoted {
        quote: flags.quote_style().as_char(),
        raw: letters.contains(['r', 'R']),
    };
    let alone = matches!(
        code.kind(previous),
        TokenKind::Lpar
            | TokenKind::Lsqb
            | TokenKind::Lbrace
            | TokenKind::Comma
            | TokenKind::Equal
            | TokenKind::Colon
            | TokenKind::String
    );
    let around = walk.around();
    if let Some(frame) = around
        && alone
        && frame.opener == Opener::Subscript
        && let Some(base) = code.before(frame.open).and_then(|last| code.expression(last))
    {
        let key = Place::Key {
            base,
            index: frame.commas,
            quoted,
        };
        return Cursor::new(key, start, offset, calls);
    }
    let is_query = alone
        && around.is_some_and(|frame| frame.opener == Opener::Call)
        && calls.first().is_some_and(|call| {
            let is_first = call.index == 0 && call.keyword.is_none();
            (call.callee.ends_with(".query") || call.callee.ends_with(".eval"))
                && (is_first || call.keyword.as_deref() == Some("expr"))
        });
    if !is_query {
        return Cursor::new(Place::Text { alone, quoted }, start, offset, calls);
    }
    let typed = code.text.get(start..offset).unwrap_or_default();
    match column(typed, quoted.quote) {
        Some((word, true)) => Cursor::new(Place::Name, start + word, offset, Vec::new()),
        Some((word, false)) => Cursor::new(Place::Text { alone, quoted }, start + word, offset, calls),
        None => nothing(calls),
    }
}

/// Where the name begins that ends the text of a query, and whether `@` makes it one of Python.
fn column(typed: &str, quote: char) -> Option<(usize, bool)> {
    let other = if quote == '"' { '\'' } else { '"' };
    if typed.matches(other).count() % 2 == 1 {
        return None;
    }
    if typed.matches('`').count() % 2 == 1 {
        return typed.rfind('`').map(|tick| (tick + 1, false));
    }
    let head = typed.trim_end_matches(is_word);
    let word = typed.get(head.len()..).unwrap_or_default();
    if head.ends_with('.') || word.starts_with(|char: char| char.is_numeric()) {
        return None;
    }
    Some((head.len(), head.ends_with('@')))
}
