//! The live half: what the interpreter knows about the session, asked through a trait.
//!
//! Implemented beside Python (and by mocks in tests), called by the requests. Nothing here names Python; an
//! implementation must answer or say [`LiveAnswer::Busy`] within the budget it is given, must not run user code
//! (`__getattr__`, properties, `__repr__` of foreign types), and must hand over plain data only.

mod courier;
mod session;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use session::LiveSession;

/// The running session, as far as the language server may ask it.
pub trait Live: Send + Sync {
    /// The namespace as it was after the last cell. Never waits.
    fn snapshot(&self) -> Arc<Snapshot>;

    /// Candidates for a place in the code. At most `budget`, then [`LiveAnswer::Busy`].
    fn complete(&self, query: &LiveQuery, given: &[LiveGiven], budget: Duration)
    -> LiveAnswer<Vec<LiveItem>>;

    /// What the expression is: type, signature, docstring. At most `budget`.
    fn inspect(&self, expression: &str, given: &[LiveGiven], budget: Duration) -> LiveAnswer<LiveObject>;
}

/// What a name is that code above the cursor binds and the session does not have: that code has not run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct LiveGiven {
    /// The name.
    pub name: String,
    /// The expression that it has its value from, or its annotation; empty where nobody knows.
    pub text: String,
    /// How it has it.
    pub how: LiveHow,
    /// The name's place in a tuple of targets, and in a tuple within that.
    pub places: Vec<u8>,
    /// Whether it goes before what the session has under this name: a local variable, or one of another type.
    pub before: bool,
}

/// How a name has its value from a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LiveHow {
    /// It is what the text gives.
    Assigned,
    /// It is each element of that in turn.
    Iterated,
    /// It is what that gives to a `with`.
    Entered,
    /// It is an instance of that.
    Annotated,
    /// It is a function that gives an instance of that.
    Returns,
    /// It is that module (`matplotlib.pyplot`) or what a module has (`pathlib:Path`), if that is loaded.
    Imported,
}

/// What is asked for, about expressions as they are written. What can be told without running any code is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum LiveQuery {
    /// Members of an object.
    Members {
        /// The expression before the dot.
        expression: String,
        /// What has been typed of the name.
        prefix: String,
    },
    /// Keys of a mapping, columns of a data frame, labels of a series.
    Keys {
        /// The expression before the bracket: `d`, `df`, `df.loc`.
        expression: String,
        /// Commas before the cursor within the bracket: 1 for `df.loc[:, "`.
        index: usize,
        /// What has been typed of the key, without the quote.
        prefix: String,
    },
    /// What a string may hold that is an argument, or within one: columns, keys, the values that a `Literal` allows.
    Strings {
        /// The calls around the string, the innermost first.
        calls: Vec<LiveCall>,
        /// What has been typed of the string, without the quote.
        prefix: String,
    },
    /// Modules that can be imported, by dotted name.
    Modules {
        /// What has been typed of the dotted name.
        prefix: String,
    },
}

/// A call in which something is being typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiveCall {
    /// What is called, as written: `df.groupby`, `pl.col`.
    pub callee: String,
    /// Commas before the cursor, at this call's level.
    pub index: usize,
    /// The keyword of the argument at the cursor.
    pub keyword: Option<String>,
    /// The arguments before the string, as written: `df, other, on=`, `{"a": [`. Empty where that is long.
    pub written: String,
}

impl LiveQuery {
    /// The question as JSON, as `drupe.inspection` reads it.
    pub fn question(&self, given: &[LiveGiven]) -> Vec<u8> {
        #[derive(Serialize)]
        struct Question<'a> {
            #[serde(flatten)]
            query: &'a LiveQuery,
            given: &'a [LiveGiven],
        }
        serde_json::to_vec(&Question { query: self, given }).unwrap_or_default()
    }
}

/// The question what an expression is, as JSON, as `drupe.inspection` reads it.
pub fn inspect_question(expression: &str, given: &[LiveGiven]) -> Vec<u8> {
    json!({"kind": "inspect", "expression": expression, "given": given})
        .to_string()
        .into_bytes()
}

/// An answer in time, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveAnswer<T> {
    /// Answered.
    Known(T),
    /// The session has no such object.
    Unknown,
    /// Python could not be entered within the budget: the last snapshot must do.
    Busy,
}

impl<T: DeserializeOwned> LiveAnswer<T> {
    /// Reads the answer of `drupe.inspection`: `null` is [`LiveAnswer::Unknown`], and so is what cannot be read.
    pub fn from_json(answer: &[u8]) -> Self {
        match serde_json::from_slice::<Option<T>>(answer) {
            Ok(Some(known)) => Self::Known(known),
            Ok(None) => Self::Unknown,
            Err(error) => {
                tracing::warn!(%error, "an answer of the session cannot be read");
                Self::Unknown
            }
        }
    }
}

/// What an object of the session is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum LiveKind {
    /// A function, builtin or method.
    Function,
    /// A class.
    Class,
    /// A module.
    Module,
    /// A property or another descriptor.
    Property,
    /// A keyword of a call.
    Keyword,
    /// Any other object, and every word that is not known.
    #[default]
    Instance,
}

impl LiveKind {
    /// The word for it, as `drupe.inspection` writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Class => "class",
            Self::Module => "module",
            Self::Property => "property",
            Self::Keyword => "keyword",
            Self::Instance => "instance",
        }
    }
}

impl From<&str> for LiveKind {
    fn from(word: &str) -> Self {
        match word {
            "function" | "method" => Self::Function,
            "class" => Self::Class,
            "module" => Self::Module,
            "property" => Self::Property,
            "keyword" => Self::Keyword,
            _ => Self::Instance,
        }
    }
}

