//! Names in IPython's own syntax: `%timeit f(x)`, `!ls {folder}`, `obj?`.
//!
//! Their text is not Python, so names in it are only mentioned: enough to keep an import from looking unused,
//! too little for a rename or a warning.

use ruff_python_ast::IpyEscapeKind;

use super::Binder;

/// Magics after which names exist that no text shows.
const DEFINING_MAGICS: [&str; 9] = [
    "run", "pylab", "store", "load", "load_ext", "loadpy", "capture", "macro", "sql",
];

impl Binder<'_> {
    /// Reads the text of an escape command.
    pub(super) fn escape(&mut self, kind: IpyEscapeKind, text: &str) {
        if matches!(kind, IpyEscapeKind::Magic | IpyEscapeKind::Magic2) {
            let magic = text.split_whitespace().next().unwrap_or_default();
            if DEFINING_MAGICS.contains(&magic)
                && let Some(scope) = self.scope()
            {
                scope.dynamic = true;
            }
        }
        let is_word = |char: char| char == '_' || char.is_alphanumeric();
        for word in text.split(|char| !is_word(char)) {
            if word.starts_with(|char: char| char == '_' || char.is_alphabetic()) {
                self.mention(word);
            }
        }
    }
}
