//! Questions about code that are answered in Python's place, by the language engine, while the main thread is in a cell; and what
//! the engine knows besides while it is not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::handle::Handle;
use super::out::{Body, Out};
use super::request::Request;
use crate::lsp::engine::{self, Asker};
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
    /// In characters. A negative one is taken for the beginning, as while no cell runs.
    cursor_pos: Option<i64>,
}

/// How long Python may take to answer, if it can be entered at all.
const LIVE: Duration = Duration::from_millis(40);

/// How long a list is waited for, from the question on.
const LIST: Duration = Duration::from_millis(80);

/// The same for a description.
const DESCRIPTION: Duration = Duration::from_millis(300);

/// The content of the reply to a question about code, from the text, the session and the type checker.
fn content(handle: &Handle, request: &Request) -> Bytes {
    let question: Question = match json::from_slice_lenient(&request.content) {
        Ok(question) => question,
        Err(error) => return to_json(&ErrorReply::new("BadRequest", error.to_string())),
    };
    let cursor = question
        .cursor_pos
        .map_or(usize::MAX, |cursor| usize::try_from(cursor).unwrap_or(0));
    if request.msg_type == "inspect_request" {
        let mut asker = Asker::new(&*handle.live, LIVE);
        let until = Instant::now() + DESCRIPTION;
        let text = engine::inspect(&question.code, cursor, &mut asker, &handle.types, until);
        let data = text
            .as_ref()
            .map_or_else(|| json!({}), |text| json!({ "text/plain": text }));
        return to_json(&json!({ "status": "ok", "found": text.is_some(), "data": data, "metadata": {} }));
    }
    complete(handle, &question.code, cursor)
}

/// The content of a `complete_reply` for `code` with the cursor at that character. Waits for [`LIST`] at most.
pub(super) fn complete(handle: &Handle, code: &str, cursor: usize) -> Bytes {
    let mut asker = Asker::new(&*handle.live, LIVE);
    let until = Instant::now() + LIST;
    let found = engine::complete(code, cursor, &mut asker, &handle.types, until);
    let matches: Vec<&str> = found.matches.iter().map(|it| it.text.as_str()).collect();
    let types: Vec<Value> = found
        .matches
        .iter()
        .map(|it| {
            json!({
                "start": found.start,
                "end": found.end,
                "text": it.text,
                "type": it.kind,
                "signature": it.signature,
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
