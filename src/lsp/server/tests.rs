//! The server over real sockets: activation, live answers in time, and every way to end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use lsp_server::{ErrorCode, Message, RequestId};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use super::*;
use crate::lsp::framing;
use crate::lsp::session::LEFT_ALONE;
use crate::lsp::{Live, LiveAnswer, LiveGiven, LiveItem, LiveObject, LiveQuery, Snapshot};

mod cancellation;
mod growth;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Nanoseconds of the processor that this thread has had: other threads and processes do not count.
fn spent() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// A session that can be busy, or worse.
#[derive(Default)]
struct Mock {
    snapshot: Arc<Snapshot>,
    busy: AtomicBool,
    broken: AtomicBool,
    /// How often somebody has waited for it in vain.
    waits: AtomicU32,
}

impl Mock {
    fn with_names(count: usize) -> Self {
        Self::with_names_and_columns(count, 1000)
    }

    fn with_names_and_columns(count: usize, columns: usize) -> Self {
        let item = |name: String, type_name: &str| LiveItem {
            name,
            kind: "instance".into(),
            type_name: type_name.into(),
            ..LiveItem::default()
        };
        let mut names: Vec<LiveItem> = (0..count).map(|i| item(format!("name_{i}"), "int")).collect();
        names.push(item("frame".into(), "DataFrame"));
        let columns = (0..columns).map(|i| format!("column_{i}")).collect();
        Self {
            snapshot: Arc::new(Snapshot {
                names,
                members: [("DataFrame".into(), vec![item("head".into(), "method")])].into(),
                keys: [("frame".into(), columns)].into(),
                ..Snapshot::default()
            }),
            ..Self::default()
        }
    }

    fn wait(&self, budget: Duration) -> bool {
        assert!(!self.broken.load(Ordering::Relaxed), "broken on purpose");
        let busy = self.busy.load(Ordering::Relaxed);
        if busy {
            self.waits.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(budget);
        }
        busy
    }
}

impl Live for Mock {
    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot)
    }

    fn complete(
        &self,
        query: &LiveQuery,
        _given: &[LiveGiven],
        budget: Duration,
    ) -> LiveAnswer<Vec<LiveItem>> {
        if self.wait(budget) {
            return LiveAnswer::Busy;
        }
        match query {
            LiveQuery::Members { .. } => LiveAnswer::Known(vec![LiveItem {
                name: "from_live".into(),
                ..LiveItem::default()
            }]),
            LiveQuery::Keys { .. } => LiveAnswer::Known(
                self.snapshot.keys["frame"]
                    .iter()
                    .map(|key| LiveItem {
                        name: key.clone(),
                        ..LiveItem::default()
                    })
                    .collect(),
            ),
            LiveQuery::Strings { .. } | LiveQuery::Modules { .. } => LiveAnswer::Unknown,
        }
    }

    fn inspect(&self, expression: &str, _given: &[LiveGiven], budget: Duration) -> LiveAnswer<LiveObject> {
        if self.wait(budget) {
            return LiveAnswer::Busy;
        }
        match expression {
            "frame" => LiveAnswer::Known(LiveObject {
                type_name: "DataFrame".into(),
                doc: "From the session.".into(),
                ..LiveObject::default()
            }),
            "made" => LiveAnswer::Known(LiveObject {
                kind: "function".into(),
                file: "/tmp/a_cell.py".into(),
                line: 2,
                cell: "x = 1\ndef made(): ...\n".into(),
                ..LiveObject::default()
            }),
            "written" => LiveAnswer::Known(LiveObject {
                kind: "function".into(),
                file: std::env::current_exe().unwrap().display().to_string(),
                line: 7,
                ..LiveObject::default()
            }),
            _ => LiveAnswer::Unknown,
        }
    }
}

struct Client {
    stream: TcpStream,
    input: BufReader<TcpStream>,
    ids: i32,
}

