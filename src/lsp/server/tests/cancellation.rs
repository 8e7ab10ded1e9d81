//! What nobody waits for any more is not worked at: cancelled requests, and diagnostics while a request waits.

use std::path::PathBuf;

use super::*;

const CANCELLED: i64 = ErrorCode::RequestCanceled as i64;

/// A client with many documents of so many functions open.
fn crowded(server: &Server, documents: usize, functions: usize) -> Client {
    let mut client = Client::connect(server);
    client.ask("initialize", json!({"capabilities": {}})).unwrap();
    let text = "def f(a, b=[1, 2, 3]):\n    return {a: b for a in range(len(b))}\n".repeat(functions);
    for number in 0..documents {
        let uri = format!("inmemory:/{number}");
        let document = json!({"uri": uri, "languageId": "python", "version": 1, "text": text});
        client.send(&json!({"method": "textDocument/didOpen", "params": {"textDocument": document}}));
    }
    client
}

fn cancel(client: &mut Client, id: i32) {
    client.send(&json!({"method": "$/cancelRequest", "params": {"id": id}}));
}

#[test]
fn a_walk_through_all_documents_ends_when_it_is_cancelled() {
    let server = server(None);
    for (method, more) in [
        ("workspace/symbol", json!({"query": "nothing has this name"})),
        (
            "textDocument/references",
            json!({"context": {"includeDeclaration": true}}),
        ),
        ("textDocument/rename", json!({"newName": "g"})),
    ] {
        // To read them all takes a second, within which the cancellation comes for certain.
        let mut client = crowded(&server, 100, 2000);
        let mut params = more;
        params["textDocument"] = json!({"uri": "inmemory:/0"});
        params["position"] = json!({"line": 0, "character": 4});
        let id = client.request(method, params);
        std::thread::sleep(Duration::from_millis(50));
        cancel(&mut client, id);
        assert_eq!(client.answer(id), Err(CANCELLED), "{method}");
    }
}

#[test]
fn a_request_does_not_wait_for_everybodys_diagnostics() {
    let server = server(None);
    let mut client = crowded(&server, 50, 600);
    let told = |message: &Value| message["method"] == "textDocument/publishDiagnostics";
    while !told(&client.receive().unwrap()) {}
    let id = client.request(
        "textDocument/foldingRange",
        json!({"textDocument": {"uri": "inmemory:/0"}}),
    );
    let mut before = 1;
    loop {
        let message = client.receive().unwrap();
        before += usize::from(told(&message));
        if message["id"] == id {
            break;
        }
    }
    assert!(before < 40, "{before}");
    // The others follow.
    while before < 50 {
        before += usize::from(told(&client.receive().unwrap()));
    }
}

#[test]
fn a_cell_that_did_not_change_is_not_told_again_that_nothing_is_wrong() {
    let server = server(None);
    let mut client = Client::connect(&server);
    client.ask("initialize", json!({"capabilities": {}})).unwrap();
    let cells = [
        ("cell:a", "a = 1\n"),
        ("cell:b", "b = 2\n"),
        ("cell:c", "a + b\n"),
    ];
    let listed = cells.map(|(uri, _)| json!({"kind": 2, "document": uri}));
    let texts =
        cells.map(|(uri, text)| json!({"uri": uri, "languageId": "python", "version": 1, "text": text}));
    let book = json!({"uri": "inmemory:/b.ipynb", "notebookType": "jupyter-notebook", "version": 1, "cells": listed});
    client.send(&json!({"method": "notebookDocument/didOpen", "params": {"notebookDocument": book, "cellTextDocuments": texts}}));
    let told = |client: &mut Client, count: usize| {
        let mut uris = Vec::new();
        while uris.len() < count {
            let message = client.receive().unwrap();
            uris.extend(message["params"]["uri"].as_str().map(str::to_owned));
        }
        uris.sort();
        uris
    };
    assert_eq!(told(&mut client, 3), ["cell:a", "cell:b", "cell:c"]);
    let mut edit = |text: &str, version: i32| {
        let content =
            json!([{"document": {"uri": "cell:a", "version": version}, "changes": [{"text": text}]}]);
        let book = json!({"uri": "inmemory:/b.ipynb", "version": version});
        let change = json!({"notebookDocument": book, "change": {"cells": {"textContent": content}}});
        client.send(&json!({"method": "notebookDocument/didChange", "params": change}));
        told(&mut client, 2)
    };
    // The third loses a name and finds it again; the second is never told.
    assert_eq!(edit("x = 1\n", 2), ["cell:a", "cell:c"]);
    assert_eq!(edit("a = 1\n", 3), ["cell:a", "cell:c"]);
}

#[cfg(unix)]
#[test]
fn the_child_of_a_cancelled_request_is_killed() {
    use std::os::unix::fs::PermissionsExt;
    let folder = std::env::temp_dir().join(format!("drupe-slow-ruff-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let ruff = folder.join("ruff");
    let script = format!(
        "#!/bin/sh\necho $$ > '{0}/new' && mv '{0}/new' '{0}/pid'\nexec sleep 60\n",
        folder.display()
    );
    std::fs::write(&ruff, script).unwrap();
    std::fs::set_permissions(&ruff, PermissionsExt::from_mode(0o755)).unwrap();
    let options = Options {
        tools: vec![folder.clone()],
        ..Options::default()
    };
    let server = Server::bind(LOCALHOST, options).unwrap();
    let mut client = Client::connect(&server);
    client.open("x=1\n");
    let id = client.request(
        "textDocument/formatting",
        json!({"textDocument": {"uri": "inmemory:/x"}, "options": {"tabSize": 4, "insertSpaces": true}}),
    );
    let started = Instant::now();
    let pid = loop {
        if let Ok(pid) = std::fs::read_to_string(folder.join("pid")) {
            break pid;
        }
        assert!(started.elapsed() < Duration::from_secs(4), "ruff was not started");
        std::thread::sleep(Duration::from_millis(5));
    };
    cancel(&mut client, id);
    assert_eq!(client.answer(id), Err(CANCELLED));
    assert!(!PathBuf::from("/proc").join(pid.trim()).exists());
    std::fs::remove_dir_all(folder).unwrap();
}
