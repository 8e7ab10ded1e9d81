//! The client as tests use it: requests go out, and receivers say what must come next.
//!
//! Receivers that take a [`RequestId`] also check that the message is a child of that request, so a test reads
//! as the conversation that it expects.

use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::TryRecvError;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};

use super::sockets::{Inbox, Sockets};
use super::{Channel, Connection, Message, Outgoing, RequestId, TIMEOUT};

/// One front-end with a session of its own.
pub struct Client {
    sockets: Sockets,
    inboxes: [Inbox; 4],
    /// Messages that were read while looking for others.
    waiting: [VecDeque<Message>; 4],
    key: Vec<u8>,
    pub session: String,
    /// Requests that are busy, and whether another one's idle came since that was last said.
    busy: HashMap<RequestId, bool>,
    /// How often a running request's busy was said again.
    pub reminders: usize,
}

/// What one `execute_request` caused.
#[derive(Debug)]
pub struct Outcome {
    pub id: RequestId,
    pub reply: Message,
    /// The iopub messages between `execute_input` and idle.
    pub outputs: Vec<Message>,
}

impl Client {
    /// Connects all channels and waits for iopub's welcome, after which no message can be missed.
    pub fn connect(
        connection: &Connection,
        topics: &[&str],
        alive: &mut dyn FnMut() -> Result<(), String>,
    ) -> Result<Self, String> {
        let session = uuid::Uuid::new_v4().to_string();
        let (sockets, inboxes) = Sockets::connect(connection, session.as_bytes(), topics, alive)?;
        let mut client = Self {
            sockets,
            inboxes,
            waiting: Default::default(),
            key: connection.key.clone().into_bytes(),
            session,
            busy: HashMap::new(),
            reminders: 0,
        };
        let deadline = Instant::now() + TIMEOUT;
        // The subscriptions of one client leave it in no particular order.
        let mut unwelcomed = topics.to_vec();
        while !unwelcomed.is_empty() {
            alive()?;
            match client.receive_any(Channel::Iopub, Duration::from_millis(100))? {
                Some(message) if message.msg_type() == "iopub_welcome" => {
                    unwelcomed.retain(|topic| message.content["subscription"] != **topic);
                }
                Some(_) => {}
                None if Instant::now() > deadline => {
                    return Err(format!("no iopub_welcome for the topics {unwelcomed:?}"));
                }
                None => {}
            }
        }
        Ok(client)
    }

    pub fn key(&self) -> &[u8] {
        &self.key
    }

    pub fn outgoing(&self, msg_type: &str, content: Value) -> Outgoing {
        Outgoing::new(&self.session, msg_type, content)
    }

    pub fn send(&self, channel: Channel, message: &Outgoing) -> RequestId {
        self.sockets.send(channel, message.seal(&self.key));
        message.id()
    }

    pub fn send_request(&self, channel: Channel, msg_type: &str, content: Value) -> RequestId {
        self.send(channel, &self.outgoing(msg_type, content))
    }

    /// Sends frames as they are.
    pub fn send_frames(&self, channel: Channel, frames: Vec<Bytes>) {
        self.sockets.send(channel, frames);
    }

    /// Sends an `execute_request`, on shell, with a front-end's usual settings.
    pub fn send_execute(&self, code: &str) -> RequestId {
        self.send_request(Channel::Shell, "execute_request", execute_content(code))
    }

    #[track_caller]
    pub fn heartbeat(&self, ping: &[u8]) -> Vec<Bytes> {
        match self.sockets.heartbeat(ping) {
            Ok(pong) => pong,
            Err(error) => panic!("the heartbeat did not answer: {error}"),
        }
    }

    /// The next message on a channel. Passed over are status `starting`, the welcomes of later subscribers, and
    /// [reminders](Client::reminders).
    #[track_caller]
    pub fn recv(&mut self, channel: Channel) -> Message {
        match self.recv_within(channel, TIMEOUT) {
            Some(message) => message,
            None => panic!("nothing came on {channel:?} within {TIMEOUT:?}, or until its end"),
        }
    }

