//! Where an import goes that a completion or a mend brings along.

use ruff_python_ast::{Expr, IpyEscapeKind, Stmt};
use ruff_text_size::Ranged;

use super::candidates::Insertion;
use crate::lsp::analysis::Program;

/// `import`, a statement without line end, for the name at byte `offset`: behind the imports with which the cell (or file)
/// of that name begins; where it has none, behind what has to stay first (`%%time`, magics, a docstring,
/// `from __future__`). Always on a line of its own, before the one of `offset`.
pub fn of_import(program: &Program, offset: usize, import: &str) -> Insertion {
    let source = program.source.as_str();
    let (start, end) = program
        .parts
        .get(program.part_at(offset))
        .map_or((0, source.len()), |part| (part.start, part.end));
    let line_of = |offset: usize| {
        let before = source.get(..offset).unwrap_or_default();
        before.rfind('\n').map_or(0, |at| at + 1).max(start)
    };
    let here = line_of(offset);
    let mut place = start;
    // The lines before the first statement belong to whoever reads the file first: an interpreter line, an encoding.
    for line in source.get(start..here).unwrap_or_default().split_inclusive('\n') {
        if !line.starts_with("#!") && !line.starts_with("# -*-") && !line.starts_with("%%") {
            break;
        }
        place += line.len();
    }
    let mut is_behind_imports = false;
    for (index, stmt) in program
        .module
        .suite()
        .iter()
        .filter(|stmt| (start..end).contains(&stmt.start().to_usize()))
        .enumerate()
    {
        // What shares its last line with another statement ends there.
        let after = stmt.end().to_usize();
        let next = source
            .get(after..end)
            .and_then(|rest| rest.find('\n'))
            .map_or(end, |at| after + at + 1);
        if next > here {
            break;
        }
        let is_import = matches!(stmt, Stmt::Import(_) | Stmt::ImportFrom(_));
        let is_first = match stmt {
            Stmt::IpyEscapeCommand(command) => {
                matches!(command.kind, IpyEscapeKind::Magic | IpyEscapeKind::Magic2)
            }
            Stmt::Expr(expression) => index == 0 && matches!(*expression.value, Expr::StringLiteral(_)),
            _ => false,
        };
        match (is_import, is_first) {
            (true, _) => {
                is_behind_imports = true;
                place = next;
            }
            (false, true) if !is_behind_imports => place = next,
            // A magic between two imports is none of them, and does not end them.
            (false, true) => {}
            (false, false) => break,
        }
    }
    Insertion {
        offset: place,
        text: format!("{import}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lsp_types::Uri;

    /// The cells after the import has come; `|` is the name.
    fn applied(cells: &[&str]) -> String {
        let mut offset = 0;
        let mut start = 0;
        let texts: Vec<(Uri, String)> = cells
            .iter()
            .enumerate()
            .map(|(number, cell)| {
                if let Some(at) = cell.find('|') {
                    offset = start + at;
                }
                let text = cell.replace('|', "");
                start += text.len() + 1;
                (Uri(format!("cell:{number}")), text)
            })
            .collect();
        let texts = texts.iter().map(|(uri, text)| (uri.clone(), text.as_str()));
        let program = Program::parse(texts, true);
        let insertion = of_import(&program, offset, "import x");
        let mut source = program.source;
        source.insert_str(insertion.offset, &insertion.text);
        source
    }

    #[test]
    fn an_import_goes_where_it_may_stand() {
        for (cell, expected) in [
            ("x|", "import x\nx"),
            ("\n\nx|", "import x\n\n\nx"),
            ("import a\nx|", "import a\nimport x\nx"),
            ("import a; b = 1\nx|", "import a; b = 1\nimport x\nx"),
            ("import a; x|", "import x\nimport a; x"),
            (
                "from a import (\n    b,\n)\n\nx|",
                "from a import (\n    b,\n)\nimport x\n\nx",
            ),
            (
                "import a\n\nb = 1\nimport c\nx|",
                "import a\nimport x\n\nb = 1\nimport c\nx",
            ),
            ("%%time\nx|", "%%time\nimport x\nx"),
            ("%%time\nimport a\nx|", "%%time\nimport a\nimport x\nx"),
            (
                "%load_ext a\n%matplotlib inline\nx|",
                "%load_ext a\n%matplotlib inline\nimport x\nx",
            ),
            (
                "import a\n%matplotlib inline\nimport b\nx|",
                "import a\n%matplotlib inline\nimport b\nimport x\nx",
            ),
            (
                "import a\n%matplotlib inline\nx|",
                "import a\nimport x\n%matplotlib inline\nx",
            ),
            (
                "'''Text\nof two lines.'''\nx|",
                "'''Text\nof two lines.'''\nimport x\nx",
            ),
            (
                "from __future__ import annotations\nx|",
                "from __future__ import annotations\nimport x\nx",
            ),
            (
                "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\nx|",
                "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\nimport x\nx",
            ),
            ("# A comment\nx|", "import x\n# A comment\nx"),
            ("def f():\n    x|", "import x\ndef f():\n    x"),
            ("if a:\n    import b\nx|", "import x\nif a:\n    import b\nx"),
        ] {
            assert_eq!(applied(&[cell]), format!("{expected}\n"), "{cell}");
        }
    }

    #[test]
    fn an_import_goes_into_the_cell_of_the_name() {
        let cells = ["import a", "%%time\nimport b\nx|", "import c\n"];
        let expected = "import a\n%%time\nimport b\nimport x\nx\nimport c\n\n";
        assert_eq!(applied(&cells), expected);
    }
}
