//! How deeply source text nests, found from its tokens before it is parsed.
//!
//! A syntax tree is walked and dropped recursively; a chain of a million operators or brackets would exhaust the
//! stack, and with it the process. So such text is not parsed at all. The number is an upper bound, not exact.

mod pieces;

pub use pieces::{Measured, pieces};
use ruff_python_ast::token::TokenKind;
use ruff_python_parser::{Mode, lexer};

/// The deepest nesting that is parsed. CPython itself refuses 200 nested brackets and 100 nested blocks.
pub const LIMIT: usize = 1000;

/// The stack, in bytes, of a thread that handles programs up to [`LIMIT`] (measured in a debug build: below 8 MiB).
pub const STACK: usize = 32 * 1024 * 1024;

/// An upper bound of the nesting of `source`. Short text is not even looked at: it cannot nest deeper than its length.
pub fn of(source: &str) -> usize {
    if source.len() <= LIMIT {
        return source.len();
    }
    measure(source)
}

/// As [`of`], but exact for short text too.
pub fn measure(source: &str) -> usize {
    lex(source).deepest
}

/// What the tokens of a text tell.
struct Lexed {
    deepest: usize,
    /// The last letter begins a statement that is in no block, bracket or string. All before it is a whole then: what
    /// follows nests as it would without it.
    is_whole: bool,
}

fn lex(source: &str) -> Lexed {
    let mut lexer = lexer::lex(source, Mode::Ipython);
    let mut levels: Vec<usize> = Vec::new();
    let (mut outer, mut here, mut blocks, mut lambdas, mut deepest) = (0, 0, 0_usize, 0, 0);
    let (mut begins, mut is_whole) = (false, false);
    loop {
        let token = lexer.next_token();
        match token {
            TokenKind::EndOfFile => return Lexed { deepest, is_whole },
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => {
                levels.push(here);
                outer += here + 1;
                here = 0;
            }
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => {
                if let Some(before) = levels.pop() {
                    outer -= before + 1;
                    here = before + 1;
                }
            }
            TokenKind::Newline => {
                levels.clear();
                (outer, here, lambdas) = (0, 0, 0);
            }
            TokenKind::Indent => blocks += 1,
            TokenKind::Dedent => blocks = blocks.saturating_sub(1),
            TokenKind::Comma | TokenKind::Semi => here = 0,
            TokenKind::Lambda => lambdas += 1,
            TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Complex
            | TokenKind::String
            | TokenKind::Comment
            | TokenKind::NonLogicalNewline => {}
            _ => here += 1,
        }
        let depth = outer + here + blocks + lambdas;
        deepest = deepest.max(depth);
        match token {
            // One more is told at the end of a text.
            TokenKind::Newline | TokenKind::NonLogicalNewline => begins = true,
            TokenKind::Dedent => {}
            _ => {
                is_whole = begins && depth == 0 && token == TokenKind::Name;
                begins = false;
            }
        }
    }
}
