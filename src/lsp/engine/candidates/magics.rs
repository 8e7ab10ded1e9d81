//! The words that a line magic takes.

use super::list::List;
use super::{Found, Kind, imports, in_folder};
use crate::lsp::analysis::Program;
use crate::lsp::analysis::expression::is_word;
use crate::lsp::engine::Asker;

/// What draws, as `%matplotlib` and `%pylab` call it.
const BACKENDS: [&str; 19] = [
    "agg", "auto", "gtk", "gtk3", "gtk4", "inline", "ipympl", "nbagg", "notebook", "osx", "pdf", "ps", "qt",
    "qt5", "qt6", "svg", "tk", "widget", "wx",
];

/// Event loops, as `%gui` calls them.
const LOOPS: [&str; 11] = [
    "asyncio", "gtk", "gtk3", "gtk4", "osx", "pyglet", "qt", "qt5", "qt6", "tk", "wx",
];

/// What `%autoreload` can be told.
const RELOADS: [&str; 9] = ["0", "1", "2", "3", "all", "complete", "explicit", "now", "off"];

/// How `%xmode` shows a traceback.
const TRACEBACKS: [&str; 5] = ["Context", "Docs", "Minimal", "Plain", "Verbose"];

/// The extensions that come with IPython.
const EXTENSIONS: [&str; 2] = ["autoreload", "storemagic"];

/// What fits the argument at byte `offset` of a line magic; `None` where that is none whose words are known.
pub(super) fn arguments(program: &Program, offset: usize, asker: &mut Asker) -> Option<Found> {
    let line = program.line_before(offset).trim_start();
    let (magic, before) = line.strip_prefix('%')?.split_once([' ', '\t'])?;
    let start = before.rfind([' ', '\t']).map_or(0, |at| at + 1);
    let typed = before.get(start..)?;
    let is_first = before.trim_start() == typed;
    let mut list = List::new(typed);
    let words: &[&str] = match magic {
        "matplotlib" | "pylab" => &BACKENDS,
        "gui" => &LOOPS,
        "autoreload" => &RELOADS,
        "xmode" => &TRACEBACKS,
        "load_ext" | "reload_ext" if typed.chars().all(is_word) => {
            if !typed.is_empty() {
                imports::modules(&mut list, program, "", asker);
            }
            &EXTENSIONS
        }
        "env" | "set_env" => {
            let snapshot = std::sync::Arc::clone(&asker.snapshot);
            for name in snapshot.environment.iter().filter(|_| is_first) {
                list.add(name, Kind::Instance, "", 0, "");
            }
            &[]
        }
        "cd" | "pushd" => {
            let mut found = in_folder(typed, offset, asker);
            found.candidates.retain(|it| it.label.ends_with('/'));
            return Some(found);
        }
        _ => return None,
    };
    for word in words.iter().filter(|_| is_first) {
        list.add(word, Kind::Keyword, "", 0, "");
    }
    let mut found = list.finish(offset - typed.len());
    found
        .candidates
        .sort_by_key(|it| !words.contains(&it.label.as_str()));
    Some(found)
}
