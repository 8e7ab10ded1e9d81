//! `initialize`: what this server can do.

use serde_json::{Value, json};

use super::semantic_tokens;
use crate::lsp::documents::text::Encoding;

/// The answer to `initialize`.
pub fn result(encoding: Encoding) -> Value {
    let python = json!([{"language": "python"}]);
    json!({
        "serverInfo": {"name": "drupe", "version": env!("CARGO_PKG_VERSION")},
        "capabilities": {
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
            "inlayHintProvider": true,
            "documentFormattingProvider": {"workDoneProgress": true},
            "documentRangeFormattingProvider": {"workDoneProgress": true},
            "experimental": {
                "positron": {"helpTopic": true, "statementRange": true},
            },
        },
    })
}
