//! `initialize`: what this server can do.

use serde_json::{Value, json};

use super::semantic_tokens;
use crate::lsp::configuration::Announce;
use crate::lsp::documents::text::Encoding;

/// The answer to `initialize`.
pub fn result(encoding: Encoding, announce: Announce) -> Value {
    let mut capabilities = live(encoding);
    if announce == Announce::All
        && let (Some(all), Value::Object(more)) = (capabilities.as_object_mut(), source())
    {
        all.extend(more);
    }
    json!({
        "serverInfo": {"name": "drupe", "version": env!("CARGO_PKG_VERSION")},
        "capabilities": capabilities,
    })
}

/// What a session adds to, whoever else answers for the source.
fn live(encoding: Encoding) -> Value {
    let python = json!([{"language": "python"}]);
    json!({
        "positionEncoding": encoding.name(),
        "textDocumentSync": {"openClose": true, "change": 2, "save": false},
        "notebookDocumentSync": {
            "notebookSelector": [
                {"notebook": {"notebookType": "jupyter-notebook"}, "cells": python},
                {"notebook": {"notebookType": "interactive"}, "cells": python},
                {"notebook": "*", "cells": python},
            ],
            "save": false,
        },
        "completionProvider": {
            "triggerCharacters": [".", "'", "\"", "%", "/", "["],
            "resolveProvider": true,
        },
        "hoverProvider": true,
        "signatureHelpProvider": {"triggerCharacters": ["(", ","], "retriggerCharacters": [")"]},
        "inlayHintProvider": true,
        "experimental": {
            "positron": {"helpTopic": true, "statementRange": true},
        },
    })
}

/// What is known from the source.
fn source() -> Value {
    json!({
        "definitionProvider": true,
        "declarationProvider": true,
        "referencesProvider": true,
        "documentHighlightProvider": true,
        "renameProvider": {"prepareProvider": true},
        "documentSymbolProvider": true,
        "workspaceSymbolProvider": true,
        "foldingRangeProvider": true,
        "selectionRangeProvider": true,
        "semanticTokensProvider": {
            "legend": semantic_tokens::legend(),
            "full": true,
            "range": true,
        },
        "codeActionProvider": {"codeActionKinds": ["quickfix", "source.fixAll"]},
        "documentFormattingProvider": {"workDoneProgress": true},
        "documentRangeFormattingProvider": {"workDoneProgress": true},
    })
}
