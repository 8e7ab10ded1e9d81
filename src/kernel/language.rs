//! The language servers of the kernel: activated over a comm, and closed by one.
//!
//! Binding a port takes no time and nothing of Python's, so it is done on the io thread, and a front-end that asks is
//! told a port at once, whatever the cell does. The io loop calls this with what the life cycle has decided.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::channels::Channels;
use super::handle::Handle;
use super::out::Body;
use super::parent::Parent;
use super::request::Request;
use crate::lifecycle::Event;
use crate::lsp::{Live, Options, Server, activation};
use crate::wire::json;
use crate::wire::message::to_json;
use crate::wire::messages::comm::{CommClose, CommId};
use crate::wire::messages::iopub::ExecutionState;

/// No message to or for a language server has a longer content; those of Positron have about 100 bytes.
const LONGEST: usize = 64 << 10;

/// The language servers that were asked for and are not closed, by the number of the request that did.
#[derive(Default)]
pub(super) struct LanguageServers(HashMap<u64, Activated>);

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

/// Who a message is from. A client keeps its session over all its connections.
#[derive(PartialEq, Deserialize)]
struct Sender {
    session: String,
}

fn sender(parent: &Parent) -> Option<Sender> {
    json::from_slice_lenient(parent.header()).ok()
}

/// Read a content that has one of `words` in it as a string. Every comm message passes here, so what cannot be meant is not
/// parsed: what is too long, and text without any of the words.
fn read<'w, T: DeserializeOwned>(content: &[u8], mut words: impl Iterator<Item = &'w str>) -> Option<T> {
    if content.len() > LONGEST {
        return None;
    }
    let may_be_meant = std::str::from_utf8(content).map_or(true, |text| {
        words.any(|word| !is_plain(word) || text.contains(word))
    });
    may_be_meant.then(|| json::from_slice_lenient(content).ok())?
}

/// Whether a word stands in JSON as it is.
fn is_plain(word: &str) -> bool {
    word.bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

/// Whether a message asks for a language server.
pub(super) fn is_activation(request: &Request) -> bool {
    request.msg_type == "comm_open"
        && read::<Target>(&request.content, activation::TARGETS.iter().copied())
            .is_some_and(|opening| activation::TARGETS.contains(&opening.target_name.as_str()))
}

impl LanguageServers {
    /// The server that the sender of this has asked for before.
    pub(super) fn of_same_client(&self, request: &Request) -> Option<u64> {
        let asks = sender(&request.parent)?;
        let mut servers = self.0.iter();
        let found = servers.find(|(_, activated)| sender(&activated.parent).as_ref() == Some(&asks));
        found.map(|(id, _)| *id)
    }

    /// Begin to listen. Returns whether that came to something, which the life cycle is to know.
    pub(super) fn start(&mut self, handle: &Handle, channels: &Channels, request: Request) -> Event {
        let id = request.id;
        channels.status(&request.parent, ExecutionState::Busy);
        let opening: Opening = match json::from_slice_lenient(&request.content) {
            Ok(opening) => opening,
            Err(error) => {
                tracing::warn!("a comm_open for a language server cannot be read: {error}");
                channels.status(&request.parent, ExecutionState::Idle);
                return Event::ServerGone { id };
            }
        };
        let options = Options {
            live: Some(Arc::clone(&handle.live) as Arc<dyn Live>),
            tools: handle.tools.clone(),
            types: Arc::clone(&handle.types),
            ..Options::default()
        };
        let server = Server::bind(activation::requested_address(&opening.data), options);
        let event = match &server {
            Ok(_) => Event::ServerReady { id },
            Err(error) => {
                tracing::error!("no language server: {error}");
                Event::ServerGone { id }
            }
        };
        let activated = Activated {
            comm_id: opening.comm_id,
            target: opening.target_name,
            parent: request.parent,
            server: server.ok(),
            announced: false,
            closed: false,
        };
        self.0.insert(id, activated);
        event
    }

    /// Tell the front-end the port. Returns whose request that ends.
    pub(super) fn announce(&mut self, handle: &Handle, channels: &Channels, id: u64) -> Option<Parent> {
        let activated = self.0.get_mut(&id)?;
        let port = activated.server.as_ref()?.port();
        activated.announced = true;
        let data = activation::server_started(&activated.target, port);
        let content = to_json(&json!({ "comm_id": activated.comm_id, "data": data }));
        handle
            .comms
            .opened(activated.comm_id.clone(), activated.target.clone());
        let parent = activated.parent.clone();
        channels.publish(Some(&parent), None, Body::new("comm_msg", content));
        Some(parent)
    }

    /// Close whatever there is of a server. Returns whose request that ends.
    pub(super) fn close(&mut self, handle: &Handle, channels: &Channels, id: u64) -> Option<Parent> {
        let activated = self.0.remove(&id)?;
        if let Some(server) = &activated.server {
            server.close();
        }
        handle.comms.closed(&activated.comm_id);
        if !activated.closed {
            let content = to_json(&CommClose::new(activated.comm_id));
            channels.publish(Some(&activated.parent), None, Body::new("comm_close", content));
        }
        (!activated.announced).then_some(activated.parent)
    }

    /// The server that a comm message is for, which so is not for Python.
    pub(super) fn addressee(&self, request: &Request) -> Option<u64> {
        if self.0.is_empty() || !matches!(request.msg_type.as_str(), "comm_msg" | "comm_close") {
            return None;
        }
        let ids = self.0.values().map(|activated| activated.comm_id.as_str());
        let CommId { comm_id } = read(&request.content, ids)?;
        self.0
            .iter()
            .find(|(_, activated)| activated.comm_id == comm_id)
            .map(|(id, _)| *id)
    }

    /// A comm message to a server. A front-end has nothing to say there but that it is over, which the life cycle is to
    /// know.
    pub(super) fn tell(&mut self, id: u64, request: &Request) -> Option<Event> {
        let activated = self.0.get_mut(&id)?;
        (request.msg_type == "comm_close").then(|| {
            activated.closed = true;
            Event::ServerGone { id }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(content: &[u8], ids: &[&str]) -> Option<String> {
        read::<CommId>(content, ids.iter().copied()).map(|found| found.comm_id)
    }

    #[test]
    fn only_what_may_be_meant_is_read() {
        let content = br#"{"comm_id": "a-1", "data": {}}"#;
        assert_eq!(id_of(content, &["b-2", "a-1"]).as_deref(), Some("a-1"));
        assert_eq!(id_of(content, &["b-2"]), None);
        // What JSON may write in another way is always looked at.
        let content = br#"{"comm_id": "\u00e4 1", "data": {}}"#;
        assert_eq!(id_of(content, &["\u{e4} 1"]).as_deref(), Some("\u{e4} 1"));
        let long = format!(r#"{{"comm_id": "a-1", "data": "{}"}}"#, "x".repeat(LONGEST));
        assert_eq!(id_of(long.as_bytes(), &["a-1"]), None);
    }
}
