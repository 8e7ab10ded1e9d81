//! The router: one client, many language servers. Each document is answered by the server inside its notebook's kernel, and by
//! the one that knows the source alone (*the source*, below) while there is none.
//!
//! It reads of a message where it goes, and never waits for a peer: see [`super::stream`]. The source has every document; a
//! kernel's server has those of its notebook besides. So a kernel that ends takes nothing with it: what it has not answered,
//! the source is asked.

mod client;
mod documents;
mod looking;
mod upstream;

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use lsp_server::ErrorCode;
use serde_json::Value;
use socket2::Socket;

use super::message::{Message, Raw, raw};
use super::stream::{self, Outgoing, Said, Waiting};
use client::Named;
use documents::Documents;
pub(super) use looking::Look;
use looking::Looking;
use upstream::{Upstream, Upstreams};

/// The number of the source among the upstreams.
const SOURCE: u32 = 0;

/// How long a request may take. A kernel whose server does not answer in time is let go: the slowest of its requests, which
/// run a formatter, end after 5 s.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long such a kernel is let alone.
const REST: Duration = Duration::from_mins(1);
/// How long the client's last answers may take to be read at the end.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Events that wait; who has more waits.
const MOST_EVENTS: usize = 64;
/// Requests of the client's that are unanswered; more are refused.
const MOST_PENDING: usize = 4096;

/// What the router acts on.
pub(super) enum Event {
    /// The client has said something.
    Client(Said),
    /// The upstream of that number has.
    Upstream(u32, Said),
    /// Which kernel each document has, by its URI: the answer to a [`Look`].
    Homes(HashMap<String, String>),
    /// A connection to the server of the kernel with that id.
    Connected(String, Socket),
}

/// What an upstream was asked.
struct Pending {
    upstream: u32,
    /// Who wants the answer: the client, under this id, or the router.
    client: Option<Raw>,
    method: String,
    params: Option<Raw>,
    until: Instant,
}

struct Router {
    client: Outgoing,
    upstreams: Upstreams,
    /// What `initialize` said, for every upstream.
    initialize: Option<Raw>,
    /// What the source said to it.
    initialized: Option<Message>,
    /// Who asked `initialize` again before it was answered: each page of a browser does, though they share a server.
    initializing: Vec<Raw>,
    configuration: Option<Raw>,
    documents: Documents,
    looking: Looking,
    pending: HashMap<i32, Pending>,
    /// Requests of upstreams to the client: whose, and under which id.
    asked: HashMap<i32, (u32, Raw)>,
    /// The last number of a request.
    number: i32,
    /// [`PATIENCE`], but in tests.
    patience: Duration,
    /// Who answered the last completion: the details of an item are asked there.
    completed: u32,
    shut_down: bool,
}

/// Serves the client until it says `exit` or ends its input. True when it had said `shutdown` before. `source` is a connection
/// to the server of the source. `finder` is given where its events go, and tells where it is asked, if there is one.
///
/// # Errors
/// A thread cannot be started.
pub(super) fn route(
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
    source: Socket,
    finder: impl FnOnce(SyncSender<Event>) -> Option<mpsc::Sender<Look>>,
) -> io::Result<bool> {
    route_within(PATIENCE, input, output, source, finder)
}

fn route_within(
    patience: Duration,
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
    source: Socket,
    finder: impl FnOnce(SyncSender<Event>) -> Option<mpsc::Sender<Look>>,
) -> io::Result<bool> {
    let (sender, events) = mpsc::sync_channel(MOST_EVENTS);
    let client = Outgoing::new(output)?;
    let mut upstreams = Upstreams::new(sender.clone(), client.waiting.clone());
    let waiting: Waiting = upstreams.add(source, None)?.waiting();
    let hear = {
        let sender = sender.clone();
        move |said| sender.send(Event::Client(said)).is_ok()
    };
    stream::listen(input, waiting, hear)?;
    let router = Router {
        client,
        upstreams,
        initialize: None,
        initialized: None,
        initializing: Vec::new(),
        configuration: None,
        documents: Documents::default(),
        looking: Looking::new(finder(sender)),
        pending: HashMap::new(),
        asked: HashMap::new(),
        number: 0,
        patience,
        completed: SOURCE,
        shut_down: false,
    };
    Ok(router.run(&events))
}

