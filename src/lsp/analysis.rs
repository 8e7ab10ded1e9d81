//! What can be known from source text alone: one parsed program per document or notebook, with its names resolved.
//!
//! The language server's requests and the engine for Jupyter's own requests build on it. It never touches Python,
//! never panics on broken code (the parser recovers), and refuses nesting that would exhaust a stack.

mod binder;
pub mod cursor;
pub mod depth;
pub mod describe;
pub mod expression;
pub mod model;
mod resolve;
mod table;

use std::borrow::Cow;

use lsp_types::Uri;
use ruff_python_ast::{ModModule, PythonVersion};
use ruff_python_parser::{Mode, ParseOptions, Parsed, parse_cells_unchecked, parse_unchecked};
use ruff_text_size::{TextRange, TextSize};

pub use model::{Binding, BindingKind, Model, ScopeKind, SymbolId};
pub use table::Named;

/// Programs longer than this many bytes are not analysed: a parse would take longer than an answer may
/// (measured: about 25 ms for each MiB).
pub const MAX_SOURCE: usize = 4 * 1024 * 1024;

/// Cell magics whose body is Python that runs in the session.
const PYTHON_CELL_MAGICS: [&str; 16] = [
    "capture",
    "code_wrap",
    "debug",
    "heat",
    "lprun",
    "memit",
    "mprun",
    "prun",
    "pyinstrument",
    "scalene",
    "skip",
    "snakeviz",
    "time",
    "timeit",
    "timer",
    "trace",
];

/// Cell magics whose body is something else. The body of any other magic is read if it looks like Python.
#[rustfmt::skip]
const OTHER_CELL_MAGICS: [&str; 48] = [
    "!", "HTML", "R", "SVG", "ai", "bash", "bigquery", "cmd", "cpp", "css", "cu", "dot", "duckdb", "file",
    "fortran", "graphviz", "html", "javascript", "jl", "js", "json", "julia", "latex", "markdown", "md",
    "mermaid", "octave", "perl", "powershell", "prql", "pwsh", "pypy", "python", "python2", "python3", "raw",
    "ruby", "rust", "script", "sh", "sql", "svg", "sx", "system", "text", "toml", "writefile", "yaml",
];

/// One cell of a notebook, or the whole of a plain document.
#[derive(Debug, Clone)]
pub struct Part {
    /// The text document that this part came from.
    pub uri: Uri,
    /// Where it stands in [`Program::source`], in bytes.
    pub start: usize,
    /// Where it ends, in bytes.
    pub end: usize,
    /// Where its [`depth::pieces()`] end, if it is not too deep.
    pieces: Vec<usize>,
}

/// What is not Python in a part, or cannot be analysed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skipped {
    /// A cell in another language (`%%bash`).
    OtherLanguage,
    /// Nested deeper than [`depth::LIMIT`].
    TooDeep,
    /// Longer than [`MAX_SOURCE`].
    TooLong,
}

/// A parsed program.
#[derive(Debug)]
pub struct Program {
    /// All parts, each followed by a newline.
    pub source: String,
    /// The parts in order; never empty.
    pub parts: Vec<Part>,
    /// Parts that were not parsed, by index.
    pub skipped: Vec<(usize, Skipped)>,
    /// Parts behind a magic that is not known, by index: they look like Python, but what they see is the magic's affair.
    pub guessed: Vec<usize>,
    /// Syntax tree, tokens and errors, with offsets into [`Program::source`].
    pub module: Parsed<ModModule>,
    /// Scopes, names and their uses.
    pub model: Model,
}

