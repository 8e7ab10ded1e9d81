//! Ten times the lines may take ten times the work, not a hundred times: every request, on text that is hard for it.

use std::sync::Arc;

use lsp_types::Uri;
use serde_json::{Value, json};

use super::{Mock, spent};
use crate::lsp::Options;
use crate::lsp::link::{Link, Wire};
use crate::lsp::session::{Answer, Session};

/// Linear work grows ten times; room is left for caches that the small text fits into.
const MOST: f64 = 30.0;

/// A program of `count` lines in which few names are used everywhere, others once, and one is bound on every other line.
fn program(count: usize) -> String {
    let mut lines = vec!["import numpy as np".to_owned(), "df = np.zeros(3)".to_owned()];
    for number in 0..count / 10 {
        lines.push(format!("import module_{number}, unused_{number}"));
        lines.push(format!("class C{number}(object):"));
        lines.push(format!(
            "    def method_{number}(self, first, second=[i for i in df]):"
        ));
        lines.push("        self.value = np.sum(first) + second".to_owned());
        lines.push("        return self.value".to_owned());
        lines.push(format!(
            "name_{number} = C{number}().method_{number}(df, second=df.size)"
        ));
        lines.push(format!("df = np.add(df, name_{number}, out=df.copy())"));
        lines.push(format!("unknown_{number}(df.x, module_{number}.y)"));
        lines.push(format!("print(name_{number})  # noqa: F401"));
        lines.push("df += 1".to_owned());
    }
    lines.join("\n")
}

fn session(text: &str) -> Session {
    session_with(Options::default(), text)
}

fn session_with(options: Options, text: &str) -> Session {
    let wire = Wire {
        send: Box::new(|_| Ok(())),
        hang_up: Box::new(|_| {}),
    };
    let mut session = Session::new(options, Arc::new(Link::new(wire)));
    session.request("initialize", json!({"capabilities": {}}));
    let document = json!({"uri": "inmemory:/x", "languageId": "python", "version": 1, "text": text});
    session.notified("textDocument/didOpen", json!({"textDocument": document}));
    session
}

fn requests(lines: usize) -> Vec<(&'static str, Value)> {
    let at = |line: usize, character: usize| json!({"line": line, "character": character});
    // In the last block: `df = np.add(df, …)`, `name_… = C…().method_…(df, …)` and `self.value = …`.
    let (df, np, named, value) = (
        at(lines - 2, 1),
        at(lines - 2, 6),
        at(lines - 3, 2),
        at(lines - 5, 15),
    );
    let digits = (lines / 10 - 1).to_string().len();
    let context = json!({"includeDeclaration": true, "diagnostics": []});
    vec![
        ("textDocument/completion", json!({"position": at(lines - 2, 2)})),
        ("textDocument/hover", json!({"position": np})),
        (
            "textDocument/signatureHelp",
            json!({"position": at(lines - 3, 10 + 2 * digits)}),
        ),
        ("textDocument/definition", json!({"position": df})),
        ("textDocument/definition", json!({"position": np})),
        ("textDocument/definition", json!({"position": value})),
        (
            "textDocument/references",
            json!({"position": df, "context": context}),
        ),
        (
            "textDocument/references",
            json!({"position": np, "context": context}),
        ),
        (
            "textDocument/references",
            json!({"position": named, "context": context}),
        ),
        (
            "textDocument/references",
            json!({"position": value, "context": context}),
        ),
        ("textDocument/documentHighlight", json!({"position": df})),
        ("textDocument/prepareRename", json!({"position": df})),
        ("textDocument/rename", json!({"position": df, "newName": "other"})),
        ("textDocument/rename", json!({"position": np, "newName": "other"})),
        (
            "textDocument/rename",
            json!({"position": value, "newName": "other"}),
        ),
        ("textDocument/documentSymbol", json!({})),
        ("workspace/symbol", json!({"query": "name_"})),
        ("textDocument/foldingRange", json!({})),
        ("textDocument/selectionRange", json!({"positions": [df]})),
        ("textDocument/semanticTokens/full", json!({})),
        (
            "textDocument/codeAction",
            json!({"range": {"start": df, "end": df}, "context": context}),
        ),
        ("positron/textDocument/statementRange", json!({"position": df})),
    ]
}

/// The least of three.
fn cost(mut work: impl FnMut()) -> f64 {
    let once = |_| {
        let before = spent();
        work();
        spent() - before
    };
    (0..3).map(once).fold(f64::INFINITY, f64::min)
}

fn costs(lines: usize) -> Vec<(String, f64)> {
    let text = program(lines);
    let mut session = session(&text);
    let mut found = Vec::new();
    for (method, mut params) in requests(lines) {
        params["textDocument"] = json!({"uri": "inmemory:/x"});
        let took = cost(|| match session.request(method, params.clone()) {
            Answer::Now(Ok(answer)) => assert!(answer.get().len() > 4, "{method}: {params}"),
            _ => panic!("{method} was not answered"),
        });
        found.push((format!("{method} {}", params["position"]), took));
    }
    let mut version = 1;
    found.push((
        "an edit and its diagnostics".to_owned(),
        cost(|| {
            version += 1;
            let start = json!({"line": 1, "character": 0});
            let change = json!({"range": {"start": start, "end": start}, "text": "x = 1\n"});
            let document = json!({"uri": "inmemory:/x", "version": version});
            session.notified(
                "textDocument/didChange",
                json!({"textDocument": document, "contentChanges": [change]}),
            );
            session.quiet(|| false);
        }),
    ));
    let uri = Uri("inmemory:/x".to_owned());
    assert!(
        session
            .documents
            .program(&uri)
            .is_ok_and(|it| it.module.errors().is_empty())
    );
    found
}

