//! Questions about code that are answered in Python's place, by the language engine, while the main thread is in a cell.

use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::handle::Handle;
use super::out::{Body, Out};
use super::request::Request;
use crate::lsp::{self, engine};
use crate::os;
use crate::wire::json;
use crate::wire::message::to_json;
use crate::wire::messages::ErrorReply;

/// Whether the engine can answer this.
pub(super) fn answers(request: &Request) -> bool {
    matches!(request.msg_type.as_str(), "complete_request" | "inspect_request")
}

/// Answer, on a thread of its own that nobody waits for: the reply and the end of the request come through the outbox.
///
/// # Errors
/// Where the system has no thread left.
pub(super) fn answer(handle: Arc<Handle>, request: Request) -> std::io::Result<()> {
    let work = move || {
        os::signal::block_all();
        let content = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| content(&handle, &request)));
        let content = content.unwrap_or_else(|_| {
            tracing::error!("the language engine failed on a {}", request.msg_type);
            to_json(&ErrorReply::new(
                "EngineFailed",
                "the language engine failed; the log says more",
            ))
        });
        handle.outbox.push(Out::Reply {
            id: request.id,
            channel: request.channel,
            parent: request.parent.clone(),
            body: Body::new(request.reply_type(), content),
        });
        handle.finished(&request);
    };
    std::thread::Builder::new()
        .name("drupe-lsp-engine".into())
        .spawn(work)
        .map(drop)
}

#[derive(Deserialize)]
struct Question {
    code: String,
    cursor_pos: Option<usize>,
}

/// The content of the reply to a question about code, from the text and the last snapshot of the namespace.
fn content(handle: &Handle, request: &Request) -> Bytes {
    let question: Question = match json::from_slice_lenient(&request.content) {
        Ok(question) => question,
        Err(error) => return to_json(&ErrorReply::new("BadRequest", error.to_string())),
    };
    let snapshot = lsp::Live::snapshot(&*handle.live);
    let cursor = question.cursor_pos.unwrap_or(usize::MAX);
    if request.msg_type == "inspect_request" {
        let text = engine::inspect(&question.code, cursor, &snapshot);
        let data = text
            .as_ref()
            .map_or_else(|| json!({}), |text| json!({ "text/plain": text }));
        return to_json(&json!({ "status": "ok", "found": text.is_some(), "data": data, "metadata": {} }));
    }
    let found = engine::complete(&question.code, cursor, &snapshot);
    let matches: Vec<&str> = found
        .matches
        .iter()
        .map(|candidate| candidate.label.as_str())
        .collect();
    let types: Vec<Value> = found
        .matches
        .iter()
        .map(|candidate| {
            json!({
                "start": found.start,
                "end": found.end,
                "text": candidate.label,
                "type": candidate.kind.name(),
                "signature": "",
            })
        })
        .collect();
    to_json(&json!({
        "status": "ok",
        "matches": matches,
        "cursor_start": found.start,
        "cursor_end": found.end,
        "metadata": { "_jupyter_types_experimental": types },
    }))
}
