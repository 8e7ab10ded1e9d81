//! The language server as the kernel knows it: activated over a comm, closed by one, and asked in place of Python while
//! a cell runs.
//!
//! Binding a port takes no time and nothing of Python's, so it is done on the io thread, and a front-end that asks is
//! told a port at once, whatever the cell does.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::handle::Handle;
use super::io::Io;
use super::out::{Body, Out};
use super::parent::Parent;
use super::request::Request;
use crate::lifecycle::{Event, Place};
use crate::lsp::{self, Live, Options, Server, activation, engine};
use crate::os;
use crate::wire::json;
use crate::wire::message::to_json;
use crate::wire::messages::ErrorReply;
use crate::wire::messages::comm::{CommClose, CommId};
use crate::wire::messages::iopub::ExecutionState;

/// The language servers that were asked for and are not closed, by the number of the request that did.
#[derive(Default)]
pub(super) struct Servers(HashMap<u64, Activated>);

struct Activated {
    comm_id: String,
    target: String,
    parent: Parent,
    server: Option<Server>,
    /// The front-end knows the port.
    announced: bool,
    /// The front-end has closed the comm itself.
    closed: bool,
}

#[derive(Deserialize)]
struct Target {
    target_name: String,
}

#[derive(Deserialize)]
struct Opening {
    comm_id: String,
    target_name: String,
    #[serde(default)]
    data: Value,
}

/// Whether a message asks for a language server.
pub(super) fn is_activation(request: &Request) -> bool {
    request.msg_type == "comm_open"
        && json::from_slice_lenient::<Target>(&request.content)
            .is_ok_and(|opening| activation::TARGETS.contains(&opening.target_name.as_str()))
}

impl Io {
    /// Begin to listen, and say so or why not.
    pub(super) fn start_server(&mut self, id: u64, events: &mut VecDeque<Event>) {
        let Some(request) = self.arrived.take() else {
            return;
        };
        self.status(Some(&request.parent), ExecutionState::Busy);
        let opening: Opening = match json::from_slice_lenient(&request.content) {
            Ok(opening) => opening,
            Err(error) => {
                tracing::warn!("a comm_open for a language server cannot be read: {error}");
                self.idle(&request.parent);
                events.push_back(Event::ServerGone { id });
                return;
            }
        };
        let options = Options {
            live: Some(Arc::clone(&self.handle.live) as Arc<dyn Live>),
            tools: self.handle.tools.clone(),
            types: self.handle.types,
            ..Options::default()
        };
        let server = Server::bind(activation::requested_address(&opening.data), options);
        events.push_back(match &server {
            Ok(_) => Event::ServerReady { id },
            Err(error) => {
                tracing::error!("no language server: {error}");
                Event::ServerGone { id }
            }
        });
        let activated = Activated {
            comm_id: opening.comm_id,
            target: opening.target_name,
            parent: request.parent,
            server: server.ok(),
            announced: false,
            closed: false,
        };
        self.servers.0.insert(id, activated);
    }

    /// Tell the front-end the port.
    pub(super) fn announce(&mut self, id: u64) {
        let Some(activated) = self.servers.0.get_mut(&id) else {
            return;
        };
        let Some(server) = &activated.server else { return };
        activated.announced = true;
        let data = activation::server_started(&activated.target, server.port());
        let content = to_json(&json!({ "comm_id": activated.comm_id, "data": data }));
        let parent = activated.parent.clone();
        self.handle
            .comms
            .opened(activated.comm_id.clone(), activated.target.clone());
        self.publish(Some(&parent), None, Body::new("comm_msg", content));
        self.idle(&parent);
    }

    /// Close whatever there is of a server.
    pub(super) fn close_server(&mut self, id: u64) {
        let Some(activated) = self.servers.0.remove(&id) else {
            return;
        };
        if let Some(server) = &activated.server {
            server.close();
        }
        self.handle.comms.closed(&activated.comm_id);
        if !activated.closed {
            let content = to_json(&CommClose::new(activated.comm_id));
            self.publish(Some(&activated.parent), None, Body::new("comm_close", content));
        }
        if !activated.announced {
            self.idle(&activated.parent);
        }
    }

    /// Whether a comm message is for a server, and so not for Python.
    pub(super) fn is_for_a_server(&self, request: &Request) -> bool {
        matches!(request.msg_type.as_str(), "comm_msg" | "comm_close")
            && !self.servers.0.is_empty()
            && self.server_of(request).is_some()
    }

    fn server_of(&self, request: &Request) -> Option<u64> {
        let CommId { comm_id } = json::from_slice_lenient(&request.content).ok()?;
        self.servers
            .0
            .iter()
            .find(|(_, activated)| activated.comm_id == comm_id)
            .map(|(id, _)| *id)
    }

    /// A front-end has nothing to say on such a comm but that it is over.
    pub(super) fn tell_server(&mut self, request: &Request) {
        self.status(Some(&request.parent), ExecutionState::Busy);
        if request.msg_type == "comm_close"
            && let Some(id) = self.server_of(request)
        {
            if let Some(activated) = self.servers.0.get_mut(&id) {
                activated.closed = true;
            }
            self.feed(Event::ServerGone { id });
        }
        self.idle(&request.parent);
    }

    /// Answer a question about code from the language engine: the main thread is in a cell.
    pub(super) fn answer_beside_a_cell(&mut self, request: Request) {
        if !self.handle.switch.take_effect(request.id, Place::Engine) {
            return;
        }
        self.status(Some(&request.parent), ExecutionState::Busy);
        let handle = Arc::clone(&self.handle);
        let id = request.id;
        let spawned = std::thread::Builder::new()
            .name("drupe-lsp-engine".into())
            .spawn(move || {
                os::signal::block_all();
                let content =
                    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| content(&handle, &request)));
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
            });
        if let Err(error) = spawned {
            tracing::warn!("no thread for the language engine: {error}");
            // Its reply is the one that says that there is none.
            self.feed(Event::Finished { id });
        }
    }
}

/// Whether the engine can answer this while a cell runs.
pub(super) fn answers(request: &Request) -> bool {
    matches!(request.msg_type.as_str(), "complete_request" | "inspect_request")
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
