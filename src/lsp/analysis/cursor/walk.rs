//! The walk over the tokens of one statement up to the cursor: which brackets are open and what stands in them.

use ruff_python_ast::token::TokenKind;
use ruff_text_size::Ranged;

use super::Call;
use crate::lsp::analysis::expression::{Code, is_name, is_trivia};

/// How many tokens behind the cursor are looked at for keywords that a call gives already.
const LOOK_AHEAD: usize = 400;

/// The most, in bytes, that is kept of the arguments before the cursor.
const MOST_WRITTEN: usize = 1000;

/// What is open at the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opener {
    /// No bracket: the statement itself.
    Statement,
    /// The arguments of a call.
    Call,
    /// The brackets of `x[`.
    Subscript,
    /// A tuple, list, dict, set or a mere pair of parentheses.
    Group,
    /// The parameters of `def`.
    Parameters,
    /// `[T]` of a definition.
    TypeParameters,
    /// The bases of `class`.
    Bases,
    /// Between `lambda` and the end of its body.
    Lambda {
        /// True after its colon.
        body: bool,
    },
    /// `{` of an f- or t-string.
    Interpolation,
}

/// A bracket that is open at the cursor, or the statement.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) opener: Opener,
    /// The index of the token that opened it.
    pub(super) open: usize,
    /// Commas so far.
    pub(super) commas: usize,
    /// The index of the first token of the element that the cursor is in.
    item: usize,
    /// What that element has had: a colon, an equals sign after a name.
    pub(super) colon: bool,
    pub(super) equal: bool,
    /// Elements that ended before the first keyword.
    positional: usize,
    keyword: Option<String>,
    given: Vec<String>,
    /// True between `for` and `in`: names are bound.
    pub(super) targets: bool,
}

impl Frame {
    fn new(opener: Opener, open: usize) -> Self {
        Self {
            opener,
            open,
            commas: 0,
            item: open + 1,
            colon: false,
            equal: false,
            positional: 0,
            keyword: None,
            given: Vec::new(),
            targets: false,
        }
    }

    /// True when nothing of the element stands before token `index`.
    fn begins_at(&self, index: usize, code: Code) -> bool {
        (self.item..index).all(|before| is_trivia(code.kind(before)))
    }
}

/// A statement up to the cursor.
pub(super) struct Walk<'a> {
    pub(super) code: Code<'a>,
    /// The index of the statement's first token, and of the token after the last that was walked over.
    pub(super) first: usize,
    pub(super) end: usize,
    /// The last token of the statement before the cursor that means something.
    pub(super) previous: Option<usize>,
    statement: Frame,
    /// The brackets that are open, innermost last.
    pub(super) frames: Vec<Frame>,
    /// True while the head of a compound statement lasts.
    compound: bool,
    /// True after the `if` of a `case`.
    guard: bool,
}

impl<'a> Walk<'a> {
    /// Walks over the statement that token `end` belongs to, up to that token.
    pub(super) fn new(code: Code<'a>, end: usize) -> Self {
        let before = code.tokens.get(..end).unwrap_or_default();
        let start = before
            .iter()
            .rposition(|token| token.kind() == TokenKind::Newline)
            .map_or(0, |newline| newline + 1);
        let mut walk = Self {
            code,
            first: start,
            end,
            previous: None,
            statement: Frame::new(Opener::Statement, start),
            frames: Vec::new(),
            compound: false,
            guard: false,
        };
        walk.begin(start);
        let mut closed = None;
        let mut new_line = false;
        for index in start..end {
            let kind = code.kind(index);
            if is_trivia(kind) {
                new_line |= kind == TokenKind::NonLogicalNewline;
                continue;
            }
            // A statement's first word inside brackets: the brackets above belong to broken code.
            if new_line && !walk.frames.is_empty() && begins_statement(kind) {
                walk.begin(index);
            }
            new_line = false;
            if walk.previous.is_none() {
                walk.first = index;
                walk.compound = is_compound(code, index);
            }
            closed = walk.step(index, kind, closed);
        }
        walk
    }

    fn begin(&mut self, index: usize) {
        self.first = index;
        self.previous = None;
        self.compound = false;
        self.guard = false;
        self.statement = Frame::new(Opener::Statement, index);
        self.frames.clear();
    }

