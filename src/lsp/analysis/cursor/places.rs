//! What can stand at the cursor, judged by what stands before it and what is open around it.

use ruff_python_ast::token::TokenKind;

use super::Place;
use super::walk::{Opener, Walk};
use crate::lsp::analysis::expression::{Code, is_name, is_trivia};

impl Walk<'_> {
    /// What can stand at the cursor; `typed` when a word has been begun.
    pub(super) fn place(&self, typed: bool) -> Place {
        let Some(previous) = self.previous else {
            return Place::Name;
        };
        let kind = self.code.kind(previous);
        let statement = self.word();
        if matches!(statement, TokenKind::Import | TokenKind::From) {
            return self.import(statement, previous, typed);
        }
        if kind == TokenKind::Dot {
            let base = self
                .code
                .before(previous)
                .and_then(|last| self.code.expression(last));
            return base.map_or(Place::Nothing, |base| Place::Attribute { base });
        }
        let top = self.top();
        let defining = match top.opener {
            Opener::Parameters | Opener::TypeParameters => !top.colon && !top.equal,
            Opener::Lambda { body } => !body && !top.equal,
            Opener::Interpolation => {
                top.colon || kind == TokenKind::Exclamation || (kind == TokenKind::Equal && !typed)
            }
            _ => false,
        };
        let starts_soft = previous == self.first && statement.is_soft_keyword();
        if defining || (starts_soft && statement == TokenKind::Type) {
            return Place::Nothing;
        }
        match kind {
            TokenKind::Def
            | TokenKind::Class
            | TokenKind::As
            | TokenKind::Pass
            | TokenKind::Break
            | TokenKind::Continue
            | TokenKind::Try
            | TokenKind::Finally => return Place::Nothing,
            TokenKind::Async => {
                return Place::Keyword {
                    allowed: &["def", "for", "with"],
                };
            }
            TokenKind::Else if previous == self.first => return Place::Nothing,
            _ => {}
        }
        if !starts_soft && self.code.is_operand(previous) {
            return match typed {
                true => Place::Keyword {
                    allowed: self.continuations(statement),
                },
                false => Place::Nothing,
            };
        }
        if top.targets {
            return Place::Nothing;
        }
        if self.in_pattern() {
            return match kind {
                TokenKind::Star | TokenKind::DoubleStar => Place::Nothing,
                _ => Place::Pattern,
            };
        }
        Place::Name
    }

    /// The keywords that can follow an operand.
    fn continuations(&self, statement: TokenKind) -> &'static [&'static str] {
        match statement {
            _ if self.top().targets => &["in"],
            _ if !self.frames.is_empty() => {
                &["and", "as", "async", "else", "for", "if", "in", "is", "not", "or"]
            }
            TokenKind::With | TokenKind::Except => &["and", "as", "else", "if", "in", "is", "not", "or"],
            TokenKind::Case if self.in_pattern() => &["as", "if"],
            TokenKind::Raise => &["and", "else", "from", "if", "in", "is", "not", "or"],
            _ => &["and", "else", "if", "in", "is", "not", "or"],
        }
    }

    fn import(&self, statement: TokenKind, previous: usize, typed: bool) -> Place {
        let text = |from: usize, to: usize| -> String {
            (from..to)
                .filter(|index| !is_trivia(self.code.kind(*index)))
                .map(|index| self.code.token(index))
                .collect()
        };
        let find = |kind: TokenKind, from: usize| {
            (from..=previous)
                .rev()
                .find(|index| self.code.kind(*index) == kind)
        };
        let import = find(TokenKind::Import, self.first);
        let kind = self.code.kind(previous);
        let after_name = match (typed, statement, import) {
            (false, ..) => Place::Nothing,
            (true, TokenKind::From, None) => Place::Keyword { allowed: &["import"] },
            (true, ..) => Place::Keyword { allowed: &["as"] },
        };
        match (statement, import) {
            _ if matches!(kind, TokenKind::As | TokenKind::Star) => Place::Nothing,
            (_, _) if is_name(kind) && previous > self.first => after_name,
            (TokenKind::From, None) => {
                let from = find(TokenKind::From, self.first).unwrap_or(previous);
                Place::Module {
                    package: text(from + 1, self.end),
                }
            }
            (TokenKind::From, Some(import)) => match kind {
                TokenKind::Import | TokenKind::Comma | TokenKind::Lpar => {
                    let from = find_first(self.code, TokenKind::From, self.first, import);
                    Place::Member {
                        module: text(from + 1, import),
                    }
                }
                _ => Place::Nothing,
            },
            _ => {
                let last = find(TokenKind::Comma, self.first).or(import).unwrap_or(previous);
                Place::Module {
                    package: text(last + 1, self.end),
                }
            }
        }
    }
}

fn find_first(code: Code, kind: TokenKind, from: usize, to: usize) -> usize {
    (from..to).find(|index| code.kind(*index) == kind).unwrap_or(from)
}
