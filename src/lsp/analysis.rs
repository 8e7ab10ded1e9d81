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

use lsp_types::Uri;
use ruff_python_ast::{ModModule, PythonVersion};
use ruff_python_parser::{Mode, ParseOptions, Parsed, parse_cells_unchecked};
use ruff_text_size::{TextRange, TextSize};

pub use model::{Binding, BindingKind, Model, ScopeKind, SymbolId};

/// Programs longer than this many bytes are not analysed: a parse would take longer than an answer may
/// (measured: about 25 ms for each MiB).
pub const MAX_SOURCE: usize = 4 * 1024 * 1024;

/// Cell magics whose body is Python; the body of any other is another language's business.
const PYTHON_CELL_MAGICS: [&str; 8] = [
    "time",
    "timeit",
    "capture",
    "prun",
    "python3",
    "pypy",
    "debug",
    "code_wrap",
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
    /// Syntax tree, tokens and errors, with offsets into [`Program::source`].
    pub module: Parsed<ModModule>,
    /// Scopes, names and their uses.
    pub model: Model,
}

impl Program {
    /// Parses `texts` as one program: what an earlier part defines, a later one may use.
    pub fn parse<'a>(texts: impl IntoIterator<Item = (Uri, &'a str)>, ipython: bool) -> Self {
        let mut source = String::new();
        let mut parts = Vec::new();
        for (uri, text) in texts {
            let start = source.len();
            source.push_str(text);
            parts.push(Part {
                uri,
                start,
                end: source.len(),
            });
            source.push('\n');
        }
        let skipped: Vec<_> = parts
            .iter()
            .enumerate()
            .filter_map(|(index, part)| {
                let text = source.get(part.start..part.end)?;
                Some((index, reason_to_skip(text, source.len(), ipython)?))
            })
            .collect();
        let mode = if ipython { Mode::Ipython } else { Mode::Module };
        let mut masked = source.clone();
        for (index, _) in &skipped {
            if let Some(part) = parts.get(*index) {
                mask(&mut masked, part.start, part.end);
            }
        }
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
            module,
            model,
        }
    }

    /// A program of one text without a document.
    pub fn plain(text: &str) -> Self {
        Self::parse([(Uri(String::new()), text)], true)
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

fn reason_to_skip(text: &str, whole: usize, ipython: bool) -> Option<Skipped> {
    if whole > MAX_SOURCE {
        return Some(Skipped::TooLong);
    }
    if ipython
        && let Some(magic) = text.trim_start().strip_prefix("%%")
        && !PYTHON_CELL_MAGICS.contains(&magic.split_whitespace().next().unwrap_or_default())
    {
        return Some(Skipped::OtherLanguage);
    }
    (depth::of(text) > depth::LIMIT).then_some(Skipped::TooDeep)
}

/// Blanks a part without moving anything: bytes become spaces, line ends stay.
fn mask(source: &mut String, start: usize, end: usize) {
    let blank: String = source
        .get(start..end)
        .unwrap_or_default()
        .bytes()
        .map(|byte| match byte {
            b'\n' | b'\r' => char::from(byte),
            _ => ' ',
        })
        .collect();
    source.replace_range(start..end, &blank);
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
            assert!(program.model.module_symbol("fine").is_some());
        }
        let data = format!("x = [{}]", "1, (2 + 3), ".repeat(50_000));
        assert_eq!(notebook(&[&data]).skipped, []);
    }
}