    /// Takes one token; `closed` is the interpolation that ended with the token before.
    fn step(&mut self, index: usize, kind: TokenKind, closed: Option<usize>) -> Option<usize> {
        let mut ended = None;
        match kind {
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => {
                let opener = self.opener(index, kind, closed);
                let targets = opener == Opener::Group && self.top().targets;
                self.frames.push(Frame {
                    targets,
                    ..Frame::new(opener, index)
                });
            }
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => {
                self.leave_lambdas();
                if let Some(frame) = self.frames.pop()
                    && frame.opener == Opener::Interpolation
                {
                    ended = Some(index);
                }
            }
            TokenKind::Comma => {
                if matches!(self.top().opener, Opener::Lambda { body: true }) {
                    self.leave_lambdas();
                }
                let frame = self.top_mut();
                frame.commas += 1;
                frame.positional += usize::from(frame.given.is_empty());
                frame.item = index + 1;
                frame.colon = false;
                frame.equal = false;
                frame.keyword = None;
            }
            TokenKind::Colon => match self.top().opener {
                Opener::Lambda { body: false } => self.top_mut().opener = Opener::Lambda { body: true },
                _ => {
                    self.leave_lambdas();
                    if self.frames.is_empty() && self.compound {
                        self.begin(index + 1);
                        return None;
                    }
                    self.top_mut().colon = true;
                }
            },
            TokenKind::Semi => {
                self.leave_lambdas();
                if self.frames.is_empty() {
                    self.begin(index + 1);
                    return None;
                }
            }
            TokenKind::Equal => {
                let code = self.code;
                let name = self.previous.filter(|name| is_name(code.kind(*name)));
                let frame = self.top_mut();
                frame.equal = true;
                if frame.opener == Opener::Call
                    && let Some(name) = name
                    && frame.begins_at(name, code)
                {
                    frame.given.push(code.token(name).to_owned());
                    frame.keyword = Some(code.token(name).to_owned());
                }
            }
            TokenKind::For => {
                if matches!(self.top().opener, Opener::Lambda { body: true }) {
                    self.leave_lambdas();
                }
                self.top_mut().targets = true;
            }
            TokenKind::In => self.top_mut().targets = false,
            TokenKind::If if self.frames.is_empty() => self.guard = true,
            TokenKind::Lambda => self
                .frames
                .push(Frame::new(Opener::Lambda { body: false }, index)),
            _ => {}
        }
        self.previous = Some(index);
        ended
    }

    fn opener(&self, index: usize, kind: TokenKind, closed: Option<usize>) -> Opener {
        let Some(previous) = self.previous else {
            return Opener::Group;
        };
        let head = self.frames.is_empty();
        let seen = |opener: TokenKind| (self.first..index).any(|before| self.code.kind(before) == opener);
        let defines = |kinds: &[TokenKind]| head && kinds.contains(&self.word());
        match kind {
            TokenKind::Lbrace => {
                let in_string = matches!(
                    self.code.kind(index - 1),
                    TokenKind::FStringStart
                        | TokenKind::FStringMiddle
                        | TokenKind::TStringStart
                        | TokenKind::TStringMiddle
                );
                let top = self.top();
                let in_format = top.opener == Opener::Interpolation && top.colon;
                match in_string || in_format || closed == Some(previous) {
                    true => Opener::Interpolation,
                    false => Opener::Group,
                }
            }
            TokenKind::Lpar if defines(&[TokenKind::Def]) && !seen(TokenKind::Lpar) => Opener::Parameters,
            TokenKind::Lpar if defines(&[TokenKind::Class]) && !seen(TokenKind::Lpar) => Opener::Bases,
            TokenKind::Lsqb
                if defines(&[TokenKind::Def, TokenKind::Class, TokenKind::Type])
                    && !seen(TokenKind::Lpar)
                    && !seen(TokenKind::Equal) =>
            {
                Opener::TypeParameters
            }
            // `case (a, b):` has a pattern, no call.
            TokenKind::Lpar | TokenKind::Lsqb if self.word() == TokenKind::Case && previous == self.first => {
                Opener::Group
            }
            _ if !self.code.is_operand(previous) => Opener::Group,
            TokenKind::Lpar => Opener::Call,
            _ => Opener::Subscript,
        }
    }

    /// The word that the statement begins with, `async` left out.
    pub(super) fn word(&self) -> TokenKind {
        match first_word(self.code, self.first) {
            TokenKind::Async | TokenKind::Lazy => self.code.kind(self.first + 1),
            kind => kind,
        }
    }

    pub(super) fn top(&self) -> &Frame {
        self.frames.last().unwrap_or(&self.statement)
    }

    fn top_mut(&mut self) -> &mut Frame {
        self.frames.last_mut().unwrap_or(&mut self.statement)
    }

    /// True in the pattern of a `case`.
    pub(super) fn in_pattern(&self) -> bool {
        self.word() == TokenKind::Case && self.compound && !self.guard
    }

    /// Where the head of a function begins that lasts at the cursor.
    pub(super) fn head(&self) -> Option<usize> {
        let first = self.code.tokens.get(self.first)?;
        (self.compound && self.word() == TokenKind::Def).then(|| first.start().to_usize())
    }

    /// `base` and the commas within its bracket, where the cursor stands right behind `base[`, `base[[` or a comma there.
    pub(super) fn bracket(&self) -> Option<(String, usize)> {
        let frame = self.around().filter(|it| it.opener == Opener::Subscript)?;
        let last = self.code.before(frame.open)?;
        let begins = self.top().begins_at(self.end, self.code);
        begins.then(|| Some((self.code.expression(last)?, frame.commas)))?
    }

