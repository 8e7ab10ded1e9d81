//! What a string may hold where it stands: keys of mappings, columns of tables, values that an argument allows.

use super::Kind;
use super::list::List;
use crate::lsp::analysis::cursor::{Call, Quoted};
use crate::lsp::engine::Asker;
use crate::lsp::engine::given::first_name;
use crate::lsp::live::{LiveAnswer, LiveCall, LiveGiven, LiveItem, LiveQuery};

/// What the session calls a column.
pub(super) const COLUMN: &str = "column";

/// Calls whose argument names an environment variable, and the mapping of them.
const ENVIRONMENT: [&str; 5] = ["os.environ", "environ", "os.getenv", "getenv", "os.environ.get"];

/// Methods whose first argument is a key or column of their object, for when the session cannot be asked.
const KEYED: [&str; 16] = [
    "drop",
    "eval",
    "explode",
    "filter",
    "get",
    "groupby",
    "insert",
    "merge",
    "pop",
    "query",
    "rename",
    "select",
    "set_index",
    "setdefault",
    "sort",
    "sort_values",
];

/// Keywords whose arguments are columns, wherever they stand.
const KEYWORDS: [&str; 16] = [
    "by",
    "color",
    "columns",
    "hue",
    "id_vars",
    "index",
    "left_on",
    "on",
    "partition_by",
    "right_on",
    "size",
    "subset",
    "value_vars",
    "values",
    "x",
    "y",
];

/// Adds the keys of `base`, at place `index` of its brackets.
pub(super) fn keys(
    list: &mut List,
    base: &str,
    index: usize,
    typed: &str,
    quoted: Quoted,
    given: &[LiveGiven],
    asker: &mut Asker,
) {
    if ENVIRONMENT.contains(&base) {
        return environment(list, asker);
    }
    let query = LiveQuery::Keys {
        expression: base.to_owned(),
        index,
        prefix: read(typed, quoted),
    };
    match asker.complete(&query, given) {
        LiveAnswer::Known(items) => add(list, &items, quoted),
        LiveAnswer::Busy if given.is_empty() => {
            // `df.loc[:, "` has the columns of `df`.
            let name = base.strip_suffix(".loc").filter(|_| index == 1).unwrap_or(base);
            add_known(list, name, quoted, asker);
        }
        _ => {}
    }
}

/// Adds the keys of `base` as they are written with their quotes, for where none has been typed yet.
pub(super) fn bare_keys<'k>(
    list: &mut List,
    base: &str,
    index: usize,
    given: &[LiveGiven],
    assigned: impl Iterator<Item = &'k str>,
    asker: &mut Asker,
) {
    let quoted = Quoted {
        quote: '"',
        raw: false,
    };
    let mut bare = List::new("");
    keys(&mut bare, base, index, "", quoted, given, asker);
    add_given(&mut bare, assigned, quoted);
    for key in bare.candidates {
        let text = if key.insert.is_empty() {
            key.label
        } else {
            key.insert
        };
        list.add(&format!("\"{text}\""), Kind::Property, &key.detail, 0, "");
    }
}

/// Adds keys that the program assigns.
pub(super) fn add_given<'k>(list: &mut List, keys: impl Iterator<Item = &'k str>, quoted: Quoted) {
    for key in keys {
        list.add(key, Kind::Property, "", 0, "");
        list.insert(key, write(key, quoted));
    }
}

/// Adds what a string in `calls` may hold. False when nobody knows: then it may be a path.
pub(super) fn arguments(
    list: &mut List,
    calls: &[Call],
    typed: &str,
    quoted: Quoted,
    given: &[LiveGiven],
    asker: &mut Asker,
) -> bool {
    let Some(call) = calls.first() else {
        return false;
    };
    if ENVIRONMENT.contains(&call.callee.as_str()) {
        environment(list, asker);
        return true;
    }
    let calls = calls.iter().map(|call| LiveCall {
        callee: call.callee.clone(),
        index: call.index,
        keyword: call.keyword.clone(),
        written: call.written.clone(),
    });
    let query = LiveQuery::Strings {
        calls: calls.collect(),
        prefix: read(typed, quoted),
    };
    match asker.complete(&query, given) {
        LiveAnswer::Known(items) => {
            add(list, &items, quoted);
            true
        }
        LiveAnswer::Busy => {
            let Some((name, method)) = call.callee.rsplit_once('.') else {
                return false;
            };
            let fits = match &call.keyword {
                Some(keyword) => KEYWORDS.contains(&keyword.as_str()),
                None => call.index == 0 && KEYED.contains(&method),
            };
            let is_the_sessions = given.iter().all(|it| it.name != first_name(name));
            fits && is_the_sessions && add_known(list, name, quoted, asker)
        }
        LiveAnswer::Unknown => false,
    }
}