impl Program {
    /// Parses `texts` as one program: what an earlier part defines, a later one may use.
    pub fn parse<'a>(texts: impl IntoIterator<Item = (Uri, &'a str)>, ipython: bool) -> Self {
        Self::parse_again(None, texts, ipython)
    }

    /// As [`Program::parse`]. What `before` knows of a text that is the same or nearly so is not found out again.
    pub fn parse_again<'a>(
        before: Option<&Self>,
        texts: impl IntoIterator<Item = (Uri, &'a str)>,
        ipython: bool,
    ) -> Self {
        let mut source = String::new();
        let mut parts = Vec::new();
        for (uri, text) in texts {
            let start = source.len();
            source.reserve(text.len() + 1);
            source.push_str(text);
            parts.push(Part {
                uri,
                start,
                end: source.len(),
                pieces: Vec::new(),
            });
            source.push('\n');
        }
        let (mut skipped, mut guessed) = (Vec::new(), Vec::new());
        let mut masked = Cow::Borrowed(source.as_str());
        // Parts that follow one another mostly did so before: where that one was, the next one was behind it.
        let mut moved = 0_isize;
        for (index, part) in parts.iter_mut().enumerate() {
            let text = source.get(part.start..part.end).unwrap_or_default();
            let is_shallow = || {
                let before = before.filter(|_| text.len() > depth::LIMIT);
                let measured = before.and_then(|before| {
                    let was = before.place_of(&part.uri, index.saturating_add_signed(moved))?;
                    moved = was.cast_signed() - index.cast_signed();
                    before.measured(was)
                });
                let pieces = depth::pieces(text, measured);
                pieces.map(|pieces| part.pieces = pieces).is_some()
            };
            match read(text, source.len(), ipython, is_shallow) {
                Reading::Python => {}
                Reading::Guessed => guessed.push(index),
                Reading::Skipped(reason, from) => {
                    skipped.push((index, reason));
                    let hidden = text.get(from..).unwrap_or_default();
                    let blanks: String = hidden.bytes().map(blank).collect();
                    masked
                        .to_mut()
                        .replace_range(part.end - hidden.len()..part.end, &blanks);
                }
            }
        }
        let mode = if ipython { Mode::Ipython } else { Mode::Module };
        let ranges: Vec<TextRange> = parts
            .iter()
            .map(|part| TextRange::new(size(part.start), size(part.end)))
            .collect();
        // Which Python will run the code is its own business: the newest syntax is accepted.
        let options = ParseOptions::from(mode).with_target_version(PythonVersion::latest());
        let module = parse_cells_unchecked(&masked, ranges, &options);
        let model = binder::bind(module.syntax(), &masked);
        Self {
            source,
            parts,
            skipped,
            guessed,
            module,
            model,
        }
    }

    /// A program of one text without a document.
    pub fn plain(text: &str) -> Self {
        Self::parse([(Uri(String::new()), text)], true)
    }

    /// The index of the part from `uri`; it is looked for at `likely` first.
    fn place_of(&self, uri: &Uri, likely: usize) -> Option<usize> {
        let is_it = |index: &usize| self.parts.get(*index).is_some_and(|part| part.uri == *uri);
        Some(likely)
            .filter(is_it)
            .or_else(|| (0..self.parts.len()).find(is_it))
    }

    /// What is known of the nesting of a part.
    fn measured(&self, index: usize) -> Option<depth::Measured<'_>> {
        if self.skipped.iter().any(|(skipped, _)| *skipped == index) {
            return None;
        }
        let part = self.parts.get(index)?;
        Some(depth::Measured {
            source: self.source.get(part.start..part.end)?,
            ends: &part.pieces,
        })
    }

    /// The text of `range`; empty where it is no text.
    pub fn text(&self, range: TextRange) -> &str {
        self.source
            .get(range.start().to_usize()..range.end().to_usize())
            .unwrap_or_default()
    }

    /// The index of the part that holds byte `offset`.
    pub fn part_at(&self, offset: usize) -> usize {
        self.parts
            .partition_point(|part| part.start <= offset)
            .saturating_sub(1)
    }

    /// The line around `offset`, up to it.
    pub fn line_before(&self, offset: usize) -> &str {
        let before = self.source.get(..offset).unwrap_or(&self.source);
        let start = before.rfind(['\n', '\r']).map_or(0, |at| at + 1);
        before.get(start..).unwrap_or_default()
    }
}

/// A byte offset as ruff's crates write it. Sources are limited to [`MAX_SOURCE`], so it always fits.
pub fn size(offset: usize) -> TextSize {
    TextSize::try_from(offset).unwrap_or_else(|_| TextSize::new(u32::MAX))
}

/// What becomes of a part.
enum Reading {
    Python,
    Guessed,
    /// Not read from this byte on.
    Skipped(Skipped, usize),
}

fn read(text: &str, whole: usize, ipython: bool, is_shallow: impl FnOnce() -> bool) -> Reading {
    if whole > MAX_SOURCE {
        return Reading::Skipped(Skipped::TooLong, 0);
    }
    let magic = text.trim_start().strip_prefix("%%").filter(|_| ipython);
    let name = magic.map(|rest| rest.split_whitespace().next().unwrap_or_default());
    let body = magic.map_or(0, |rest| {
        text.len() - rest.len() + rest.find(['\n', '\r']).unwrap_or(rest.len())
    });
    let is_other = name.is_some_and(|name| OTHER_CELL_MAGICS.binary_search(&name).is_ok());
    if is_other {
        return Reading::Skipped(Skipped::OtherLanguage, body);
    }
    if !is_shallow() {
        return Reading::Skipped(Skipped::TooDeep, 0);
    }
    if name.is_none_or(|name| PYTHON_CELL_MAGICS.binary_search(&name).is_ok()) {
        return Reading::Python;
    }
    let options = ParseOptions::from(Mode::Ipython).with_target_version(PythonVersion::latest());
    match parse_unchecked(text.get(body..).unwrap_or_default(), options).errors() {
        [] => Reading::Guessed,
        _ => Reading::Skipped(Skipped::OtherLanguage, body),
    }
}