impl Router {
    fn run(mut self, events: &Receiver<Event>) -> bool {
        loop {
            let now = Instant::now();
            self.end_patience(now);
            self.look(now);
            let event = match events.recv_timeout(self.quiet(now)) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if !self.take(event) {
                break;
            }
        }
        for upstream in self.upstreams.all() {
            upstream.hang_up();
        }
        self.client.waiting.falls_to(0, LAST_WORDS);
        self.shut_down
    }

    /// False at the end.
    fn take(&mut self, event: Event) -> bool {
        match event {
            Event::Client(Said::Message(message)) => return self.hear_client(message),
            Event::Client(Said::Nonsense(reason)) => {
                let complaint = Message::failure(ErrorCode::ParseError, &reason);
                self.client.send(&complaint.answering(raw(&Value::Null)));
            }
            Event::Upstream(number, Said::Message(message)) => self.hear_upstream(number, message),
            Event::Upstream(_, Said::Nonsense(_)) => {}
            Event::Client(Said::End) | Event::Upstream(SOURCE, Said::End) => return false,
            Event::Upstream(number, Said::End) => self.lose(number),
            Event::Homes(homes) => {
                self.documents.set_homes(homes);
                self.settle_all();
                let lacking = self.documents.all().any(|(_, document)| document.at == SOURCE);
                self.looking.looked(Instant::now(), lacking);
            }
            Event::Connected(kernel, socket) => self.connect(kernel, socket),
        }
        true
    }

    fn ask(&mut self, place: u32, client: Option<Raw>, method: &str, params: Option<Raw>) {
        let number = self.next_number();
        let (place, upstream) = match self.upstreams.get(place) {
            Some(upstream) => (place, Some(upstream)),
            None => (SOURCE, self.upstreams.get(SOURCE)),
        };
        if let Some(upstream) = upstream {
            upstream.send(&Message::request(number, method, params.clone()));
        }
        let pending = Pending {
            upstream: place,
            client,
            method: method.to_owned(),
            params,
            until: Instant::now() + self.patience,
        };
        self.pending.insert(number, pending);
    }

    /// A number that no open request has.
    fn next_number(&mut self) -> i32 {
        loop {
            self.number = self.number.checked_add(1).unwrap_or(1);
            if !self.pending.contains_key(&self.number) && !self.asked.contains_key(&self.number) {
                return self.number;
            }
        }
    }

    fn hear_upstream(&mut self, from: u32, mut message: Message) {
        if self.upstreams.get(from).is_none() {
            return;
        }
        match (message.id.take(), message.method.as_deref()) {
            (Some(id), None) => self.answered(from, &id, message),
            (Some(id), Some(_)) => {
                // Nobody ends the questions of a client that answers none, but with the upstream.
                if self.asked.len() < MOST_PENDING {
                    let number = self.next_number();
                    self.asked.insert(number, (from, id));
                    message.id = Some(raw(&number));
                    self.client.send(&message);
                }
            }
            (None, Some("textDocument/publishDiagnostics")) => {
                let uri = message.params::<Named>().and_then(|named| named.uri);
                if self.documents.published(from, uri.as_deref(), &message) {
                    self.client.send(&message);
                }
            }
            (None, Some(_)) => self.client.send(&message),
            (None, None) => {}
        }
    }

    fn answered(&mut self, from: u32, id: &Raw, message: Message) {
        let Some(number) = number(id) else { return };
        if self
            .pending
            .get(&number)
            .is_none_or(|pending| pending.upstream != from)
        {
            return;
        }
        let Some(pending) = self.pending.remove(&number) else {
            return;
        };
        let Some(client) = pending.client else {
            return self.greet(from, &message);
        };
        if from == SOURCE && pending.method == "initialize" {
            if message.error.is_none() {
                self.documents.encoding = upstream::Greeting::of(&message).encoding();
                self.initialized = Some(message.clone());
            } else {
                self.initialize = None;
            }
            for id in self.initializing.drain(..) {
                self.client.send(&message.clone().answering(id));
            }
        }
        self.client.send(&message.answering(client));
    }

    /// A kernel's server has a connection now: it hears what the client said to the source.
    fn connect(&mut self, kernel: String, socket: Socket) {
        if self.initialized.is_none() || self.shut_down {
            return;
        }
        if let Some(before) = self.upstreams.of_kernel(&kernel) {
            self.lose(before);
        }
        if let Ok(upstream) = self.upstreams.add(socket, Some(kernel)) {
            let number = upstream.number;
            self.ask(number, None, "initialize", self.initialize.clone());
        }
    }