/// Puts backticks around the columns in an expression of pandas' that are no identifiers. `ticked` when the first is there.
pub(super) fn tick(list: &mut List, calls: &[Call], ticked: bool) {
    let is_query = |call: &Call| [".query", ".eval"].iter().any(|name| call.callee.ends_with(name));
    if !calls.first().is_some_and(is_query) {
        return;
    }
    for candidate in &mut list.candidates {
        let is_word = |char: char| char == '_' || char.is_alphanumeric();
        let text = match candidate.insert.is_empty() {
            true => &candidate.label,
            false => &candidate.insert,
        };
        if ticked {
            candidate.insert = format!("{text}`");
        } else if !candidate.label.chars().all(is_word) || candidate.label.starts_with(char::is_numeric) {
            candidate.insert = format!("`{text}`");
        }
    }
}

fn environment(list: &mut List, asker: &Asker) {
    for name in &asker.snapshot.environment {
        list.add(name, Kind::Property, "environment variable", 0, "");
    }
}

fn add(list: &mut List, items: &[LiveItem], quoted: Quoted) {
    for item in items {
        list.add(&item.name, Kind::Property, &item.type_name, 0, "");
        list.insert(&item.name, write(&item.name, quoted));
    }
}

/// Adds the keys that a name had after the last cell; false when it had none.
fn add_known(list: &mut List, name: &str, quoted: Quoted, asker: &Asker) -> bool {
    let keys = asker.snapshot.keys.get(name);
    for key in keys.into_iter().flatten() {
        list.add(key, Kind::Property, "", 0, "");
        list.insert(key, write(key, quoted));
    }
    keys.is_some()
}

/// What has been typed of a string, as Python reads it.
pub(super) fn read(typed: &str, quoted: Quoted) -> String {
    if quoted.raw {
        return typed.to_owned();
    }
    let mut text = String::new();
    let mut chars = typed.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('r') => text.push('\r'),
                Some(escaped) => text.push(escaped),
                None => {}
            },
            _ => text.push(char),
        }
    }
    text
}

/// A text as it is written within the quotes in use.
fn write(text: &str, quoted: Quoted) -> String {
    let mut written = String::new();
    for char in text.chars() {
        match char {
            '\\' if !quoted.raw => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            _ if char == quoted.quote => written.extend(['\\', char]),
            _ => written.push(char),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::lsp::analysis::Program;
    use crate::lsp::live::Snapshot;

    #[test]
    fn a_busy_session_has_the_keys_of_its_last_rest() {
        let columns = vec!["first".to_owned(), "it's".to_owned()];
        let snapshot = Arc::new(Snapshot {
            keys: [("df".to_owned(), columns)].into(),
            ..Snapshot::default()
        });
        let labels = |code: &str| -> Vec<String> {
            let mut asker = Asker::from_snapshot(Arc::clone(&snapshot));
            let found = super::super::at(&Program::plain(code), code.len(), &mut asker);
            found.candidates.into_iter().map(|it| it.label).collect()
        };
        for code in [
            "df['fi",
            "df[['fi",
            "df[['a', 'fi",
            "df.loc[:, 'fi",
            "df.groupby('fi",
            "df.groupby(['fi",
            "df.sort_values(by='fi",
            "df.drop(columns=['fi",
            "df.query('a > 1 and fi",
            "df.query('fi",
        ] {
            assert_eq!(labels(code), ["first"], "{code}");
        }
        for code in [
            "df.loc['fi",
            "df.head('fi",
            "df.groupby(a, 'fi",
            "other['fi",
            "def f(df): df['fi",
            "df.query('a == \"fi",
        ] {
            assert_eq!(labels(code), [""; 0], "{code}");
        }
    }

    #[test]
    fn a_column_of_two_words_is_ticked_in_a_query() {
        let columns = vec!["one_word".to_owned(), "two words".to_owned()];
        let snapshot = Arc::new(Snapshot {
            keys: [("df".to_owned(), columns)].into(),
            ..Snapshot::default()
        });
        for (code, inserted) in [
            ("df.query('two", "`two words`"),
            ("df.eval('a + `two", "two words`"),
            ("df.query('one", ""),
            ("df.groupby('two", ""),
        ] {
            let mut asker = Asker::from_snapshot(Arc::clone(&snapshot));
            let found = super::super::at(&Program::plain(code), code.len(), &mut asker);
            let inserts: Vec<_> = found.candidates.iter().map(|it| it.insert.as_str()).collect();
            assert_eq!(inserts, [inserted], "{code}");
        }
    }

    #[test]
    fn keys_are_written_for_the_quote_in_use() {
        let quoted = |quote| Quoted { quote, raw: false };
        assert_eq!(write("it's", quoted('\'')), r"it\'s");
        assert_eq!(write("it's", quoted('"')), "it's");
        assert_eq!(write("a\\b\nc", quoted('"')), r"a\\b\nc");
        for text in ["it's", "a\\b\nc\t\"d\""] {
            assert_eq!(read(&write(text, quoted('"')), quoted('"')), text);
        }
    }
}
