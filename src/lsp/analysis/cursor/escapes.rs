//! The cursor within IPython's own syntax: magics, shell lines, `?`.

use super::Place;
use crate::lsp::analysis::expression::is_word;

/// Magics whose arguments are Python, after their options.
const PYTHON: [&str; 18] = [
    "debug", "lprun", "memit", "mprun", "pdef", "pdoc", "pfile", "pinfo", "pinfo2", "prun", "psource", "px",
    "store", "time", "timeit", "macro", "xdel", "pprint",
];

/// Magics whose argument is a module.
const MODULES: [&str; 4] = ["aimport", "load_ext", "reload_ext", "unload_ext"];

/// Magics whose arguments are words of their own, or none.
const WORDS: [&str; 26] = [
    "alias",
    "autoawait",
    "autocall",
    "automagic",
    "autoreload",
    "colors",
    "config",
    "gui",
    "history",
    "lsmagic",
    "magic",
    "matplotlib",
    "pdb",
    "precision",
    "pwd",
    "pylab",
    "quickref",
    "recall",
    "rerun",
    "reset",
    "tb",
    "unalias",
    "who",
    "who_ls",
    "whos",
    "xmode",
];

/// What a cursor in an escape command stands in.
#[derive(Debug)]
pub(super) enum Escape {
    /// A place, and the byte of the command where what is typed begins.
    Place(Place, usize),
    /// Python, from one byte to another.
    Python(usize, usize),
}

/// Reads `command` up to byte `cursor` of it.
pub(super) fn at(command: &str, cursor: usize) -> Escape {
    let typed = command.get(..cursor).unwrap_or(command);
    let sign = typed.len() - typed.trim_start_matches(['%', '!', '?', '/', ',', ';']).len();
    let (signs, rest) = typed.split_at(sign);
    match signs.chars().next() {
        Some('%') => magic(command, typed, sign, signs.len() > 1),
        Some('!') => shell(command, typed),
        Some('?') => Escape::Python(sign, command.len()),
        // `/f x` is `f(x)`, `,f x` is `f("x")`.
        Some('/') => Escape::Python(
            sign + rest.rfind([' ', ',']).map_or(0, |at| at + 1),
            command.len(),
        ),
        Some(_) if !rest.contains(' ') => Escape::Python(sign, command.len()),
        _ => Escape::Place(Place::Nothing, cursor),
    }
}

fn magic(command: &str, typed: &str, sign: usize, cell: bool) -> Escape {
    let rest = typed.get(sign..).unwrap_or_default();
    let name = rest.trim_start_matches(|char| is_word(char) || char == '.');
    let name_end = typed.len() - name.len();
    let name = typed.get(sign..name_end).unwrap_or_default();
    if name_end == typed.len() {
        return Escape::Place(Place::Magic { cell }, sign);
    }
    if PYTHON.contains(&name) {
        return match after_options(command, name_end) {
            start if start > typed.len() => Escape::Place(Place::Nothing, typed.len()),
            start => Escape::Python(start, command.len()),
        };
    }
    if MODULES.contains(&name) {
        let start = typed.rfind(|char| !is_word(char)).map_or(0, |at| at + 1);
        let package = typed.get(typed.rfind(' ').map_or(0, |at| at + 1)..start);
        let package = package.unwrap_or_default().to_owned();
        return Escape::Place(Place::Module { package }, start);
    }
    match WORDS.contains(&name) {
        true => Escape::Place(Place::Nothing, typed.len()),
        false => shell(command, typed),
    }
}

/// Where the code begins behind a magic's options: `-n 3 -r5 -o`.
fn after_options(command: &str, mut at: usize) -> usize {
    loop {
        let rest = command.get(at..).unwrap_or_default();
        let option = rest.trim_start();
        at += rest.len() - option.len();
        if !option.starts_with('-') {
            return at;
        }
        let end = option.find(char::is_whitespace).unwrap_or(option.len());
        let letter = option.get(..end).unwrap_or_default();
        at += end;
        let value = option.get(end..).unwrap_or_default();
        let word = value.split_whitespace().next().unwrap_or_default();
        let has_value = matches!(letter, "-l" | "-s" | "-T" | "-D" | "-f" | "-m")
            || word.parse::<f64>().is_ok() && letter.len() == 2;
        if has_value {
            at += value.len() - value.trim_start().len() + word.len();
        }
        // The cursor may stand in the option itself: behind its last byte no code begins yet.
        if at == command.len() {
            return at + 1;
        }
    }
}

/// Text that the shell or a magic reads once IPython has put values in: `{x}` and `$x` are Python.
fn shell(command: &str, typed: &str) -> Escape {
    if let Some(open) = typed.rfind('{')
        && !typed.get(open..).is_some_and(|inside| inside.contains('}'))
    {
        let end = command.get(typed.len()..).and_then(|rest| rest.find('}'));
        return Escape::Python(open + 1, typed.len() + end.unwrap_or(command.len() - typed.len()));
    }
    let word = typed.trim_end_matches(is_word).len();
    if typed.get(..word).is_some_and(|head| head.ends_with('$')) {
        return Escape::Place(Place::Name, word);
    }
    let marks = [' ', '=', '!', '"', '\'', '<', '>', '|', ';', ':'];
    Escape::Place(Place::Shell, typed.rfind(marks).map_or(0, |at| at + 1))
}
