//! The language servers that the router has a connection to.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::Shutdown;
use std::sync::mpsc::SyncSender;

use serde_json::Value;
use socket2::Socket;

use super::Event;
use crate::cli::lsp::message::Message;
use crate::cli::lsp::stream::{self, Outgoing, Waiting};
use crate::lsp::documents::text::Encoding;

/// A connection to a language server.
pub(super) struct Upstream {
    pub(super) number: u32,
    /// The id of the kernel that it is in.
    pub(super) kernel: Option<String>,
    /// It has answered `initialize`.
    pub(super) ready: bool,
    outgoing: Outgoing,
    socket: Socket,
}

impl Upstream {
    pub(super) fn send(&self, message: &Message) {
        self.outgoing.send(message);
    }

    pub(super) fn waiting(&self) -> Waiting {
        self.outgoing.waiting.clone()
    }

    /// Whether it may hear of documents. The source hears all, and says itself what comes too early.
    pub(super) fn is_ready(&self) -> bool {
        self.ready || self.kernel.is_none()
    }

    /// Ends both of its threads.
    pub(super) fn hang_up(&self) {
        // The peer may have done so before.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// All of them, by their numbers, which are never used again.
pub(super) struct Upstreams {
    connected: HashMap<u32, Upstream>,
    next: u32,
    events: SyncSender<Event>,
    /// What the client has to take: while that is too much, nothing is read for it.
    client: Waiting,
}

impl Upstreams {
    pub(super) fn new(events: SyncSender<Event>, client: Waiting) -> Self {
        Self {
            connected: HashMap::new(),
            next: 0,
            events,
            client,
        }
    }

    /// Takes a connection; the first is the source's.
    pub(super) fn add(&mut self, socket: Socket, kernel: Option<String>) -> io::Result<&Upstream> {
        let number = self.next;
        self.next += 1;
        let outgoing = Outgoing::new(socket.try_clone()?)?;
        let events = self.events.clone();
        let hear = move |said| events.send(Event::Upstream(number, said)).is_ok();
        stream::listen(socket.try_clone()?, self.client.clone(), hear)?;
        let upstream = Upstream {
            number,
            kernel,
            ready: false,
            outgoing,
            socket,
        };
        Ok(self.connected.entry(number).or_insert(upstream))
    }

    pub(super) fn get(&self, number: u32) -> Option<&Upstream> {
        self.connected.get(&number)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Upstream> {
        self.connected.get_mut(&number)
    }

    pub(super) fn remove(&mut self, number: u32) -> Option<Upstream> {
        self.connected.remove(&number)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Upstream> {
        self.connected.values()
    }

    pub(super) fn of_kernel(&self, kernel: &str) -> Option<u32> {
        let mut all = self.all();
        all.find(|it| it.kernel.as_deref() == Some(kernel))
            .map(|it| it.number)
    }

    pub(super) fn kernels(&self) -> HashSet<String> {
        self.all().filter_map(|it| it.kernel.clone()).collect()
    }
}

/// What of an answer to `initialize` all that follows depends on: how characters are counted, and what the numbers of
/// semantic tokens mean.
#[derive(PartialEq)]
pub(super) struct Greeting {
    encoding: Value,
    legend: Value,
}

impl Greeting {
    pub(super) fn of(answer: &Message) -> Self {
        let result = answer.result.as_ref().map(|result| result.get());
        let result: Value = result
            .and_then(|it| serde_json::from_str(it).ok())
            .unwrap_or_default();
        let at = |pointer: &str| result.pointer(pointer).cloned().unwrap_or_default();
        Self {
            encoding: at("/capabilities/positionEncoding"),
            legend: at("/capabilities/semanticTokensProvider/legend"),
        }
    }

    pub(super) fn encoding(&self) -> Encoding {
        Encoding::negotiate(self.encoding.as_str())
    }
}
