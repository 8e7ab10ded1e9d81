use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::signatures as signatures_of;
use super::*;
use crate::lsp::analysis::Program as Source;
use crate::lsp::engine::candidates::Found;
use crate::os;

const PACE: Pace = Pace {
    idle: Duration::from_millis(150),
    rest: Duration::from_millis(100),
    given_up: Duration::from_secs(600),
};

/// A `ty` that is ready, writes its number into the file `pids`, and then does as `then` says.
fn impostor(then: &str) -> (tempfile::TempDir, Arc<Types>) {
    let folder = tempfile::tempdir().unwrap();
    let body = r#"{"id":0,"result":{"capabilities":{}}}"#;
    let script = format!(
        "#!/bin/sh\necho $$ >> {}\nread -r _\nprintf 'Content-Length: {}\\r\\n\\r\\n{body}'\n{then}\n",
        folder.path().join("pids").display(),
        body.len(),
    );
    let file = folder.path().join("ty");
    std::fs::write(&file, script).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    let types = Types::new(Checker::Ty, vec![folder.path().to_owned()], PACE);
    (folder, types)
}

fn ask(types: &Arc<Types>) -> Option<Value> {
    let program = Arc::new(Source::plain("x."));
    let asked = types.question("textDocument/hover", &program, 2)?;
    asked.answer(Instant::now() + Duration::from_millis(50))
}

#[test]
fn what_the_checker_does_not_know_has_no_text() {
    let hover = |text: &str| {
        let value = format!("```python\n{text}\n```");
        hover_text(&serde_json::json!({"contents": {"kind": "markdown", "value": value}}))
    };
    assert_eq!(hover("Unknown"), None);
    assert_eq!(hover("def f(a) -> Unknown").as_deref(), Some("def f(a)"));
    assert_eq!(hover("list[Unknown]").as_deref(), Some("list[Unknown]"));
}

fn pids(folder: &Path) -> Vec<i32> {
    let text = std::fs::read_to_string(folder.join("pids")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Waits until it holds, for ten seconds.
fn eventually(holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "it never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn it_is_stopped_when_idle_and_started_again() {
    let (folder, types) = impostor("exec cat > /dev/null");
    assert!(pids(folder.path()).is_empty());
    ask(&types);
    eventually(|| pids(folder.path()).len() == 1);
    let first = pids(folder.path())[0];
    eventually(|| !os::process::exists(first));
    eventually(|| {
        ask(&types);
        pids(folder.path()).len() == 2
    });
}

#[test]
fn one_that_crashes_is_started_again_a_few_times() {
    let (folder, types) = impostor("exit 3");
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        ask(&types);
        std::thread::sleep(Duration::from_millis(10));
    }
    // After each it rests, the last time for long.
    assert_eq!(pids(folder.path()).len(), MOST_CRASHES);
}

#[test]
fn nothing_is_started_after_the_end_and_nothing_is_left() {
    for pause in 0..20 {
        let (folder, types) = impostor("exec sleep 600");
        let asker = Arc::clone(&types);
        let asking = std::thread::spawn(move || ask(&asker));
        std::thread::sleep(Duration::from_millis(pause));
        types.close();
        assert!(asking.join().is_ok());
        assert!(ask(&types).is_none());
        std::thread::sleep(Duration::from_millis(20));
        eventually(|| pids(folder.path()).iter().all(|pid| !os::process::exists(*pid)));
    }
}

#[test]
fn another_choice_ends_the_one_that_runs() {
    let (folder, types) = impostor("exec sleep 600");
    ask(&types);
    eventually(|| pids(folder.path()).len() == 1);
    types.choose(Checker::Off);
    let first = pids(folder.path())[0];
    eventually(|| !os::process::exists(first));
    let program = Arc::new(Source::plain("x."));
    assert!(types.question("textDocument/hover", &program, 2).is_none());
    types.choose(Checker::Auto);
    ask(&types);
    eventually(|| pids(folder.path()).len() == 2);
}

#[test]
fn what_every_object_has_is_no_list() {
    let taken = |word: &str, labels: &[&str]| {
        let items: Vec<Value> = labels.iter().map(|label| json!({"label": label})).collect();
        let items = members::taken(&json!({"items": items}), word, &Found::default());
        items.into_iter().map(|item| item.label).collect::<Vec<_>>()
    };
    assert!(taken("", &["__class__", "__eq__"]).is_empty());
    assert_eq!(taken("__e", &["__class__", "__eq__"]), ["__eq__"]);
    assert_eq!(taken("", &["own", "__class__"]), ["own", "__class__"]);
    assert_eq!(taken("o", &["own", "_drupe_own", "other"]), ["own", "other"]);
}

#[test]
fn the_word_that_is_typed_is_no_member_for_that() {
    let taken = |word: &str| {
        let items = json!([
            {"label": "", "detail": "Unknown"},
            {"label": "z", "detail": "Unknown"},
            {"label": "zed", "detail": "Unknown"},
        ]);
        let items = members::taken(&items, word, &Found::default());
        items.into_iter().map(|item| item.label).collect::<Vec<_>>()
    };
    assert_eq!(taken("z"), ["zed"]);
    assert_eq!(taken(""), ["z", "zed"]);
}

#[test]
fn signatures_say_something() {
    let labels = |labels: &[&str]| {
        let signatures: Vec<Value> = labels.iter().map(|label| json!({"label": label})).collect();
        let help = signatures_of(json!({"signatures": signatures, "activeSignature": 1}));
        help.map(|help| help.signatures.into_iter().map(|it| it.label).collect::<Vec<_>>())
    };
    assert_eq!(labels(&["(...) -> Unknown"]), None);
    assert_eq!(labels(&["(a) -> Unknown", "(...) -> Unknown"]).unwrap(), ["(a)"]);
    assert_eq!(labels(&["(a) -> int"]).unwrap(), ["(a) -> int"]);
}

#[test]
fn a_list_serves_the_letters_that_come_after_it() {
    let question = |source: &str| {
        let offset = source.find('|').unwrap();
        let program = Arc::new(Source::plain(&source.replace('|', "")));
        let (_, types) = impostor("");
        let asked = types.question("textDocument/completion", &program, offset);
        asked.unwrap().question
    };
    let kept = Kept::new(&question("x = 1\nfoo().a|\ny"), 12, Slot::new());
    for (source, serves) in [
        ("x = 1\nfoo().a|\ny", true),
        ("x = 1\nfoo().abc|\ny", true),
        ("x = 1\nfoo().|\ny", false),
        ("x = 1\nfoo().b|\ny", false),
        ("x = 2\nfoo().abc|\ny", false),
        ("x = 1\nfoo().abc|\nz", false),
        ("x = 1\nbar().abc|\ny", false),
    ] {
        assert_eq!(kept.serves(&question(source), 12), serves, "{source}");
    }
}
