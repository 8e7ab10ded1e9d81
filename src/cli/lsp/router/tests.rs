use std::io::BufReader;
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;

use serde_json::json;
use socket2::{Domain, Type};

use super::*;
use crate::lsp::framing;

const SOON: Duration = Duration::from_secs(10);
/// How long the router of a test waits for an answer.
const SHORT: Duration = Duration::from_secs(3);

/// One end of a connection.
struct Peer {
    input: BufReader<Socket>,
    output: Socket,
}

impl Peer {
    fn pair() -> (Self, Socket) {
        let (near, far) = Socket::pair(Domain::UNIX, Type::STREAM, None).unwrap();
        near.set_read_timeout(Some(SOON)).unwrap();
        let input = BufReader::new(near.try_clone().unwrap());
        (Self { input, output: near }, far)
    }

    fn say(&mut self, message: Value) {
        self.output.write_all(&framing::frame(&message).unwrap()).unwrap();
    }

    /// Says a frame that need not hold a message.
    fn say_raw(&mut self, body: &Value) {
        let body = body.to_string();
        let frame = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        self.output.write_all(frame.as_bytes()).unwrap();
    }

    fn hear(&mut self) -> Value {
        framing::read_value(&mut self.input).unwrap().unwrap()
    }

    /// Hears a message with that method.
    fn expect(&mut self, method: &str) -> Value {
        let message = self.hear();
        assert_eq!(message["method"], method, "{message}");
        message
    }

    /// Answers a request with that method by `result`, which is said back.
    fn answer(&mut self, method: &str, result: Value) -> Value {
        let request = self.expect(method);
        self.say(json!({"id": request["id"], "result": result}));
        request
    }

    fn open(&mut self, uri: &str, text: &str) {
        let document = json!({"uri": uri, "languageId": "python", "version": 1, "text": text});
        self.say(json!({"method": "textDocument/didOpen", "params": {"textDocument": document}}));
    }

    fn edit(&mut self, uri: &str, changes: Value) {
        let params = json!({"textDocument": {"uri": uri, "version": 2}, "contentChanges": changes});
        self.say(json!({"method": "textDocument/didChange", "params": params}));
    }

    fn hover(&mut self, id: u32, uri: &str) {
        let params = json!({"textDocument": {"uri": uri}, "position": {"line": 0, "character": 0}});
        self.say(json!({"id": id, "method": "textDocument/hover", "params": params}));
    }

    fn publish(&mut self, uri: &str, what: &str) {
        let params = json!({"uri": uri, "diagnostics": [what]});
        self.say(json!({"method": "textDocument/publishDiagnostics", "params": params}));
    }
}

/// A router between a client and the source, with a finder that does what the test says.
struct Rig {
    client: Peer,
    source: Peer,
    looks: Receiver<Look>,
    events: SyncSender<Event>,
    end: JoinHandle<bool>,
}

fn capabilities(encoding: &str) -> Value {
    json!({"capabilities": {"positionEncoding": encoding}})
}

impl Rig {
    fn fresh() -> Self {
        let (client, near) = Peer::pair();
        let (source, far) = Peer::pair();
        let (finder, looks) = mpsc::channel();
        let (sender, events) = mpsc::channel();
        let end = std::thread::spawn(move || {
            let input = near.try_clone().unwrap();
            let finder = |events| {
                sender.send(events).unwrap();
                Some(finder)
            };
            route_within(SHORT, input, near, far, finder).unwrap()
        });
        let events = events.recv().unwrap();
        Self {
            client,
            source,
            looks,
            events,
            end,
        }
    }

    fn initialized() -> Self {
        let mut rig = Self::fresh();
        rig.client
            .say(json!({"id": 1, "method": "initialize", "params": {"a": "b"}}));
        rig.source.answer("initialize", capabilities("utf-8"));
        assert_eq!(
            rig.client.hear(),
            json!({"jsonrpc": "2.0", "id": 1, "result": capabilities("utf-8")})
        );
        rig
    }

    /// One with documents `a`, in kernel `k`, and `b`, in none; and the kernel's server.
    fn with_kernel() -> (Self, Peer) {
        let mut rig = Self::initialized();
        for uri in ["a", "b"] {
            rig.client.open(uri, "é = 1\n");
            rig.source.expect("textDocument/didOpen");
        }
        assert_eq!(rig.looks.recv_timeout(SOON).unwrap().settled.len(), 0);
        rig.home();
        let kernel = rig.connect(&capabilities("utf-8"));
        (rig, kernel)
    }

    fn home(&self) {
        let homes = HashMap::from([("a".to_owned(), "k".to_owned())]);
        self.events.send(Event::Homes(homes)).unwrap();
    }