/// What hides a byte without moving anything: a space, but line ends stay.
fn blank(byte: u8) -> char {
    match byte {
        b'\n' | b'\r' => char::from(byte),
        _ => ' ',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notebook(cells: &[&str]) -> Program {
        Program::parse(
            cells
                .iter()
                .enumerate()
                .map(|(index, text)| (Uri(format!("cell:{index}")), *text)),
            true,
        )
    }

    #[test]
    fn ipython_syntax_has_no_errors() {
        let program = Program::plain("%matplotlib inline\n!ls -l\nfiles = !ls\nlen?\nawait x\n");
        assert_eq!(program.module.errors(), []);
    }

    #[test]
    fn a_broken_cell_does_not_break_the_next() {
        let program = notebook(&["def f(:\n  x = (", "y = 1", "%%bash\nfor x in *; do", "z = y"]);
        assert!(!program.module.errors().is_empty());
        assert_eq!(program.skipped, [(2, Skipped::OtherLanguage)]);
        let end = program.parts.first().map_or(0, |part| part.end);
        for error in program.module.errors() {
            assert!(error.location.start().to_usize() <= end);
        }
        assert!(program.model.module_symbol("y").is_some());
        assert!(program.model.module_symbol("z").is_some());
    }

    #[test]
    fn what_a_cell_below_binds_is_not_seen_yet() {
        let program = notebook(&["a = 'text'", "a\ndef f(): a", "a = 1"]);
        let symbol = program.model.module_symbol("a");
        let shown = |offset| {
            let binding = symbol.and_then(|it| program.model.binding(program.spot(offset), it));
            binding.and_then(describe::type_name)
        };
        assert_eq!(shown(12), Some("str"));
        // A function may run after that cell.
        assert_eq!(
            shown(program.source.find(": a").map_or(0, |at| at + 3)),
            Some("int")
        );
        assert_eq!(shown(program.source.len()), Some("int"));
    }

    #[test]
    fn a_part_is_found_wherever_it_has_gone() {
        let program = notebook(&["a = 1"; 5]);
        for (uri, likely, place) in [
            ("cell:3", 3, Some(3)),
            ("cell:3", 4, Some(3)),
            ("cell:0", 99, Some(0)),
            ("cell:5", 2, None),
        ] {
            assert_eq!(program.place_of(&Uri(uri.to_owned()), likely), place, "{uri}");
        }
    }

    #[test]
    fn cells_of_magics_are_read_where_they_are_python() {
        let program = notebook(&[
            "%%bash --out x --err y\nfor x in *; do",
            "%%memit\nm = 1",
            "%%unheard_of\nu = 1",
            "%%unheard_of\n<b>",
            "\n%%capture c\nd = 1",
            "%%writefile w.py\nw = 1",
        ]);
        let other = [0, 3, 5].map(|index| (index, Skipped::OtherLanguage));
        assert_eq!(program.skipped, other);
        assert_eq!(program.guessed, [2]);
        assert_eq!(program.module.errors(), []);
        for (name, is_bound) in [
            ("x", true),
            ("y", true),
            ("m", true),
            ("u", true),
            ("c", true),
            ("d", true),
            ("w", false),
        ] {
            assert_eq!(program.model.module_symbol(name).is_some(), is_bound, "{name}");
        }
        assert!(PYTHON_CELL_MAGICS.is_sorted() && OTHER_CELL_MAGICS.is_sorted());
    }

    #[test]
    fn hostile_nesting_is_refused_and_the_rest_is_read() {
        for bomb in [
            "(".repeat(100_000),
            format!("x{}", ".a".repeat(100_000)),
            format!("x = {}1", "-".repeat(100_000)),
            format!("x = {}1", "lambda a, b: ".repeat(100_000)),
            format!("x = 1{}", " + 1".repeat(100_000)),
        ] {
            let program = notebook(&[&bomb, "fine = 1"]);
            assert_eq!(program.skipped, [(0, Skipped::TooDeep)]);
            let again = Program::parse_again(Some(&program), [(Uri("cell:0".to_owned()), &*bomb)], true);
            assert_eq!(again.skipped, [(0, Skipped::TooDeep)]);
            assert!(program.model.module_symbol("fine").is_some());
        }
        let data = format!("x = [{}]", "1, (2 + 3), ".repeat(50_000));
        assert_eq!(notebook(&[&data]).skipped, []);
    }
}