/// The same in cells of ten lines: to open it, to edit a cell, to complete and to be told what is wrong.
fn costs_of_cells(lines: usize) -> Vec<(String, f64)> {
    let text = program(lines);
    let cells: Vec<String> = text
        .lines()
        .collect::<Vec<_>>()
        .chunks(10)
        .map(|it| it.join("\n"))
        .collect();
    let uri = |index: usize| format!("cell:/{index}");
    let all = || (0..cells.len()).map(uri);
    let listed: Vec<Value> = all().map(|uri| json!({"kind": 2, "document": uri})).collect();
    let item = |(uri, text): (String, &String)| json!({"uri": uri, "languageId": "python", "version": 1, "text": text});
    let texts: Vec<Value> = all().zip(&cells).map(item).collect();
    let book = json!({"uri": "inmemory:/b.ipynb", "notebookType": "jupyter-notebook", "version": 1, "cells": listed});
    let mut session = session("");
    let open = cost(|| {
        let params = json!({"notebookDocument": book, "cellTextDocuments": texts});
        session.notified("notebookDocument/didOpen", params);
    });
    let edit = cost(|| {
        let document = json!({"uri": uri(cells.len() / 2), "version": 2});
        let start = json!({"line": 0, "character": 0});
        let changes = [json!({"range": {"start": start, "end": start}, "text": "d\n"})];
        let content = [json!({"document": document, "changes": changes})];
        let book = json!({"uri": "inmemory:/b.ipynb", "version": 2});
        let params = json!({"notebookDocument": book, "change": {"cells": {"textContent": content}}});
        session.notified("notebookDocument/didChange", params);
        let place = json!({"textDocument": document, "position": {"line": 0, "character": 1}});
        assert!(matches!(
            session.request("textDocument/completion", place),
            Answer::Now(Ok(_))
        ));
        session.quiet(|| false);
    });
    vec![
        ("a notebook is opened".to_owned(), open),
        ("a cell is edited".to_owned(), edit),
    ]
}

/// In a session of so many names, and of a data frame with a tenth as many columns: to complete a name, and a column.
fn costs_of_names(count: usize) -> [(&'static str, f64); 2] {
    let options = Options {
        live: Some(Arc::new(Mock::with_names_and_columns(count, count / 10))),
        ..Options::default()
    };
    let mut session = session_with(options, "frame['col'] + name_12");
    let mut complete = |what, character: u32| {
        let params = json!({
            "textDocument": {"uri": "inmemory:/x"},
            "position": {"line": 0, "character": character},
        });
        let mut found = None;
        let took = cost(
            || match session.request("textDocument/completion", params.clone()) {
                Answer::Now(Ok(list)) => found = Some(list),
                _ => panic!("{what} was not answered"),
            },
        );
        let list: Value = serde_json::from_str(found.unwrap().get()).unwrap();
        (what, took, list["items"].as_array().unwrap().len())
    };
    let (name, column) = (complete("a name", 22), complete("a column", 10));
    assert!(name.2 >= count / 100, "{} names", name.2);
    assert!(column.2 >= count / 10, "{} columns", column.2);
    [(name.0, name.1), (column.0, column.1)]
}

#[test]
fn of_a_text_that_is_edited_two_programs_are_kept_and_in_a_quiet_moment_one() {
    let mut session = session("x = 1");
    let uri = Uri("inmemory:/x".to_owned());
    let mut programs = Vec::new();
    let mut edit = |session: &mut Session, version: i32| {
        let document = json!({"uri": uri.0, "version": version});
        let changes = [json!({"text": format!("x = {version}")})];
        session.notified(
            "textDocument/didChange",
            json!({"textDocument": document, "contentChanges": changes}),
        );
        programs.extend(session.documents.program(&uri).map(|it| Arc::downgrade(&it)));
        programs.iter().filter(|it| it.strong_count() > 0).count()
    };
    let alive: Vec<usize> = (2..6).map(|version| edit(&mut session, version)).collect();
    assert_eq!(alive, [1, 2, 2, 2]);
    session.quiet(|| false);
    assert_eq!(programs.iter().filter(|it| it.strong_count() > 0).count(), 1);
}

#[test]
fn no_request_grows_faster_than_the_text() {
    // What is measured first pays for cold caches.
    costs(100);
    let all = |lines| costs(lines).into_iter().chain(costs_of_cells(lines));
    for ((what, small), (_, large)) in all(1000).zip(all(10_000)) {
        assert_linear(&what, small, large);
    }
}

#[test]
fn no_completion_grows_faster_than_the_namespace() {
    costs_of_names(100);
    for ((what, small), (_, large)) in costs_of_names(1000).into_iter().zip(costs_of_names(10_000)) {
        assert_linear(what, small, large);
        // A few milliseconds of the processor; ten times as many without optimizations.
        let most = if cfg!(debug_assertions) { 500e6 } else { 50e6 };
        assert!(large < most, "{what} took {:.1} ms", large / 1e6);
    }
}

#[track_caller]
fn assert_linear(what: &str, small: f64, large: f64) {
    let growth = large / small;
    // What takes next to no time cannot be compared.
    assert!(
        growth < MOST || large < 2e6,
        "{what} grew {growth:.1} times, to {:.1} ms",
        large / 1e6
    );
}
