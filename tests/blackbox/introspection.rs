//! `complete`, `inspect`, `is_complete`, `history`.

use serde_json::{Value, json};

use crate::client::session::{execute_content, without_colours};
use crate::client::{Channel, Client, Kernel, Message};

#[track_caller]
fn complete(kernel: &mut Client, code: &str, cursor: usize) -> Message {
    let content = json!({"code": code, "cursor_pos": cursor});
    let reply = kernel.request(Channel::Shell, "complete_request", content);
    assert_eq!(reply.status(), "ok");
    reply
}

fn matches(reply: &Message) -> Vec<String> {
    let matches = reply.content["matches"].as_array().expect("matches");
    matches
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

#[test]
fn completes_what_the_session_knows() {
    let mut kernel = Kernel::start();
    kernel.run("long_variable_name = 'text'");
    let reply = complete(&mut kernel, "x = long_var", 12);
    assert_eq!(matches(&reply), ["long_variable_name"]);
    assert_eq!(
        (&reply.content["cursor_start"], &reply.content["cursor_end"]),
        (&json!(4), &json!(12))
    );
    let types = reply.content["metadata"]["_jupyter_types_experimental"].as_array();
    let first = types.and_then(|types| types.first()).expect("experimental types");
    assert_eq!(first["text"], "long_variable_name");
    assert_eq!(first["start"], 4);
    assert_eq!(first["end"], 12);
    assert!(first["type"].is_string());
    let methods = complete(&mut kernel, "long_variable_name.upp", 22);
    assert!(matches(&methods).iter().any(|name| name.ends_with("upper")));
}

/// Positions count code points: a character beyond the basic plane is one.
#[test]
fn cursor_positions_count_code_points() {
    let mut kernel = Kernel::start();
    kernel.run("long_variable_name = 1");
    let reply = complete(&mut kernel, "'\u{2cb4d}\u{1d52a}'; long_var", 14);
    assert_eq!(matches(&reply), ["long_variable_name"]);
    assert_eq!(
        (&reply.content["cursor_start"], &reply.content["cursor_end"]),
        (&json!(6), &json!(14))
    );
}

#[test]
fn completes_code_that_has_not_run_magics_and_files() {
    let mut kernel = Kernel::start();
    let reply = complete(&mut kernel, "import json\njson.dum", 20);
    let names = matches(&reply);
    assert!(names.iter().any(|name| name.ends_with("dumps")), "{names:?}");
    let names = matches(&complete(&mut kernel, "%timei", 6));
    assert!(names.iter().any(|name| name.contains("timeit")), "{names:?}");
    assert!(matches(&complete(&mut kernel, "zzz_nothing", 11)).is_empty());
    complete(&mut kernel, "", 0);
    let beyond = kernel.request(
        Channel::Shell,
        "complete_request",
        json!({"code": "pri", "cursor_pos": 5000}),
    );
    assert!(["ok", "error"].contains(&beyond.status().as_str()));
    kernel.assert_alive();
}

#[track_caller]
fn inspect(kernel: &mut Client, code: &str, detail: u64) -> Message {
    let cursor = code.chars().count();
    let content = json!({"code": code, "cursor_pos": cursor, "detail_level": detail});
    let reply = kernel.request(Channel::Shell, "inspect_request", content);
    assert_eq!(reply.status(), "ok");
    reply
}

fn plain(reply: &Message) -> String {
    let text = reply.content["data"]["text/plain"].as_str().expect("plain text");
    without_colours(text)
}

#[test]
fn inspects_names_and_their_source() {
    let mut kernel = Kernel::start();
    kernel.run("def half(number):\n    'Divides by two.'\n    return number / 2");
    let reply = inspect(&mut kernel, "half", 0);
    assert_eq!(reply.content["found"], true);
    let text = reply.content["data"]["text/plain"].as_str().expect("plain text");
    assert!(
        text.contains("half(number)") && text.contains("Divides by two."),
        "{text}"
    );
    let reply = inspect(&mut kernel, "half", 1);
    let text = plain(&reply);
    assert!(text.contains("number / 2"), "{text}");
    let reply = inspect(&mut kernel, "zzz_nothing", 0);
    assert_eq!(reply.content["found"], false);
    assert_eq!(reply.content["data"], json!({}));
}

#[test]
fn says_whether_code_is_complete() {
    let mut kernel = Kernel::start();
    for (code, status, indent) in [
        ("x = 1", "complete", None),
        ("print('x'", "incomplete", Some("")),
        ("for i in x:", "incomplete", Some("    ")),
        ("def f():\n    if x:", "incomplete", Some("        ")),
        ("x = = 1", "invalid", None),
        ("%timeit 1", "complete", None),
        ("await x", "complete", None),
        ("", "complete", None),
    ] {
        let content = json!({"code": code});
        let reply = kernel.request(Channel::Shell, "is_complete_request", content);
        assert_eq!(reply.status(), status, "{code:?}");
        if let Some(indent) = indent {
            assert_eq!(reply.text("indent"), indent, "{code:?}");
        }
    }
}

#[track_caller]
fn history(kernel: &mut Client, content: Value) -> Vec<Value> {
    let reply = kernel.request(Channel::Shell, "history_request", content);
    assert_eq!(reply.status(), "ok");
    reply.content["history"].as_array().expect("a list").clone()
}

fn inputs(entries: &[Value]) -> Vec<&str> {
    entries.iter().filter_map(|entry| entry[2].as_str()).collect()
}

#[test]
fn history_by_tail_range_and_search() {
    let mut kernel = Kernel::start();
    for code in ["a = 1", "b = 'needle'", "a + 1", "b = 'needle'"] {
        kernel.execute(code).assert_ok();
    }
    let request = |change: Value| {
        let mut content = json!({"output": false, "raw": true});
        for (name, value) in change.as_object().expect("an object") {
            content[name] = value.clone();
        }
        content
    };
    let tail = history(&mut kernel, request(json!({"hist_access_type": "tail", "n": 3})));
    assert_eq!(inputs(&tail), ["b = 'needle'", "a + 1", "b = 'needle'"]);
    let session = tail[0][0].clone();
    let range = request(json!({"hist_access_type": "range", "session": session, "start": 1, "stop": 3}));
    assert_eq!(inputs(&history(&mut kernel, range)), ["a = 1", "b = 'needle'"]);
    let range =
        request(json!({"hist_access_type": "range", "session": 0, "start": 3, "stop": 4, "output": true}));
    assert_eq!(history(&mut kernel, range)[0][2], json!(["a + 1", "2"]));
    let search = request(json!({"hist_access_type": "search", "pattern": "*needle*"}));
    assert_eq!(history(&mut kernel, search).len(), 2);
    let unique =
        request(json!({"hist_access_type": "search", "pattern": "*needle*", "unique": true, "n": 10}));
    assert_eq!(inputs(&history(&mut kernel, unique)), ["b = 'needle'"]);
}

#[test]
fn history_leaves_out_what_was_not_to_be_stored() {
    let mut kernel = Kernel::builder()
        .arg("--HistoryManager.hist_file=:memory:")
        .start();
    kernel.run("stored = 1");
    let mut content = execute_content("unstored = 1");
    content["store_history"] = json!(false);
    let request = kernel.send_request(Channel::Shell, "execute_request", content);
    kernel.finish_execute(&request, Some("unstored = 1")).assert_ok();
    let tail = history(
        &mut kernel,
        json!({"hist_access_type": "tail", "n": 10, "raw": true, "output": false}),
    );
    assert_eq!(inputs(&tail), ["stored = 1"]);
    let file = kernel.execute("get_ipython().history_manager.hist_file");
    assert_eq!(file.result(), "':memory:'");
}

#[test]
fn malformed_requests_get_an_error_or_a_default() {
    let mut kernel = Kernel::start();
    for (msg_type, content) in [
        ("complete_request", json!({})),
        ("complete_request", json!({"code": 5, "cursor_pos": "x"})),
        ("inspect_request", json!({"code": null, "cursor_pos": -3})),
        ("is_complete_request", json!({"code": ["x"]})),
        ("history_request", json!({"hist_access_type": "by magic"})),
        (
            "history_request",
            json!({"hist_access_type": "range", "session": "x"}),
        ),
        ("comm_info_request", json!({"target_name": 7})),
    ] {
        let reply = kernel.request(Channel::Shell, msg_type, content);
        assert!(!reply.status().is_empty(), "{}", reply.summary());
    }
    kernel.assert_alive();
}
