//! Magics without their `%`, as IPython reads them: a cell of one line that begins with the name of one, like `ls -la`.

use crate::lsp::analysis::Program;
use crate::lsp::analysis::expression::is_word;
use crate::lsp::engine::builtins;
use crate::lsp::live::Snapshot;

/// Whether the part `index` of a program is such a line: neither an assignment nor a call, and its first word is bound neither
/// by the program nor in the session.
pub(super) fn is_alone_in(program: &Program, index: usize, snapshot: &Snapshot) -> bool {
    let Some(part) = program.parts.get(index) else {
        return false;
    };
    let is_file = part.uri.0.starts_with("file:") && part.uri.0.ends_with(".py");
    let line = program.source.get(part.start..part.end).unwrap_or_default();
    let line = line.trim_matches(['\n', '\r']).trim_end();
    let (word, rest) = line.split_at(line.find(|char| !is_word(char)).unwrap_or(line.len()));
    let is_magic =
        || snapshot.line_magics.iter().any(|magic| magic == word) || builtins::LINE_MAGICS.contains(&word);
    let is_bound = || {
        let scope = program.model.scope_at(&program.source, part.start);
        program.model.lookup(scope, word).is_some()
            || snapshot.name(word).is_some()
            || builtins::FUNCTIONS.binary_search(&word).is_ok()
    };
    !is_file
        && !line.contains('\n')
        && (rest.is_empty() || rest.starts_with([' ', '\t']))
        && !rest.trim_start().starts_with(['=', '!', '('])
        && is_magic()
        && !is_bound()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lsp::live::LiveItem;
    use lsp_types::Uri;

    #[test]
    fn a_line_that_begins_with_a_magic_is_one() {
        let snapshot = Snapshot {
            line_magics: vec!["cat".into(), "ls".into(), "time".into()],
            names: vec![LiveItem {
                name: "time".into(),
                ..LiveItem::default()
            }],
            ..Snapshot::default()
        };
        let of = |uri: &str, text: &str| {
            let program = Program::parse([(Uri(uri.into()), text)], true);
            is_alone_in(&program, 0, &snapshot)
        };
        for text in [
            "ls",
            "ls -la",
            "cat foo.txt\n",
            "\npwd\n",
            "pip install foo",
            "cd ..",
        ] {
            assert!(of("cell:1", text), "{text}");
            assert!(!of("file:///a.py", text), "{text}");
        }
        for text in [
            "",
            "ls = 1",
            "ls == 1",
            "ls(1)",
            "ls.x",
            "time x",
            "lsx",
            "ls -la\nx = 1",
            " ls",
        ] {
            assert!(!of("cell:1", text), "{text}");
        }
        let cells = [("cell:1", "ls = 1"), ("cell:2", "ls - la")];
        let program = Program::parse(cells.map(|(uri, text)| (Uri(uri.into()), text)), true);
        assert!(!is_alone_in(&program, 1, &snapshot));
    }
}