    /// A kernel's server has answered `initialize`. It must count as the source does, for the client knows of one alone.
    fn greet(&mut self, from: u32, answer: &Message) {
        let ours = self.initialized.as_ref().map(upstream::Greeting::of);
        if answer.error.is_some() || ours != Some(upstream::Greeting::of(answer)) {
            return self.let_go(from);
        }
        let configuration = self.configuration.clone();
        if let Some(upstream) = self.upstreams.get_mut(from) {
            upstream.ready = true;
            let empty = raw(&serde_json::json!({}));
            upstream.send(&Message::notification("initialized", Some(empty)));
            if configuration.is_some() {
                upstream.send(&Message::notification(
                    "workspace/didChangeConfiguration",
                    configuration,
                ));
            }
        }
        self.settle_all();
    }

    fn settle_all(&mut self) {
        let uris: Vec<String> = self.documents.all().map(|(uri, _)| uri.clone()).collect();
        for uri in uris {
            self.settle(&uri);
        }
    }

    /// Brings a document to where it belongs now.
    fn settle(&mut self, uri: &str) {
        let home = self.documents.home(uri);
        let ready = |number: &u32| self.upstreams.get(*number).is_some_and(Upstream::is_ready);
        let target = home
            .and_then(|kernel| self.upstreams.of_kernel(kernel))
            .filter(ready)
            .unwrap_or(SOURCE);
        let Some((before, document)) = self.documents.move_to(uri, target) else {
            return;
        };
        if before != SOURCE
            && let Some(upstream) = self.upstreams.get(before)
        {
            upstream.send(&document.closing());
        }
        if target == SOURCE {
            self.client.send(&document.last_published());
        } else if let Some(upstream) = self.upstreams.get(target) {
            upstream.send(&document.opening());
        }
    }

    /// A kernel's server is gone: its documents are the source's, and so is what it has not answered.
    fn lose(&mut self, number: u32) {
        let Some(lost) = self.upstreams.remove(number) else {
            return;
        };
        lost.hang_up();
        self.settle_all();
        self.asked.retain(|_, (upstream, _)| *upstream != number);
        let open = self.pending.extract_if(|_, pending| pending.upstream == number);
        let mut open: Vec<_> = open.collect();
        open.sort_unstable_by_key(|(number, _)| *number);
        for (_, pending) in open {
            if pending.client.is_some() {
                self.ask(SOURCE, pending.client, &pending.method, pending.params);
            }
        }
        self.looking.opened(Instant::now());
    }

    /// The same for one that is there and of no use; it is not asked again soon.
    fn let_go(&mut self, number: u32) {
        if let Some(kernel) = self.upstreams.get(number).and_then(|it| it.kernel.clone()) {
            self.looking.leave_alone(kernel, Instant::now() + REST);
        }
        self.lose(number);
    }

    /// Ends the wait for answers that do not come, and for upstreams that take nothing.
    fn end_patience(&mut self, now: Instant) {
        let late = |pending: &Pending| pending.until <= now;
        let late = self.pending.iter().filter(|(_, pending)| late(pending));
        let late: Vec<(i32, u32)> = late
            .map(|(number, pending)| (*number, pending.upstream))
            .collect();
        for (number, upstream) in late {
            if upstream != SOURCE {
                self.let_go(upstream);
            } else if let Some(client) = self.pending.remove(&number).and_then(|it| it.client) {
                let failure = format!("no answer within {} s", self.patience.as_secs());
                let failure = Message::failure(ErrorCode::RequestFailed, &failure);
                self.client.send(&failure.answering(client));
            }
        }
        let full = |upstream: &&Upstream| {
            upstream.number != SOURCE && upstream.waiting().bytes() > stream::MOST_WAITING
        };
        let full: Vec<u32> = self
            .upstreams
            .all()
            .filter(full)
            .map(|upstream| upstream.number)
            .collect();
        for number in full {
            self.let_go(number);
        }
    }

    /// How long nothing is to be done but to listen.
    fn quiet(&self, now: Instant) -> Duration {
        let late = self.pending.values().map(|pending| pending.until).min();
        let next = late.into_iter().chain(self.looking.next()).min();
        next.map_or(Duration::from_mins(1), |next| next.saturating_duration_since(now))
    }

    fn look(&mut self, now: Instant) {
        if self.initialized.is_some() && self.looking.is_due(now) {
            let uris = self.documents.all().map(|(uri, _)| uri.clone()).collect();
            self.looking.look(now, uris, self.upstreams.kernels());
        }
    }
}

/// An id of ours.
fn number(id: &Raw) -> Option<i32> {
    id.get().parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
