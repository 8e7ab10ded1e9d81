//! Comments that silence a diagnostic, as ruff and the type checkers read them: `# noqa`, `# noqa: F401`,
//! `# ruff: noqa` for all of the program, `# type: ignore`.
//!
//! Used by [`super::diagnostics`] alone. What does not parse is told in any case, as ruff does.

use ruff_python_ast::token::TokenKind;
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::diagnostics::{Kind, Problem};
use crate::lsp::analysis::{Program, size};

/// What type checkers call a name that nothing defines.
const UNDEFINED: [&str; 4] = [
    "name-defined",
    "reportUndefinedVariable",
    "unknown-name",
    "unresolved-reference",
];

/// The silencing comments of a program.
pub(super) struct Silence<'p> {
    program: &'p Program,
    everywhere: Vec<Silenced>,
    /// The line of each, up to the end of the comment; in order.
    lines: Vec<(TextRange, Silenced)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Silenced {
    Everything,
    Codes(Vec<String>),
}

impl Silenced {
    fn covers(&self, kind: Kind) -> bool {
        let Some(code) = kind.ruff() else { return false };
        match self {
            Self::Everything => true,
            Self::Codes(codes) => codes.iter().any(|it| it.eq_ignore_ascii_case(code)),
        }
    }
}

impl<'p> Silence<'p> {
    /// Reads the comments of `program`.
    pub(super) fn of(program: &'p Program) -> Self {
        let mut silence = Self {
            program,
            everywhere: Vec::new(),
            lines: Vec::new(),
        };
        for token in program.module.tokens().iter() {
            if token.kind() != TokenKind::Comment {
                continue;
            }
            for directive in program.text(token.range()).split('#') {
                let (silenced, is_everywhere) = match read(directive.trim_start()) {
                    Some(found) => found,
                    None => continue,
                };
                if is_everywhere {
                    silence.everywhere.push(silenced);
                } else {
                    let line = program.line_before(token.start().to_usize());
                    let range = TextRange::new(token.start() - size(line.len()), token.end());
                    silence.lines.push((range, silenced));
                }
            }
        }
        silence
    }

    /// True when a comment silences `problem`.
    pub(super) fn covers(&self, problem: &Problem) -> bool {
        let on_line = |at: TextSize| {
            let next = self.lines.partition_point(|(line, _)| line.start() <= at);
            let before = self.lines.get(..next).unwrap_or_default().iter().rev();
            before
                .take_while(|(line, _)| line.contains_inclusive(at))
                .any(|(_, silenced)| silenced.covers(problem.kind))
        };
        // An import of several lines is silenced as a whole where it begins.
        let statement = || Some(self.program.model.binding_at(problem.range)?.whole.start());
        self.everywhere.iter().any(|it| it.covers(problem.kind))
            || on_line(problem.range.start())
            || (problem.kind == Kind::UnusedImport && statement().is_some_and(on_line))
    }
}

/// What a comment silences, and whether it does so everywhere; `text` is what follows its `#`.
fn read(text: &str) -> Option<(Silenced, bool)> {
    let (word, rest) = text.split_at(
        text.find(|char: char| !char.is_alphanumeric())
            .unwrap_or(text.len()),
    );
    match word.to_ascii_lowercase().as_str() {
        "noqa" => Some((codes(rest)?, false)),
        "ruff" | "flake8" => {
            let rest = rest.trim_start().strip_prefix(':')?.trim_start();
            let (noqa, rest) = rest.split_at_checked(4)?;
            noqa.eq_ignore_ascii_case("noqa").then_some(())?;
            Some((codes(rest)?, true))
        }
        "type" | "pyright" | "ty" | "pyrefly" => {
            let rest = rest
                .trim_start()
                .strip_prefix(':')?
                .trim_start()
                .strip_prefix("ignore")?;
            let names_it = match rest.strip_prefix('[') {
                None => true,
                Some(rules) => UNDEFINED.iter().any(|rule| rules.contains(rule)),
            };
            let code = Kind::Undefined.ruff()?.to_owned();
            names_it.then_some((Silenced::Codes(vec![code]), false))
        }
        _ => None,
    }
}

/// The codes behind `noqa`; everything without a colon, nothing where the colon is followed by no code.
fn codes(rest: &str) -> Option<Silenced> {
    let Some(list) = rest.trim_start().strip_prefix(':') else {
        return Some(Silenced::Everything);
    };
    let is_code = |word: &&str| {
        let digits = word.trim_start_matches(|char: char| char.is_ascii_alphabetic());
        digits.len() < word.len() && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let words = list.split([',', ' ', '\t']).filter(|word| !word.is_empty());
    let codes: Vec<String> = words.take_while(is_code).map(str::to_owned).collect();
    (!codes.is_empty()).then_some(Silenced::Codes(codes))
}

#[cfg(test)]
mod tests {
    use crate::lsp::analysis::Program;
    use crate::lsp::live::Snapshot;
    use crate::lsp::requests::diagnostics::problems;

    #[test]
    fn comments_silence_what_they_name() {
        for (code, left) in [
            ("import os", "os"),
            ("import os  # noqa", ""),
            ("import os  #NoQA", ""),
            ("import os  # needed # noqa: F401", ""),
            ("import os  # noqa:F821,F401", ""),
            ("import os  # noqa: E501 f401 because", ""),
            ("import os  # noqa: F821", "os"),
            ("import os  # noqa:", "os"),
            ("import os  # noqa: because", "os"),
            ("import os  # nota bene", "os"),
            ("import os  # type: ignore", "os"),
            ("import os\nx  # noqa", "os"),
            ("import os  # noqa\nx", "x"),
            ("from a import (  # noqa: F401\n    b,\n    c,\n)", ""),
            ("from a import (\n    b,  # noqa\n    c,\n)", "c"),
            ("# ruff: noqa\nimport os\nx", ""),
            ("# flake8: noqa: F401\nimport os\nx", "x"),
            ("x  # noqa: F821", ""),
            ("x  # type: ignore", ""),
            ("x  # type: ignore[name-defined]", ""),
            ("x  # type: ignore[attr-defined]", "x"),
            ("x  # pyright: ignore[reportUndefinedVariable]", ""),
            ("x = '# noqa'; y", "y"),
            ("def f():\n    x = 1  # noqa: F841", ""),
            ("def  # noqa", "?"),
        ] {
            let found = problems(&Program::plain(code), &Snapshot::default());
            let mut names: Vec<&str> = found.iter().map(|it| it.name.as_str()).collect();
            names
                .iter_mut()
                .filter(|it| it.is_empty())
                .for_each(|it| *it = "?");
            names.dedup();
            assert_eq!(names.join(" "), left, "{code}");
        }
    }
}