    /// A new server of the kernel's, which has heard of its document.
    fn connect(&self, greeting: &Value) -> Peer {
        let (mut kernel, far) = Peer::pair();
        self.events.send(Event::Connected("k".into(), far)).unwrap();
        let request = kernel.answer("initialize", greeting.clone());
        assert_eq!(request["params"], json!({"a": "b"}));
        if *greeting == capabilities("utf-8") {
            kernel.expect("initialized");
            let opened = kernel.expect("textDocument/didOpen");
            assert_eq!(opened["params"]["textDocument"]["uri"], "a");
        }
        kernel
    }

    fn ends_as(self) -> bool {
        let until = Instant::now() + SOON;
        while !self.end.is_finished() {
            assert!(Instant::now() < until, "it goes on");
            std::thread::sleep(Duration::from_millis(5));
        }
        self.end.join().unwrap()
    }
}

#[test]
fn each_document_is_asked_where_it_belongs() {
    let (mut rig, mut kernel) = Rig::with_kernel();
    rig.client.hover(7, "a");
    rig.client.hover(7, "b");
    kernel.answer("textDocument/hover", json!("of the kernel"));
    assert_eq!(rig.client.hear()["result"], "of the kernel");
    rig.source.answer("textDocument/hover", json!(null));
    let answer = rig.client.hear();
    assert_eq!(answer, json!({"jsonrpc": "2.0", "id": 7, "result": null}));
    // An edit is for both.
    rig.client.edit("a", json!([{"text": "x"}]));
    rig.source.expect("textDocument/didChange");
    kernel.expect("textDocument/didChange");
    // The details of a candidate are asked where the candidates were.
    for (id, uri) in [(8, "a"), (9, "b")] {
        let at_kernel = uri == "a";
        let params = json!({"textDocument": {"uri": uri}, "position": {"line": 0, "character": 0}});
        for (method, params) in [
            ("textDocument/completion", params),
            ("completionItem/resolve", json!({"label": "x"})),
        ] {
            rig.client
                .say(json!({"id": id, "method": method, "params": params}));
            let asked = if at_kernel { &mut kernel } else { &mut rig.source };
            asked.answer(method, json!([]));
            rig.client.hear();
        }
    }
    // What is of no document is the source's.
    rig.client
        .say(json!({"id": "s", "method": "workspace/symbol", "params": {"query": ""}}));
    rig.source.answer("workspace/symbol", json!([]));
    assert_eq!(rig.client.hear()["id"], "s");
}

#[test]
fn a_kernel_that_dies_in_the_middle_of_a_request() {
    let (mut rig, mut kernel) = Rig::with_kernel();
    rig.client.hover(7, "a");
    let asked = kernel.expect("textDocument/hover");
    drop(kernel);
    let again = rig.source.answer("textDocument/hover", json!("of the source"));
    assert_eq!(again["params"], asked["params"]);
    // The source's diagnostics are shown again.
    rig.client.expect("textDocument/publishDiagnostics");
    assert_eq!(rig.client.hear()["result"], "of the source");
    // It is looked for, and the next one hears of the text as it is then.
    rig.client.edit(
        "a",
        json!([{"range": {"start": {"line": 0, "character": 2}, "end": {"line": 0, "character": 6}}, "text": "!"}]),
    );
    rig.source.expect("textDocument/didChange");
    assert!(rig.looks.recv_timeout(SOON).unwrap().settled.is_empty());
    rig.home();
    let (mut kernel, far) = Peer::pair();
    rig.events.send(Event::Connected("k".into(), far)).unwrap();
    kernel.answer("initialize", capabilities("utf-8"));
    kernel.expect("initialized");
    let opened = kernel.expect("textDocument/didOpen");
    assert_eq!(opened["params"]["textDocument"]["text"], "é!\n");
    assert_eq!(opened["params"]["textDocument"]["version"], 2);
}

#[test]
fn a_kernel_that_hangs_is_let_go() {
    let (mut rig, mut kernel) = Rig::with_kernel();
    rig.client.hover(7, "a");
    kernel.expect("textDocument/hover");
    rig.source.answer("textDocument/hover", json!("of the source"));
    rig.client.expect("textDocument/publishDiagnostics");
    assert_eq!(rig.client.hear()["result"], "of the source");
    assert!(framing::read_value(&mut kernel.input).unwrap().is_none());
    let look = rig.looks.recv_timeout(SOON).unwrap();
    assert!(look.settled.contains("k"), "it is left alone for a while");
}

