//! Names in IPython's own syntax: `%time x = f()`, `%%capture out`, `!ls {folder}`, `obj?`.
//!
//! A statement behind a magic is read as Python. Words of other commands are only mentioned: enough to keep an import
//! from looking unused, too little for a rename or a warning.

use ruff_python_ast::IpyEscapeKind;
use ruff_python_ast::name::Name;
use ruff_python_ast::visitor::Visitor;
use ruff_python_parser::{Mode, ParseOptions, parse_cells_unchecked};
use ruff_text_size::{TextRange, TextSize};

use super::{Binder, targets};
use crate::lsp::analysis::model::BindingKind;
use crate::lsp::analysis::{depth, size};

/// A statement behind a magic that nests deeper is not read: its nesting adds to that of the text around it.
const DEEPEST: usize = 40;

/// Which names a magic binds.
enum Binds {
    /// None.
    Nothing,
    /// Those that its statement binds; these options of it take a value.
    Statement(&'static str),
    /// Its first argument.
    Argument,
    /// The values of these options.
    Options(&'static [&'static str]),
    /// `x << …`, or the value of `-o`.
    Query,
    /// Its arguments, or anything without them, if `-r` is given.
    Stored,
    /// Names that no text shows.
    Anything,
}

fn binds(magic: &str) -> Binds {
    match magic {
        "time" | "snakeviz" | "pyinstrument" => Binds::Statement(""),
        "timeit" => Binds::Statement("nrp"),
        "prun" => Binds::Statement("lsTD"),
        "memit" => Binds::Statement("rti"),
        "mprun" | "lprun" => Binds::Statement("fmTDsuz"),
        "capture" | "macro" | "bigquery" => Binds::Argument,
        "bash" | "sh" | "script" | "perl" | "ruby" | "pypy" | "python" | "python2" | "python3" | "cmd" => {
            Binds::Options(&["--out", "--err", "--proc"])
        }
        "R" | "octave" | "spark" => Binds::Options(&["-o", "--output"]),
        "sql" => Binds::Query,
        "store" => Binds::Stored,
        // An extension that is loaded binds nothing itself: what its magics bind, they bind when they are called.
        "run" | "pylab" | "edit" | "ed" | "paste" | "cpaste" | "cython" | "Rpull" => Binds::Anything,
        _ => Binds::Nothing,
    }
}

/// A word and where it stands in the program.
struct Word<'s> {
    text: &'s str,
    range: TextRange,
}

impl Binder<'_> {
    /// Reads the escape command in `range`.
    pub(super) fn escape(&mut self, kind: IpyEscapeKind, range: TextRange) {
        let source = self.source;
        let text = source
            .get(range.start().to_usize()..range.end().to_usize())
            .unwrap_or_default();
        if matches!(kind, IpyEscapeKind::Magic | IpyEscapeKind::Magic2) {
            let name = text.trim_start_matches('%');
            let words = words(name, range.end() - size(name.len()));
            if let Some((magic, arguments)) = words.split_first() {
                self.magic(magic.text, arguments, range.end());
                return;
            }
        }
        self.mention_words(text);
    }

    fn magic(&mut self, magic: &str, arguments: &[Word], end: TextSize) {
        let plain = || arguments.iter().filter(|it| !it.text.starts_with('-'));
        let bound: Vec<&Word> = match binds(magic) {
            Binds::Nothing => Vec::new(),
            Binds::Statement(valued) => return self.timed(arguments, valued, end),
            Binds::Argument => plain().take(1).collect(),
            Binds::Options(options) => values(arguments, options),
            Binds::Query => match arguments {
                [name, arrow, ..] if arrow.text == "<<" => vec![name],
                _ => values(arguments, &["-o", "--output"]),
            },
            Binds::Stored if arguments.iter().any(|it| it.text == "-r") => {
                if plain().next().is_none() {
                    self.anything();
                }
                plain().collect()
            }
            Binds::Stored => Vec::new(),
            Binds::Anything => {
                self.anything();
                Vec::new()
            }
        };
        for word in arguments {
            match bound.iter().any(|it| it.range == word.range) {
                true => self.assigned(word),
                false => self.mention_words(word.text),
            }
        }
    }

    /// The statement that a magic runs, behind its options.
    fn timed(&mut self, arguments: &[Word], valued: &str, end: TextSize) {
        let mut rest = arguments;
        while let [option, others @ ..] = rest {
            let Some(letters) = option.text.strip_prefix('-') else {
                break;
            };
            let takes_next = letters.len() == 1 && valued.contains(letters);
            rest = others.get(usize::from(takes_next)..).unwrap_or_default();
        }
        let is_read = match rest.first() {
            Some(first) => self.statement(TextRange::new(first.range.start(), end)),
            None => true,
        };
        let unread = if is_read {
            arguments.len() - rest.len()
        } else {
            arguments.len()
        };
        for word in arguments.iter().take(unread) {
            self.mention_words(word.text);
        }
    }

    /// Reads Python in the midst of the text; false where it is none.
    fn statement(&mut self, range: TextRange) -> bool {
        let text = self
            .source
            .get(range.start().to_usize()..range.end().to_usize())
            .unwrap_or_default();
        if depth::measure(text) > DEEPEST {
            return false;
        }
        let options = ParseOptions::from(Mode::Module);
        let parsed = parse_cells_unchecked(self.source, [range], &options);
        let is_python = parsed.errors().is_empty();
        if is_python {
            self.visit_body(parsed.suite());
        }
        is_python
    }

    fn assigned(&mut self, word: &Word) {
        for (start, name) in names(word.text) {
            let range = TextRange::at(word.range.start() + size(start), size(name.len()));
            self.bind(
                &Name::new(name),
                targets::plain(BindingKind::Target, range, word.range),
            );
        }
    }

    fn anything(&mut self) {
        if let Some(scope) = self.scope() {
            scope.dynamic = true;
        }
    }

    fn mention_words(&mut self, text: &str) {
        for (_, name) in names(text) {
            self.mention(name);
        }
    }
}

/// What stands behind one of `options`.
fn values<'w, 's>(arguments: &'w [Word<'s>], options: &[&str]) -> Vec<&'w Word<'s>> {
    let pairs = arguments.iter().zip(arguments.iter().skip(1));
    pairs
        .filter(|(option, _)| options.contains(&option.text))
        .map(|(_, value)| value)
        .collect()
}

/// The words of `text`, which starts at `start`.
fn words(text: &str, start: TextSize) -> Vec<Word<'_>> {
    pieces(text, |char| !char.is_whitespace())
        .map(|(at, text)| Word {
            text,
            range: TextRange::at(start + size(at), size(text.len())),
        })
        .collect()
}

/// The names in `text`.
fn names(text: &str) -> impl Iterator<Item = (usize, &str)> {
    pieces(text, |char| char == '_' || char.is_alphanumeric())
        .filter(|(_, word)| !word.starts_with(char::is_numeric))
}

/// The longest runs of characters for which `is_in` holds, and where they begin.
fn pieces(text: &str, is_in: fn(char) -> bool) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..)?;
        let start = at + rest.find(is_in)?;
        let rest = text.get(start..)?;
        let piece = rest.get(..rest.find(|char| !is_in(char)).unwrap_or(rest.len()))?;
        at = start + piece.len();
        Some((start, piece))
    })
}
