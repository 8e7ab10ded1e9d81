//! Expressions that end at a token: names, attributes, subscripts and calls, read backwards over tokens.
//!
//! Used where code is being typed and no tree can be trusted.

use ruff_python_ast::token::{Token, TokenKind};
use ruff_text_size::Ranged;

/// Longer expressions, in bytes, are nothing that anybody is asked about.
const LONGEST: usize = 4096;

/// Text with its tokens: a part of a program, or the Python within a magic.
#[derive(Clone, Copy)]
pub(super) struct Code<'a> {
    pub(super) text: &'a str,
    pub(super) tokens: &'a [Token],
}

impl<'a> Code<'a> {
    /// The kind of a token; the end of the file where there is none.
    pub(super) fn kind(&self, index: usize) -> TokenKind {
        self.tokens
            .get(index)
            .map_or(TokenKind::EndOfFile, |token| token.kind())
    }

    /// The text of a token.
    pub(super) fn token(&self, index: usize) -> &'a str {
        self.tokens
            .get(index)
            .and_then(|token| self.text.get(token.start().to_usize()..token.end().to_usize()))
            .unwrap_or_default()
    }

    /// The last token before `index` that means something.
    pub(super) fn before(&self, index: usize) -> Option<usize> {
        let tokens = self.tokens.get(..index)?;
        tokens.iter().rposition(|token| !is_trivia(token.kind()))
    }

    /// The expression that ends with token `last`, on one line: without comments and line ends, so that it can be
    /// evaluated. `None` for numbers, for what is no expression, and for what is far too long.
    pub(super) fn expression(&self, last: usize) -> Option<String> {
        let first = self.operand(last)?;
        let start = self.tokens.get(first)?.start().to_usize();
        let end = self.tokens.get(last)?.end().to_usize();
        let written = self.text.get(start..end)?;
        if written.len() > LONGEST {
            return None;
        }
        if !written.contains(['\n', '\r']) {
            return Some(written.to_owned());
        }
        let mut line = String::new();
        for index in first..=last {
            let text = self.token(index);
            if is_trivia(self.kind(index)) {
                continue;
            }
            if text.contains(['\n', '\r']) {
                return None;
            }
            let touches = |char: char| is_word(char) || matches!(char, '"' | '\'');
            if line.ends_with(touches) && text.starts_with(touches) {
                line.push(' ');
            }
            line.push_str(text);
        }
        Some(line)
    }

    /// The first token of the expression that ends with token `last`.
    fn operand(&self, last: usize) -> Option<usize> {
        let mut at = last;
        loop {
            let first = match self.kind(at) {
                TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => {
                    let open = self.opening(at)?;
                    // What is called or subscripted stands before it; a lone bracket is an operand of its own.
                    match self.before(open) {
                        Some(callee) if self.kind(open) != TokenKind::Lbrace && self.is_operand(callee) => {
                            at = callee;
                            continue;
                        }
                        _ => open,
                    }
                }
                TokenKind::String | TokenKind::FStringEnd | TokenKind::TStringEnd => self.literal(at)?,
                kind if is_name(kind) => at,
                // `x.import` is being typed: after a dot every word is a name.
                kind if kind.is_keyword() && self.follows_dot(at) => at,
                _ => return None,
            };
            match self.before(first) {
                Some(dot) if self.kind(dot) == TokenKind::Dot => at = self.before(dot)?,
                _ => return Some(first),
            }
        }
    }

    fn follows_dot(&self, index: usize) -> bool {
        self.before(index)
            .is_some_and(|before| self.kind(before) == TokenKind::Dot)
    }

    /// True when an operand can end with this token.
    pub(super) fn is_operand(&self, index: usize) -> bool {
        ends_operand(self.kind(index)) || (self.kind(index).is_keyword() && self.follows_dot(index))
    }

    /// The first of the adjacent strings that end with token `at`.
    fn literal(&self, at: usize) -> Option<usize> {
        let mut first = at;
        loop {
            if self.kind(first) != TokenKind::String {
                let mut depth = 0_usize;
                loop {
                    match self.kind(first) {
                        TokenKind::FStringEnd | TokenKind::TStringEnd => depth += 1,
                        TokenKind::FStringStart | TokenKind::TStringStart => depth -= 1,
                        _ => {}
                    }
                    if depth == 0 {
                        break;
                    }
                    first = first.checked_sub(1)?;
                }
            }
            match self.before(first) {
                Some(before)
                    if matches!(
                        self.kind(before),
                        TokenKind::String | TokenKind::FStringEnd | TokenKind::TStringEnd
                    ) =>
                {
                    first = before;
                }
                _ => return Some(first),
            }
        }
    }

    /// The bracket that opens what token `close` closes.
    fn opening(&self, close: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for index in (0..=close).rev() {
            match self.kind(index) {
                TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => depth += 1,
                TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(index);
                    }
                }
                TokenKind::Newline => return None,
                _ => {}
            }
        }
        None
    }
}

/// True for characters of identifiers.
pub fn is_word(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}

/// True for tokens that are nothing but layout.
pub(super) fn is_trivia(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::NonLogicalNewline | TokenKind::Comment | TokenKind::Indent | TokenKind::Dedent
    )
}

/// True for names; words that are keywords in some places only are names too.
pub(super) fn is_name(kind: TokenKind) -> bool {
    kind == TokenKind::Name || kind.is_soft_keyword()
}

/// True when an operand can end with such a token, so that an operator may follow.
pub(super) fn ends_operand(kind: TokenKind) -> bool {
    is_name(kind)
        || matches!(
            kind,
            TokenKind::Int
                | TokenKind::Float
                | TokenKind::Complex
                | TokenKind::String
                | TokenKind::FStringEnd
                | TokenKind::TStringEnd
                | TokenKind::Rpar
                | TokenKind::Rsqb
                | TokenKind::Rbrace
                | TokenKind::True
                | TokenKind::False
                | TokenKind::None
                | TokenKind::Ellipsis
                | TokenKind::Question
        )
}