#[test]
fn a_source_that_hangs_costs_an_error() {
    let mut rig = Rig::initialized();
    rig.client.hover(7, "a");
    rig.source.expect("textDocument/hover");
    let answer = rig.client.hear();
    assert_eq!(answer["id"], 7);
    assert_eq!(answer["error"]["code"], ErrorCode::RequestFailed as i32);
}

#[test]
fn a_kernel_that_takes_nothing_is_let_go() {
    let (mut rig, kernel) = Rig::with_kernel();
    let mut source = rig.source;
    let drain = std::thread::spawn(move || {
        loop {
            let heard = source.hear();
            if heard["method"] == "textDocument/hover" {
                source.say(json!({"id": heard["id"], "result": "of the source"}));
                return source;
            }
        }
    });
    let text = "x".repeat(4 << 20);
    for _ in 0..10 {
        rig.client.edit("a", json!([{"text": text}]));
    }
    rig.client.hover(7, "a");
    rig.client.expect("textDocument/publishDiagnostics");
    assert_eq!(rig.client.hear()["result"], "of the source");
    drain.join().unwrap();
    drop(kernel);
}

#[test]
fn a_kernel_that_floods_is_slowed_down() {
    let (mut rig, mut kernel) = Rig::with_kernel();
    let text = "x".repeat(1 << 20);
    let flood = std::thread::spawn(move || {
        let note = json!({"method": "window/logMessage", "params": {"type": 4, "message": text}});
        let frame = framing::frame(&note).unwrap();
        kernel
            .output
            .set_write_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        // All that it can get rid of while the client reads nothing.
        let written = (0..500).take_while(|_| kernel.output.write_all(&frame).is_ok());
        (written.count(), kernel)
    });
    let (written, _kernel) = flood.join().unwrap();
    assert!(written < 100, "{written} MiB were taken");
    rig.client.hover(7, "b");
    rig.source.answer("textDocument/hover", json!("there"));
    while rig.client.hear()["result"] != "there" {}
}

#[test]
fn cancellations_go_where_the_request_went() {
    let (mut rig, mut kernel) = Rig::with_kernel();
    for id in [json!(99), json!("unknown"), json!(null), json!({"a": 1})] {
        rig.client
            .say(json!({"method": "$/cancelRequest", "params": {"id": id}}));
    }
    rig.client.hover(7, "a");
    rig.client
        .say(json!({"method": "$/cancelRequest", "params": {"id": 7}}));
    let asked = kernel.expect("textDocument/hover");
    let cancelled = kernel.expect("$/cancelRequest");
    assert_eq!(cancelled["params"]["id"], asked["id"]);
    kernel.say(json!({"id": asked["id"], "error": {"code": -32800, "message": "cancelled"}}));
    assert_eq!(rig.client.hear()["error"]["code"], -32800);
    // A second answer to the same is nobody's, and so is one to what somebody else was asked.
    kernel.say(json!({"id": asked["id"], "result": 1}));
    rig.client.hover(8, "b");
    let asked = rig.source.expect("textDocument/hover");
    kernel.say(json!({"id": asked["id"], "result": "stolen"}));
    kernel.say(json!({"method": "window/logMessage", "params": {}}));
    rig.client.expect("window/logMessage");
    rig.source.say(json!({"id": asked["id"], "result": "right"}));
    assert_eq!(rig.client.hear()["result"], "right");
}

#[test]
fn questions_to_the_client_find_their_way_back() {
    let (mut rig, mut kernel) = Rig::with_kernel();
    for peer in [&mut kernel, &mut rig.source] {
        peer.say(json!({"id": "same", "method": "workspace/configuration", "params": {"items": []}}));
    }
    let (first, second) = (rig.client.hear(), rig.client.hear());
    assert_ne!(first["id"], second["id"]);
    rig.client.say(json!({"id": 12345, "result": "to nobody"}));
    for question in [first, second] {
        rig.client.say(json!({"id": question["id"], "result": [null]}));
    }
    for peer in [&mut kernel, &mut rig.source] {
        let answer = peer.hear();
        assert_eq!(answer, json!({"jsonrpc": "2.0", "id": "same", "result": [null]}));
    }
}

#[test]
fn diagnostics_are_those_of_who_answers() {
    let (mut rig, mut kernel) = Rig::with_kernel();
    rig.source.publish("a", "hidden");
    rig.source.publish("b", "shown");
    assert_eq!(rig.client.hear()["params"]["diagnostics"][0], "shown");
    kernel.publish("b", "hidden");
    kernel.publish("a", "the kernel's");
    assert_eq!(rig.client.hear()["params"]["diagnostics"][0], "the kernel's");
    drop(kernel);
    assert_eq!(rig.client.hear()["params"]["diagnostics"][0], "hidden");
}