impl From<String> for LiveKind {
    fn from(word: String) -> Self {
        Self::from(word.as_str())
    }
}

/// One candidate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct LiveItem {
    /// The name, key or dotted module name.
    pub name: String,
    /// What it is.
    #[serde(default)]
    pub kind: LiveKind,
    /// The name of its type; empty when unknown.
    #[serde(default, rename = "type")]
    pub type_name: String,
    /// Under which [`Snapshot::members`] has its members, where that is not the name of its type: another type has it, too.
    #[serde(default)]
    pub key: String,
}

/// What is known about one object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct LiveObject {
    /// The name of its type.
    #[serde(default, rename = "type")]
    pub type_name: String,
    /// What it is.
    #[serde(default)]
    pub kind: LiveKind,
    /// Its dotted name, for the help viewer: `pandas.DataFrame`.
    #[serde(default)]
    pub topic: String,
    /// `(a, b=1)`, for callables.
    #[serde(default)]
    pub signature: String,
    /// The docstring, cleaned.
    #[serde(default)]
    pub doc: String,
    /// A short text of the value, for types whose text is harmless.
    #[serde(default)]
    pub preview: String,
    /// Where its code stands, for functions and classes written in Python: a path, or the name that a cell was
    /// compiled under; empty when unknown.
    #[serde(default)]
    pub file: String,
    /// The first line of its code, from 1; 0 when unknown.
    #[serde(default)]
    pub line: u32,
    /// The text of the cell that it was made in, where `file` is no file.
    #[serde(default)]
    pub cell: String,
}

/// The namespace without its objects: bounded, taken after each cell, shared freely.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// The user's names, most recent last.
    pub names: Vec<LiveItem>,
    /// Members by type name or [`LiveItem::key`], for the types of [`Snapshot::names`], and by `module:NAME` for modules.
    pub members: HashMap<String, Vec<LiveItem>>,
    /// String keys and columns by name.
    pub keys: HashMap<String, Vec<String>>,
    /// Signatures and docstrings of the user's own functions and classes by name.
    pub objects: HashMap<String, LiveObject>,
    /// Line magics, without `%`.
    pub line_magics: Vec<String>,
    /// Cell magics, without `%%`.
    pub cell_magics: Vec<String>,
    /// Top-level modules that can be imported.
    pub modules: Vec<String>,
    /// Where modules are looked for, as `sys.path` has it.
    pub path: Vec<String>,
    /// The names of environment variables.
    pub environment: Vec<String>,
    /// The working directory; empty when unknown.
    pub directory: String,
}

impl Snapshot {
    /// Reads what `drupe.inspection` gives after a cell.
    ///
    /// # Errors
    /// When it is not such JSON.
    pub fn from_json(snapshot: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(snapshot)
    }

    /// A name of the session.
    pub fn name(&self, name: &str) -> Option<&LiveItem> {
        self.names.iter().rev().find(|item| item.name == name)
    }

    /// The members of a plain name, as its type has them.
    pub fn members_of(&self, name: &str) -> &[LiveItem] {
        let Some(item) = self.name(name) else {
            return &[];
        };
        let key = if item.key.is_empty() {
            &item.type_name
        } else {
            &item.key
        };
        self.members
            .get(&format!("module:{name}"))
            .or_else(|| self.members.get(key))
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_one_name_have_their_own_members() {
        let seen = br#"{"names": [{"name": "a", "type": "T"}, {"name": "b", "type": "T", "key": "m.T"}],
            "members": {"T": [{"name": "first"}], "m.T": [{"name": "second"}]}}"#;
        let snapshot = Snapshot::from_json(seen).unwrap_or_default();
        let names = |of| {
            snapshot
                .members_of(of)
                .iter()
                .map(|item| item.name.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (names("a"), names("b")),
            (vec!["first".to_owned()], vec!["second".to_owned()])
        );
    }

    #[test]
    fn questions_and_answers_are_as_python_has_them() {
        let query = LiveQuery::Members {
            expression: "df".into(),
            prefix: "a".into(),
        };
        let given = [LiveGiven {
            name: "df".into(),
            text: "load()".into(),
            how: LiveHow::Iterated,
            places: vec![1],
            before: true,
        }];
        let expected = r#"{"kind":"members","expression":"df","prefix":"a","given":[]}"#;
        assert_eq!(String::from_utf8_lossy(&query.question(&[])), expected);
        let told = r#"{"name":"df","text":"load()","how":"iterated","places":[1],"before":true}"#;
        for question in [query.question(&given), inspect_question("df", &given)] {
            let question: serde_json::Value = serde_json::from_slice(&question).unwrap_or_default();
            assert_eq!(
                question["given"][0],
                serde_json::from_str::<serde_json::Value>(told).unwrap_or_default()
            );
        }
        let answer = br#"[{"name":"abs","kind":"function","type":"function"}]"#;
        let LiveAnswer::Known(items) = LiveAnswer::<Vec<LiveItem>>::from_json(answer) else {
            panic!("not read")
        };
        assert_eq!(
            items.first().map(|item| item.type_name.as_str()),
            Some("function")
        );
        let kinds = items.first().map(|item| item.kind);
        assert_eq!(kinds, Some(LiveKind::Function));
        for (word, kind) in [
            ("method", LiveKind::Function),
            ("class", LiveKind::Class),
            ("odd", LiveKind::Instance),
        ] {
            assert_eq!(LiveKind::from(word), kind);
        }
        for unknown in [&b"null"[..], b"", b"[1]"] {
            assert_eq!(LiveAnswer::<LiveObject>::from_json(unknown), LiveAnswer::Unknown);
        }
    }
}
