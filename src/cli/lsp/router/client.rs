//! What the client says, and where it goes: to the source, or to the server inside a kernel.

use std::time::Instant;

use lsp_server::ErrorCode;
use serde::Deserialize;

use super::{MOST_PENDING, Pending, Router, SOURCE, number};
use crate::cli::lsp::message::{Message, Raw, raw};

/// What is read of parameters.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Named {
    pub(super) text_document: Option<Uri>,
    pub(super) uri: Option<String>,
    pub(super) id: Option<Raw>,
}

#[derive(Deserialize)]
pub(super) struct Uri {
    pub(super) uri: String,
}

impl Router {
    /// Takes what the client said. False at the end.
    pub(super) fn hear_client(&mut self, message: Message) -> bool {
        match (message.id.clone(), message.method.clone()) {
            (Some(id), Some(method)) => self.requested(id, &method, message),
            (None, Some(method)) => return self.notified(&method, message),
            (Some(id), None) => {
                let asker = number(&id).and_then(|number| self.asked.remove(&number));
                if let Some((upstream, id)) = asker
                    && let Some(upstream) = self.upstreams.get(upstream)
                {
                    upstream.send(&message.answering(id));
                }
            }
            (None, None) => {}
        }
        true
    }

    fn requested(&mut self, id: Raw, method: &str, message: Message) {
        if method == "initialize" {
            if let Some(answer) = &self.initialized {
                return self.client.send(&answer.clone().answering(id));
            }
            if self.initialize.is_some() {
                return self.initializing.push(id);
            }
            self.initialize.clone_from(&message.params);
        }
        if self.pending.len() >= MOST_PENDING {
            let refusal = format!("{MOST_PENDING} requests are not answered yet");
            let refusal = Message::failure(ErrorCode::RequestFailed, &refusal);
            return self.client.send(&refusal.answering(id));
        }
        self.shut_down |= method == "shutdown";
        let named: Named = message.params().unwrap_or_default();
        let place = match named.text_document {
            Some(document) => {
                self.looking.wanted(Instant::now());
                self.documents.place(&document.uri)
            }
            None if method == "completionItem/resolve" => self.completed,
            None => SOURCE,
        };
        if method == "textDocument/completion" {
            self.completed = place;
        }
        self.ask(place, Some(id), method, message.params);
    }

    fn notified(&mut self, method: &str, message: Message) -> bool {
        let named: Named = message.params().unwrap_or_default();
        match method {
            "exit" => return false,
            "$/cancelRequest" => {
                self.cancel(named.id);
                return true;
            }
            "textDocument/didOpen" => {
                self.documents.open(&message);
                self.looking.opened(Instant::now());
            }
            "textDocument/didChange" => self.documents.change(&message),
            "workspace/didChangeConfiguration" => self.configuration.clone_from(&message.params),
            _ => {}
        }
        let Some(document) = named.text_document else {
            // For whoever is not ready yet, this is said anew when it is.
            for upstream in self.upstreams.all().filter(|upstream| upstream.is_ready()) {
                upstream.send(&message);
            }
            return true;
        };
        self.looking.wanted(Instant::now());
        let place = self.documents.place(&document.uri);
        for number in [Some(SOURCE), (place != SOURCE).then_some(place)]
            .into_iter()
            .flatten()
        {
            if let Some(upstream) = self.upstreams.get(number) {
                upstream.send(&message);
            }
        }
        if method == "textDocument/didClose" {
            self.documents.close(&document.uri);
        } else if method == "textDocument/didOpen" {
            self.settle(&document.uri);
        }
        true
    }

    /// Passes a cancellation on; two pages may have used one id, and the newer one is meant.
    fn cancel(&mut self, id: Option<Raw>) {
        let Some(id) = id else { return };
        let meant = |pending: &Pending| pending.client.as_ref().is_some_and(|it| it.get() == id.get());
        let meant = self.pending.iter().filter(|(_, pending)| meant(pending));
        if let Some((number, pending)) = meant.max_by_key(|(number, _)| **number)
            && let Some(upstream) = self.upstreams.get(pending.upstream)
        {
            let params = raw(&serde_json::json!({"id": number}));
            upstream.send(&Message::notification("$/cancelRequest", Some(params)));
        }
    }
}