#[test]
fn a_kernel_that_counts_otherwise_is_of_no_use() {
    let mut rig = Rig::initialized();
    rig.client.open("a", "x");
    rig.source.expect("textDocument/didOpen");
    rig.looks.recv_timeout(SOON).unwrap();
    rig.home();
    let mut kernel = rig.connect(&capabilities("utf-16"));
    assert!(framing::read_value(&mut kernel.input).unwrap().is_none());
    rig.client.hover(7, "a");
    rig.source.answer("textDocument/hover", json!("of the source"));
    assert_eq!(rig.client.hear()["result"], "of the source");
}

#[test]
fn a_document_that_changes_its_kernel() {
    let (mut rig, mut kernel) = Rig::with_kernel();
    rig.events.send(Event::Homes(HashMap::new())).unwrap();
    kernel.expect("textDocument/didClose");
    rig.client.expect("textDocument/publishDiagnostics");
    rig.client.hover(7, "a");
    rig.source.answer("textDocument/hover", json!(1));
    assert_eq!(rig.client.hear()["result"], 1);
    rig.home();
    kernel.expect("textDocument/didOpen");
    rig.client
        .say(json!({"method": "textDocument/didClose", "params": {"textDocument": {"uri": "a"}}}));
    kernel.expect("textDocument/didClose");
    rig.source.expect("textDocument/didClose");
    // Opened again, it is at home at once.
    rig.client.open("a", "y");
    rig.source.expect("textDocument/didOpen");
    kernel.expect("textDocument/didOpen");
}

#[test]
fn every_page_says_initialize() {
    let mut rig = Rig::fresh();
    for id in [1, 2] {
        rig.client
            .say(json!({"id": id, "method": "initialize", "params": {}}));
    }
    rig.source.answer("initialize", capabilities("utf-8"));
    let first_two = [rig.client.hear()["id"].clone(), rig.client.hear()["id"].clone()];
    assert!(first_two.contains(&json!(1)) && first_two.contains(&json!(2)));
    rig.client
        .say(json!({"id": 1, "method": "initialize", "params": {}}));
    assert_eq!(rig.client.hear()["result"], capabilities("utf-8"));
}

#[test]
fn nonsense_of_the_clients_ends_nothing() {
    let (mut rig, mut kernel) = Rig::with_kernel();
    let hostile = [
        json!({}),
        json!({"id": 5}),
        json!({"id": 5, "result": {}}),
        json!({"method": "textDocument/didOpen"}),
        json!({"method": "textDocument/didOpen", "params": {"textDocument": {"uri": "c"}}}),
        json!({"method": "textDocument/didOpen", "params": [1, 2]}),
        json!({"method": "textDocument/didChange", "params": {"textDocument": {"uri": "never opened"}, "contentChanges": [{"text": "x"}]}}),
        json!({"method": "textDocument/didChange", "params": {"textDocument": {"uri": "a"}, "contentChanges": 7}}),
        json!({"method": "textDocument/didClose", "params": {"textDocument": {"uri": 7}}}),
        json!({"method": "$/unknown"}),
        json!([]),
    ];
    for message in hostile {
        rig.client.say_raw(&message);
    }
    let range = json!({"start": {"line": 9, "character": 9}, "end": {"line": 1, "character": 0}});
    rig.client.edit("a", json!([{"range": range, "text": "x"}]));
    rig.client.hover(7, "a");
    loop {
        let heard = kernel.hear();
        if heard["method"] == "textDocument/hover" {
            kernel.say(json!({"id": heard["id"], "result": "there"}));
            break;
        }
    }
    loop {
        let heard = rig.client.hear();
        if heard["id"] == 7 {
            assert_eq!(heard["result"], "there");
            break;
        }
        assert!(heard["id"].is_null() && heard["error"].is_object(), "{heard}");
    }
}

#[test]
fn it_ends_with_its_client_whoever_hangs() {
    // The end of the input, with requests that nobody answers.
    let (mut rig, kernel) = Rig::with_kernel();
    rig.client.hover(7, "a");
    rig.client.hover(8, "b");
    rig.client.output.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(!rig.ends_as());
    drop(kernel);

    // `exit` after `shutdown`, of a client that has not read what it was sent.
    let mut rig = Rig::initialized();
    let text = "x".repeat(1 << 20);
    for _ in 0..8 {
        let params = json!({"type": 4, "message": text});
        rig.source
            .say(json!({"method": "window/logMessage", "params": params}));
    }
    rig.client.say(json!({"id": 2, "method": "shutdown"}));
    rig.client.say(json!({"method": "exit"}));
    assert!(rig.ends_as());
}
