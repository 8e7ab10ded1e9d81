//! The client's open documents: their texts, for a server that comes later, and who answers for each.

use std::collections::HashMap;

use lsp_types::Range;
use serde::Deserialize;
use serde_json::json;

use super::SOURCE;
use crate::cli::lsp::message::{Message, Raw, raw};
use crate::lsp::documents::MAX_DOCUMENTS;
use crate::lsp::documents::text::{Encoding, Text};

/// An open document.
pub(super) struct Document {
    uri: String,
    language: String,
    version: i64,
    text: Text,
    /// The number of the upstream that answers for it.
    pub(super) at: u32,
    /// The diagnostics that the source published last, shown or not.
    published: Option<Raw>,
}

#[derive(Deserialize)]
struct Opened {
    #[serde(rename = "textDocument")]
    document: OpenedDocument,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OpenedDocument {
    uri: String,
    #[serde(default)]
    language_id: String,
    #[serde(default)]
    version: i64,
    text: String,
}

#[derive(Deserialize)]
struct Changed {
    #[serde(rename = "textDocument")]
    document: ChangedDocument,
    #[serde(rename = "contentChanges")]
    changes: Vec<Change>,
}

#[derive(Deserialize)]
struct ChangedDocument {
    uri: String,
    #[serde(default)]
    version: i64,
}

#[derive(Deserialize)]
struct Change {
    range: Option<Range>,
    text: String,
}

impl Document {
    /// What opens it at a server, as it is now.
    pub(super) fn opening(&self) -> Message {
        let document = json!({
            "uri": self.uri, "languageId": self.language, "version": self.version, "text": self.text.as_str(),
        });
        let params = json!({"textDocument": document});
        Message::notification("textDocument/didOpen", Some(raw(&params)))
    }

    pub(super) fn closing(&self) -> Message {
        let params = json!({"textDocument": {"uri": self.uri}});
        Message::notification("textDocument/didClose", Some(raw(&params)))
    }

    /// The source's diagnostics again, in place of a kernel's.
    pub(super) fn last_published(&self) -> Message {
        let none = || raw(&json!({"uri": self.uri, "diagnostics": []}));
        let params = self.published.clone().unwrap_or_else(none);
        Message::notification("textDocument/publishDiagnostics", Some(params))
    }
}

/// All of them, by their URIs.
#[derive(Default)]
pub(super) struct Documents {
    /// How the client counts characters.
    pub(super) encoding: Encoding,
    open: HashMap<String, Document>,
    /// The kernels' ids.
    homes: HashMap<String, String>,
}

impl Documents {
    /// Takes a `didOpen`. A document that is open already begins anew where it is: another page has opened it, too.
    pub(super) fn open(&mut self, message: &Message) {
        let Some(Opened { document }) = message.params() else {
            return;
        };
        let before = self.open.remove(&document.uri);
        if self.open.len() >= MAX_DOCUMENTS {
            return;
        }
        let (at, published) = before.map_or((SOURCE, None), |before| (before.at, before.published));
        let uri = document.uri.clone();
        self.open.insert(
            uri,
            Document {
                uri: document.uri,
                language: document.language_id,
                version: document.version,
                text: Text::new(document.text),
                at,
                published,
            },
        );
    }

    /// Takes a `didChange`, of the whole text or of parts of it.
    pub(super) fn change(&mut self, message: &Message) {
        let Some(Changed { document, changes }) = message.params() else {
            return;
        };
        let Some(open) = self.open.get_mut(&document.uri) else {
            return;
        };
        open.version = document.version;
        for change in changes {
            match change.range {
                Some(range) => open.text.edit(range, &change.text, self.encoding),
                None => open.text = Text::new(change.text),
            }
        }
    }

    pub(super) fn close(&mut self, uri: &str) {
        self.open.remove(uri);
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&String, &Document)> {
        self.open.iter()
    }

    /// Who answers for a document.
    pub(super) fn place(&self, uri: &str) -> u32 {
        self.open.get(uri).map_or(SOURCE, |document| document.at)
    }

    pub(super) fn set_homes(&mut self, homes: HashMap<String, String>) {
        self.homes = homes;
    }

    /// The kernel that a document belongs to.
    pub(super) fn home(&self, uri: &str) -> Option<&str> {
        self.homes.get(uri).map(String::as_str)
    }

    /// Has an upstream answer for a document; the document, and who answered before. `None` where nothing changes.
    pub(super) fn move_to(&mut self, uri: &str, target: u32) -> Option<(u32, &Document)> {
        let document = self.open.get_mut(uri).filter(|document| document.at != target)?;
        let before = std::mem::replace(&mut document.at, target);
        Some((before, document))
    }

    /// Takes diagnostics. Whether the client is to see them: those of who answers for the document, and for one that is not
    /// open those of the source.
    pub(super) fn published(&mut self, from: u32, uri: Option<&str>, message: &Message) -> bool {
        let Some(document) = uri.and_then(|uri| self.open.get_mut(uri)) else {
            return from == SOURCE;
        };
        if from == SOURCE {
            document.published.clone_from(&message.params);
        }
        document.at == from
    }
}