    /// The next message on a channel, if one comes in time.
    #[track_caller]
    pub fn recv_within(&mut self, channel: Channel, patience: Duration) -> Option<Message> {
        if let Some(message) = self.waiting[channel as usize].pop_front() {
            return Some(message);
        }
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.receive_any(channel, left) {
                Ok(Some(message)) if is_background(&message) || self.is_reminder(&message) => {}
                Ok(other) => return other,
                Err(error) => panic!("a malformed message on {channel:?}: {error}"),
            }
        }
    }

    /// All that still comes on a channel until the kernel closes the connection: its last bytes may be on their way through
    /// this process when it is gone.
    #[track_caller]
    pub fn recv_to_end(&mut self, channel: Channel) -> Vec<Message> {
        let rest = std::iter::from_fn(|| self.recv_within(channel, TIMEOUT)).collect();
        let end = self.inboxes[channel as usize].received.try_recv();
        assert_eq!(end, Err(TryRecvError::Disconnected), "{channel:?} has no end");
        rest
    }

    /// A front-end shows the last status that it was told, whosever that was. So after the idle of a request that
    /// was answered beside a running cell, the cell's busy may be said again; for no other reason.
    fn is_reminder(&mut self, message: &Message) -> bool {
        let Some(parent) = message.parent() else {
            return false;
        };
        if message.is_state("idle") {
            self.busy.remove(&parent);
            for another_ended in self.busy.values_mut() {
                *another_ended = true;
            }
        } else if message.is_state("busy") && self.busy.insert(parent, false) == Some(true) {
            self.reminders += 1;
            return true;
        }
        false
    }

    fn receive_any(&mut self, channel: Channel, patience: Duration) -> Result<Option<Message>, String> {
        match self.inboxes[channel as usize].received.recv_timeout(patience) {
            Ok(frames) => Message::open(&self.key, &frames).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// The reply to `request`, which must be the next message on its channel.
    #[track_caller]
    pub fn recv_reply(&mut self, channel: Channel, request: &RequestId, msg_type: &str) -> Message {
        let reply = self.recv(channel);
        assert!(
            reply.msg_type() == msg_type && reply.is_child_of(request),
            "wanted a {msg_type} to {request:?} on {channel:?}, got {}",
            reply.summary(),
        );
        reply
    }

    #[track_caller]
    pub fn recv_shell_reply(&mut self, request: &RequestId, msg_type: &str) -> Message {
        self.recv_reply(Channel::Shell, request, msg_type)
    }

    /// The next iopub message, which must be of this type and a child of `request`.
    #[track_caller]
    pub fn recv_iopub(&mut self, request: &RequestId, msg_type: &str) -> Message {
        let message = self.recv(Channel::Iopub);
        assert!(
            message.msg_type() == msg_type && message.is_child_of(request),
            "wanted {msg_type} of {request:?} on iopub, got {}",
            message.summary(),
        );
        message
    }

    #[track_caller]
    pub fn recv_iopub_state(&mut self, request: &RequestId, state: &str) {
        let message = self.recv_iopub(request, "status");
        assert_eq!(message.text("execution_state"), state, "{}", message.summary());
    }

    #[track_caller]
    pub fn recv_iopub_busy(&mut self, request: &RequestId) {
        self.recv_iopub_state(request, "busy");
    }

    #[track_caller]
    pub fn recv_iopub_idle(&mut self, request: &RequestId) {
        self.recv_iopub_state(request, "idle");
    }

    #[track_caller]
    pub fn recv_iopub_execute_input(&mut self, request: &RequestId, code: &str) -> u64 {
        let message = self.recv_iopub(request, "execute_input");
        assert_eq!(message.text("code"), code);
        message.content["execution_count"]
            .as_u64()
            .expect("an execution count")
    }

    /// Receives stream messages until they make up `text`; how it is cut into messages is the kernel's affair.
    #[track_caller]
    pub fn recv_iopub_stream(&mut self, request: &RequestId, name: &str, text: &str) {
        let mut seen = String::new();
        while seen != text {
            let message = self.recv_iopub(request, "stream");
            assert_eq!(message.text("name"), name, "{}", message.summary());
            seen.push_str(&message.text("text"));
            assert!(text.starts_with(&seen), "wanted {text:?} on {name}, got {seen:?}");
        }
    }

    /// Sends a request, and takes its busy, its idle and its reply: exactly those.
    #[track_caller]
    pub fn request(&mut self, channel: Channel, msg_type: &str, content: Value) -> Message {
        let request = self.send_request(channel, msg_type, content);
        let reply_type = msg_type.replace("_request", "_reply");
        let reply = self.recv_reply(channel, &request, &reply_type);
        self.recv_iopub_busy(&request);
        self.recv_iopub_idle(&request);
        reply
    }

    /// Runs a cell to its end.
    #[track_caller]
    pub fn execute(&mut self, code: &str) -> Outcome {
        let request = self.send_execute(code);
        self.finish_execute(&request, Some(code))
    }

    /// Runs a cell which must succeed, and returns what it wrote on stdout.
    #[track_caller]
    pub fn run(&mut self, code: &str) -> String {
        let outcome = self.execute(code);
        outcome.assert_ok();
        outcome.stdout()
    }

    /// Takes everything that a request to execute causes. `code` is what `execute_input` must say; `None` for a
    /// silent request.
    #[track_caller]
    pub fn finish_execute(&mut self, request: &RequestId, code: Option<&str>) -> Outcome {
        self.recv_iopub_busy(request);
        if let Some(code) = code {
            self.recv_iopub_execute_input(request, code);
        }
        self.finish_begun(request)
    }

    /// The same, when its busy and its `execute_input` have been taken.
    #[track_caller]
    pub fn finish_begun(&mut self, request: &RequestId) -> Outcome {
        let outputs = self.recv_outputs(request);
        let reply = self.recv_shell_reply(request, "execute_reply");
        Outcome {
            id: request.clone(),
            reply,
            outputs,
        }
    }

    /// The iopub messages of a request up to its idle, which is taken too.
    #[track_caller]
    pub fn recv_outputs(&mut self, request: &RequestId) -> Vec<Message> {
        let mut outputs = Vec::new();
        loop {
            let message = self.recv(Channel::Iopub);
            assert!(
                message.is_child_of(request),
                "an output of another request before the idle of {request:?}: {}",
                message.summary(),
            );
            if message.is_state("idle") {
                return outputs;
            }
            assert_ne!(message.msg_type(), "status", "{}", message.summary());
            outputs.push(message);
        }
    }

    /// Takes the iopub messages of another client's request, which this client sees too.
    #[track_caller]
    pub fn finish_elsewhere(&mut self, request: &RequestId) {
        self.recv_iopub_busy(request);
        self.recv_outputs(request);
    }

    /// A cell that must still work, whatever happened before.
    #[track_caller]
    pub fn assert_alive(&mut self) {
        let outcome = self.execute("6 * 7");
        outcome.assert_ok();
        assert_eq!(outcome.result(), "42");
    }

    /// Everything that nobody has read when the kernel is gone, but for what belongs to `except`.
    #[track_caller]
    pub fn unread(&mut self, except: Option<&RequestId>) -> Vec<String> {
        let mut unread = Vec::new();
        for channel in [Channel::Shell, Channel::Control, Channel::Stdin, Channel::Iopub] {
            for message in self.recv_to_end(channel) {
                if except.is_none() || message.parent().as_ref() != except {
                    unread.push(format!("{channel:?}: {}", message.summary()));
                }
            }
        }
        unread
    }
}

/// Messages that belong to no request and may come at any time.
fn is_background(message: &Message) -> bool {
    message.is_state("starting") || message.msg_type() == "iopub_welcome"
}

/// The content of an `execute_request` as a notebook sends it.
pub fn execute_content(code: &str) -> Value {
    json!({
        "code": code,
        "silent": false,
        "store_history": true,
        "user_expressions": {},
        "allow_stdin": false,
        "stop_on_error": true,
    })
}

impl Outcome {
    #[track_caller]
    pub fn assert_ok(&self) {
        assert_eq!(self.reply.status(), "ok", "{:#}", self.reply.content);
    }

    /// What was written to a stream, all messages joined.
    pub fn stream(&self, name: &str) -> String {
        self.outputs
            .iter()
            .filter(|message| message.msg_type() == "stream" && message.text("name") == name)
            .map(|message| message.text("text"))
            .collect()
    }

    pub fn stdout(&self) -> String {
        self.stream("stdout")
    }

    /// The messages of one type.
    pub fn of_type(&self, msg_type: &str) -> Vec<&Message> {
        self.outputs
            .iter()
            .filter(|message| message.msg_type() == msg_type)
            .collect()
    }

    /// The one message of a type.
    #[track_caller]
    pub fn only(&self, msg_type: &str) -> &Message {
        match self.of_type(msg_type)[..] {
            [message] => message,
            ref others => panic!("wanted one {msg_type}, got {}: {:?}", others.len(), self.outputs),
        }
    }

    /// The plain text of the execute_result.
    #[track_caller]
    pub fn result(&self) -> String {
        self.only("execute_result").content["data"]["text/plain"]
            .as_str()
            .expect("an execute_result with text/plain")
            .to_owned()
    }

    /// The name of the error that both the reply and iopub must carry.
    #[track_caller]
    pub fn error(&self) -> String {
        assert_eq!(self.reply.status(), "error", "{:#}", self.reply.content);
        let error = self.only("error");
        assert_eq!(error.text("ename"), self.reply.text("ename"));
        assert_eq!(error.text("evalue"), self.reply.text("evalue"));
        error.text("ename")
    }

    /// The traceback on iopub without terminal colours.
    #[track_caller]
    pub fn traceback(&self) -> String {
        let lines = self.only("error").content["traceback"]
            .as_array()
            .expect("a traceback");
        let coloured: Vec<_> = lines.iter().filter_map(Value::as_str).collect();
        without_colours(&coloured.join("\n"))
    }
}

/// Removes `ESC [ … m`.
pub fn without_colours(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    plain + rest
}