    /// What an element is in that begins at the cursor: a list or tuple is as good as the element itself.
    pub(super) fn around(&self) -> Option<&Frame> {
        let is_grouping =
            |it: &Frame| it.opener == Opener::Group && self.code.kind(it.open) != TokenKind::Lbrace;
        self.frames.iter().rev().find(|frame| !is_grouping(frame))
    }

    fn leave_lambdas(&mut self) {
        while matches!(self.top().opener, Opener::Lambda { .. }) {
            self.frames.pop();
        }
    }

    /// The calls around the cursor, innermost first. `behind` is the index of the first token behind it.
    pub(super) fn calls(&self, behind: usize) -> Vec<Call> {
        if self.in_pattern() {
            return Vec::new();
        }
        let innermost = self.frames.len().wrapping_sub(1);
        self.frames
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, frame)| frame.opener == Opener::Call)
            .filter_map(|(depth, frame)| {
                let callee = self.code.expression(self.code.before(frame.open)?)?;
                let mut given = frame.given.clone();
                if depth == innermost {
                    self.given_behind(behind, &mut given);
                }
                Some(Call {
                    callee,
                    index: frame.commas,
                    positional: frame.positional,
                    keyword: frame.keyword.clone(),
                    begins: depth == innermost && frame.begins_at(self.end, self.code),
                    given,
                    written: self.written(frame.open).unwrap_or_default().to_owned(),
                })
            })
            .collect()
    }

    /// What stands behind token `open`, as far as the walk went.
    fn written(&self, open: usize) -> Option<&'a str> {
        let start = self.code.tokens.get(open)?.end().to_usize();
        let end = self.code.tokens.get(self.end)?.start().to_usize();
        let written = self.code.text.get(start..end)?;
        (written.len() <= MOST_WRITTEN).then_some(written)
    }

    /// The call in whose brackets the walk ended, when token `index` begins an element of it.
    pub(super) fn call_of_item(&self, index: usize) -> Option<Call> {
        (self.top().opener == Opener::Call).then(|| self.calls(index).into_iter().next())?
    }

    /// The keywords behind the cursor, up to the end of the brackets.
    fn given_behind(&self, behind: usize, given: &mut Vec<String>) {
        let mut depth = 0_usize;
        let mut before = TokenKind::Comma;
        for index in behind..behind.saturating_add(LOOK_AHEAD) {
            let kind = self.code.kind(index);
            match kind {
                TokenKind::Newline | TokenKind::EndOfFile | TokenKind::Semi => return,
                TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => depth += 1,
                TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => match depth.checked_sub(1) {
                    Some(left) => depth = left,
                    None => return,
                },
                kind if depth == 0
                    && is_name(kind)
                    && before == TokenKind::Comma
                    && self.code.kind(index + 1) == TokenKind::Equal =>
                {
                    given.push(self.code.token(index).to_owned());
                }
                _ => {}
            }
            if !is_trivia(kind) {
                before = kind;
            }
        }
    }
}

/// The kind of a statement's first token. To the parser `match`, `case` and `type` are names until the statement
/// is whole.
fn first_word(code: Code, index: usize) -> TokenKind {
    match (code.kind(index), code.token(index)) {
        (TokenKind::Name, "match") => TokenKind::Match,
        (TokenKind::Name, "case") => TokenKind::Case,
        (TokenKind::Name, "type") => TokenKind::Type,
        (TokenKind::Name, "lazy") => TokenKind::Lazy,
        (kind, _) => kind,
    }
}

fn is_compound(code: Code, index: usize) -> bool {
    match first_word(code, index) {
        TokenKind::If
        | TokenKind::Elif
        | TokenKind::Else
        | TokenKind::For
        | TokenKind::While
        | TokenKind::With
        | TokenKind::Try
        | TokenKind::Except
        | TokenKind::Finally
        | TokenKind::Def
        | TokenKind::Class
        | TokenKind::Async => true,
        // `match` and `case` are names where an operator follows.
        TokenKind::Match | TokenKind::Case => !matches!(
            code.kind(index + 1),
            TokenKind::Equal | TokenKind::Dot | TokenKind::Comma | TokenKind::Colon | TokenKind::Newline
        ),
        _ => false,
    }
}

/// Words that only a statement can begin with.
fn begins_statement(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Def
            | TokenKind::Class
            | TokenKind::Import
            | TokenKind::With
            | TokenKind::While
            | TokenKind::Return
            | TokenKind::Del
            | TokenKind::Raise
            | TokenKind::Try
            | TokenKind::Except
            | TokenKind::Finally
            | TokenKind::Elif
            | TokenKind::Assert
            | TokenKind::Global
            | TokenKind::Nonlocal
            | TokenKind::Pass
            | TokenKind::Break
            | TokenKind::Continue
    )
}