impl Client {
    fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self {
            input: BufReader::new(stream.try_clone().unwrap()),
            stream,
            ids: 0,
        }
    }

    fn send(&mut self, message: &Value) {
        let frame = framing::frame(message).unwrap();
        self.stream.write_all(&frame).unwrap();
    }

    fn request(&mut self, method: &str, params: Value) -> i32 {
        self.ids += 1;
        self.send(&json!({"id": self.ids, "method": method, "params": params}));
        self.ids
    }

    /// The answer to a request, or its error's code. `framing` reads requests, not results, so this reads JSON.
    fn answer(&mut self, id: i32) -> Result<Value, i64> {
        loop {
            let message = self.receive().expect("the server hung up");
            if message["id"] == id {
                return match message["error"]["code"].as_i64() {
                    Some(code) => Err(code),
                    None => Ok(message["result"].clone()),
                };
            }
        }
    }

    fn receive(&mut self) -> Option<Value> {
        let mut header = Vec::new();
        while !header.ends_with(b"\r\n\r\n") {
            if self.input.read_until(b'\n', &mut header).unwrap() == 0 {
                return None;
            }
        }
        let header = String::from_utf8(header).unwrap();
        let length = header.trim().split(": ").nth(1).unwrap().parse().unwrap();
        let mut body = vec![0; length];
        self.input.read_exact(&mut body).unwrap();
        Some(serde_json::from_slice(&body).unwrap())
    }

    fn ask(&mut self, method: &str, params: Value) -> Result<Value, i64> {
        let id = self.request(method, params);
        self.answer(id)
    }

    fn open(&mut self, text: &str) {
        self.ask("initialize", json!({"capabilities": {}})).unwrap();
        let document = json!({"uri": "inmemory:/x", "languageId": "python", "version": 1, "text": text});
        self.send(&json!({"method": "textDocument/didOpen", "params": {"textDocument": document}}));
    }

    fn complete_at(&mut self, character: usize) -> Vec<String> {
        let place = json!({
            "textDocument": {"uri": "inmemory:/x"},
            "position": {"line": 0, "character": character},
        });
        let found = self.ask("textDocument/completion", place).unwrap();
        found["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["label"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn server(live: Option<Arc<dyn Live>>) -> Server {
    let options = Options {
        live,
        ..Options::default()
    };
    Server::bind(LOCALHOST, options).unwrap()
}

fn is_listening(server: &Server) -> bool {
    TcpStream::connect_timeout(&server.address(), Duration::from_millis(500)).is_ok()
}

#[test]
fn a_server_starts_at_once_and_serves_clients_one_after_another() {
    let (before, started) = (spent(), Instant::now());
    let server = server(None);
    assert!(
        spent() - before < 20e6 && started.elapsed() < Duration::from_secs(1),
        "nothing is read or made before somebody connects"
    );
    assert_ne!(server.port(), 0);
    for _ in 0..20 {
        let mut client = Client::connect(&server);
        client.open("impo");
        assert_eq!(client.complete_at(4)[0], "import");
    }
    // One that goes in the middle of a message leaves nothing behind.
    let mut rude = Client::connect(&server);
    rude.stream.write_all(b"Content-Length: 100\r\n\r\n{").unwrap();
    drop(rude);
    let mut client = Client::connect(&server);
    client.open("impo");
    assert_eq!(client.complete_at(4)[0], "import");
}

#[test]
fn only_loopback_unless_told_otherwise() {
    for asked in ["0.0.0.0", "192.0.2.1", "::"] {
        let server = Server::bind(asked.parse().unwrap(), Options::default()).unwrap();
        assert_eq!(server.address().ip(), LOCALHOST);
    }
    let options = Options {
        any_address: true,
        ..Options::default()
    };
    let server = Server::bind("0.0.0.0".parse().unwrap(), options).unwrap();
    assert!(server.address().ip().is_unspecified());
    if let Ok(server) = Server::bind(IpAddr::V6(Ipv6Addr::LOCALHOST), Options::default()) {
        assert!(is_listening(&server));
    }
}

#[test]
fn closing_waits_for_nobody_and_answers_everybody() {
    // The machine may keep one of them waiting.
    let least = (0..3).map(|_| close_before_the_answers()).min().unwrap();
    assert!(least < Duration::from_millis(5), "{least:?}");
}

/// Closes a server that has five questions to a busy interpreter; how long that took.
fn close_before_the_answers() -> Duration {
    let mock = Arc::new(Mock::default());
    mock.busy.store(true, Ordering::Relaxed);
    let options = Options {
        live: Some(mock),
        budget: Duration::from_secs(2),
        ..Options::default()
    };
    let server = Server::bind(LOCALHOST, options).unwrap();
    let mut client = Client::connect(&server);
    client.open("frame.");
    let place = json!({
        "textDocument": {"uri": "inmemory:/x"},
        "position": {"line": 0, "character": 6},
    });
    let ids: Vec<i32> = (0..5)
        .map(|_| client.request("textDocument/completion", place.clone()))
        .collect();
    // Who reads complains of what is no message: by then all of the questions have been read.
    client.stream.write_all(b"Content-Length: 1\r\n\r\n{").unwrap();
    while client.receive().unwrap()["error"]["code"] != -32700 {}
    let started = Instant::now();
    server.close();
    let took = started.elapsed();
    assert!(!is_listening(&server));
    let mut refused = std::collections::BTreeSet::new();
    while let Some(message) = client.receive() {
        if message["error"]["code"] == -32600 {
            refused.insert(message["id"].as_i64().unwrap());
        }
    }
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(refused, ids.iter().map(|id| i64::from(*id)).collect());
    server.close();
    took
}

#[test]
fn no_connection_survives_a_close_that_races_with_it() {
    for _ in 0..200 {
        let server = server(None);
        let address = server.address();
        let racing = std::thread::spawn(move || TcpStream::connect(address));
        server.close();
        if let Ok(mut stream) = racing.join().unwrap() {
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            // An end or a reset, but not silence.
            let ended = stream.read(&mut [0]);
            assert!(ended.is_ok_and(|read| read == 0) || ended_by_reset(TcpStream::connect(address).err()));
        }
        assert!(!is_listening(&server));
    }
}

fn ended_by_reset(error: Option<io::Error>) -> bool {
    error.is_some()
}

#[test]
fn a_busy_interpreter_costs_its_budget_once() {
    let mock = Arc::new(Mock::with_names(10));
    mock.busy.store(true, Ordering::Relaxed);
    let server = server(Some(mock.clone()));
    let mut client = Client::connect(&server);
    client.open("frame.");
    let started = Instant::now();
    for _ in 0..50 {
        assert_eq!(client.complete_at(6), ["head"]);
    }
    // Who has waited in vain leaves it alone for a while.
    let most = 1 + started.elapsed().as_millis() / LEFT_ALONE.as_millis();
    let waits = mock.waits.load(Ordering::Relaxed);
    assert!(
        waits > 0 && u128::from(waits) <= most,
        "{waits} of at most {most}"
    );
    // What was not answered is not known to be all, also where the snapshot knows some of it.
    let text = "frame.iloc[0].";
    let document = json!({"uri": "inmemory:/y", "languageId": "python", "version": 1, "text": text});
    client.send(&json!({"method": "textDocument/didOpen", "params": {"textDocument": document}}));
    for (character, uri, items) in [(6, "inmemory:/x", 1), (14, "inmemory:/y", 0)] {
        let place = json!({"textDocument": {"uri": uri}, "position": {"line": 0, "character": character}});
        let list = client.ask("textDocument/completion", place).unwrap();
        assert_eq!(list["isIncomplete"], true, "{list}");
        assert_eq!(list["items"].as_array().unwrap().len(), items, "{list}");
    }
    // Once it answers again, it is asked again.
    mock.busy.store(false, Ordering::Relaxed);
    let until = Instant::now() + Duration::from_secs(2);
    while client.complete_at(6) != ["from_live"] {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_panic_is_one_error_reply() {
    let mock = Arc::new(Mock::with_names(10));
    let server = server(Some(mock.clone()));
    let mut client = Client::connect(&server);
    client.open("frame.");
    let place = json!({
        "textDocument": {"uri": "inmemory:/x"},
        "position": {"line": 0, "character": 6},
    });
    mock.broken.store(true, Ordering::Relaxed);
    let answer = client.ask("textDocument/completion", place);
    assert_eq!(answer, Err(-32603));
    mock.broken.store(false, Ordering::Relaxed);
    assert_eq!(client.complete_at(6), ["from_live"]);
}

#[test]
fn both_halves_make_one_list_and_the_session_wins_on_type() {
    let server = server(Some(Arc::new(Mock::with_names(3))));
    let mut client = Client::connect(&server);
    client.open("frame = load(); name_x = 1; frame; ");
    let labels = client.complete_at(35);
    let count = |name: &str| labels.iter().filter(|label| *label == name).count();
    assert_eq!((count("frame"), count("name_x"), count("name_1")), (1, 1, 1));
    let place = json!({
        "textDocument": {"uri": "inmemory:/x"},
        "position": {"line": 0, "character": 30},
    });
    let hover = client.ask("textDocument/hover", place).unwrap();
    let text = hover["contents"]["value"].as_str().unwrap();
    assert!(
        text.contains("frame: DataFrame") && text.contains("From the session."),
        "{text}"
    );
}

#[test]
fn a_variable_shows_the_type_that_it_has_in_the_session() {
    let server = server(Some(Arc::new(Mock::with_names(3))));
    let mut client = Client::connect(&server);
    client.open("frame = load()\nname_1 = 1\n");
    let range = json!({"start": {"line": 0, "character": 0}, "end": {"line": 9, "character": 0}});
    let params = json!({"textDocument": {"uri": "inmemory:/x"}, "range": range});
    let hints = client.ask("textDocument/inlayHint", params).unwrap();
    assert_eq!(hints.as_array().unwrap().len(), 1);
    assert_eq!(hints[0]["label"], ": DataFrame");
    assert_eq!(hints[0]["position"], json!({"line": 0, "character": 5}));
}

#[test]
fn a_client_that_never_reads_is_given_up() {
    let listener = TcpListener::bind((LOCALHOST, 0)).unwrap();
    let _peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let started = Instant::now();
    let sent = link::send_within(&mut stream, &vec![0; 64 << 20], Duration::from_millis(200));
    assert!(sent.is_err());
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[test]
fn frames_are_read_as_written() {
    let frame = framing::frame(&json!({"id": "a", "method": "m"})).unwrap();
    let read = framing::read_message(&mut frame.as_slice());
    let Ok(Some((Message::Request(request), _))) = read else {
        panic!("not read")
    };
    assert_eq!(request.id, RequestId::from("a".to_owned()));
}

#[test]
fn definitions_of_the_session_are_found_in_documents_and_files() {
    let live = Arc::new(Mock::with_names(1));
    let server = server(Some(live));
    let mut client = Client::connect(&server);
    client.open("made(); written(); shared()");
    for (uri, text) in [
        ("file:///other.py", "def shared(): ..."),
        ("inmemory:/cell", "x = 1\ndef made(): ...\nmade()"),
    ] {
        let document = json!({"uri": uri, "languageId": "python", "version": 1, "text": text});
        client.send(&json!({"method": "textDocument/didOpen", "params": {"textDocument": document}}));
    }
    let mut definition = |character: usize| {
        let place = json!({
            "textDocument": {"uri": "inmemory:/x"},
            "position": {"line": 0, "character": character},
        });
        let found = client.ask("textDocument/definition", place).unwrap();
        let places = found.as_array().unwrap().iter().map(|it| {
            let uri = it["uri"].as_str().unwrap().to_owned();
            (uri, it["range"]["start"]["line"].as_u64().unwrap())
        });
        places.collect::<Vec<_>>()
    };
    assert_eq!(definition(1), [("inmemory:/cell".to_owned(), 1)]);
    let file = std::env::current_exe().unwrap();
    assert_eq!(definition(10), [(format!("file://{}", file.display()), 6)]);
    // A name is not another document's only because it has one like it.
    assert_eq!(definition(20), []);
}
