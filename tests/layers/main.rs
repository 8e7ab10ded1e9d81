//! The layers of `docs/architecture.md`, held against the source: no room names one that its row in the table does not,
//! and what only some systems have is named in `src/os/` alone.
//!
//! It reads the files as text, so that it sees what a build for this system leaves out, too.

mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use source::Token;

/// The rooms, each with those that it may name.
type Table = BTreeMap<String, BTreeSet<String>>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every Rust file below `folder`, seen from the project's root.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path.strip_prefix(root()).expect("below the root").to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The table below the heading `Layers`: a room, and what it may name.
fn table(text: &str) -> Table {
    let section = text
        .split("\n## ")
        .find(|section| section.starts_with("Layers\n"));
    let names = |cell: &str| -> BTreeSet<String> {
        let quoted = cell.split('`').skip(1).step_by(2);
        quoted.map(str::to_owned).collect()
    };
    let rows = section
        .expect("a section on the layers")
        .lines()
        .filter_map(|line| {
            let (rooms, allowed) = line.strip_prefix("| `")?.split_once('|')?;
            Some((names(&format!("`{rooms}")), names(allowed)))
        });
    rows.flat_map(|(rooms, allowed)| rooms.into_iter().map(move |room| (room, allowed.clone())))
        .collect()
}

/// What in one file goes past the table. `file` is seen from `src/`.
fn violations(file: &Path, text: &str, table: &Table) -> Vec<String> {
    let place = file.with_extension("");
    let mut module: Vec<&str> = place.iter().filter_map(|part| part.to_str()).collect();
    if matches!(module.as_slice(), ["lib"]) {
        // The list of the rooms itself.
        return Vec::new();
    }
    let room = module.first().copied().unwrap_or_default();
    let Some(allowed) = table.get(room) else {
        return vec![format!(
            "{}: the room {room} has no row in the table",
            file.display()
        )];
    };
    if matches!(room, "main" | "bin") {
        module.clear();
    }
    let mut found = Vec::new();
    for (line, path) in source::paths(text, "drupe", &module) {
        let named = path.first().map_or("everything", String::as_str);
        if named != room && !allowed.contains(named) {
            found.push(format!("{}:{line}: {room} may not name {named}", file.display()));
        }
    }
    found
}

#[test]
fn no_room_names_one_above_it() {
    let table = table(&read(&root().join("docs/architecture.md")));
    let mut found = Vec::new();
    for file in files("src") {
        let text = read(&root().join(&file));
        found.extend(violations(
            file.strip_prefix("src").expect("below src"),
            &text,
            &table,
        ));
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn the_table_has_no_way_around() {
    let table = table(&read(&root().join("docs/architecture.md")));
    // Taken away from the bottom up, nothing is left: no two rooms may name each other, on whatever way.
    let mut left = table.clone();
    while !left.is_empty() {
        let settled: Vec<String> = left
            .iter()
            .filter(|(_, below)| below.iter().all(|room| !left.contains_key(room)))
            .map(|(room, _)| room.clone())
            .collect();
        assert!(!settled.is_empty(), "these stand above each other: {left:?}");
        left.retain(|room, _| !settled.contains(room));
    }
    let rooms: BTreeSet<&String> = table.values().flatten().collect();
    for room in rooms {
        assert!(table.contains_key(room), "{room} has no row of its own");
    }
}

/// What only Linux, or only some systems, have, as it is called where it is used.
const SYSTEMS_OWN: [&str; 22] = [
    "__errno_location",
    "accept4",
    "epoll",
    "eventfd",
    "eventfd2",
    "getauxval",
    "inotify",
    "io_uring",
    "memfd_create",
    "pidfd_open",
    "pipe2",
    "prctl",
    "procfs",
    "pthread_t",
    "signalfd",
    "SIGRTMAX",
    "SIGRTMIN",
    "SIOCOUTQ",
    "SIOCOUTQNSD",
    "timerfd",
    "TIOCOUTQ",
    "MSG_NOSIGNAL",
];

/// What in one file, seen from the root, belongs into `src/os/`.
fn strays(file: &Path, text: &str) -> Vec<String> {
    let tokens = source::tokens(text);
    // The handler of SIGTERM may call nothing but C.
    let calls_c = file.starts_with("python") || file.ends_with("lifecycle/watchdog/signal.rs");
    let stray = |at: usize| -> Option<String> {
        match &tokens.get(at)?.1 {
            Token::Word(word) if SYSTEMS_OWN.contains(&word.as_str()) => Some(word.clone()),
            Token::Word(word) if ["libc", "rustix"].contains(&word.as_str()) && !calls_c => {
                Some(word.clone())
            }
            Token::Word(word) if word == "target_os" => match &tokens.get(at + 2)?.1 {
                Token::Text(system) if system == "linux" => Some("target_os = \"linux\"".to_owned()),
                _ => None,
            },
            Token::Text(text) if text.starts_with("/proc") || text.starts_with("/sys/") => Some(text.clone()),
            _ => None,
        }
    };
    (0..tokens.len())
        .filter_map(|at| Some((tokens[at].0, stray(at)?)))
        .map(|(line, stray)| format!("{}:{line}: {stray} belongs into src/os/", file.display()))
        .collect()
}

#[test]
fn what_only_some_systems_have_is_named_in_one_room() {
    let mut found = Vec::new();
    for file in files("src").into_iter().chain(files("python/src")) {
        let is_test = file.iter().any(|part| part == "tests" || part == "tests.rs");
        if !file.starts_with("src/os") && file != Path::new("src/os.rs") && !is_test {
            found.extend(strays(&file, &read(&root().join(&file))));
        }
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn a_stray_is_found() {
    let text = "fn f() {\n#[cfg(target_os = \"linux\")]\nlibc::pipe2(); read(\"/proc/self\"); // eventfd\n}";
    assert_eq!(
        strays(Path::new("src/kernel/io.rs"), text),
        [
            "src/kernel/io.rs:2: target_os = \"linux\" belongs into src/os/",
            "src/kernel/io.rs:3: libc belongs into src/os/",
            "src/kernel/io.rs:3: pipe2 belongs into src/os/",
            "src/kernel/io.rs:3: /proc/self belongs into src/os/",
        ]
    );
    let text = "fn f() { libc::fflush(C_STDOUT) }\nfn home() { cfg!(target_os = \"macos\") }";
    assert!(strays(Path::new("python/src/capture.rs"), text).is_empty());
}

#[test]
fn a_violation_is_found() {
    let table = table(
        "# A\n\n## Layers\n\n| room | may name |\n| --- | --- |\n| `wire`, `lsp` | nothing |\n\
         | `kernel` | `wire`, `lsp` |\n\n## B\n\n| `wire` | `kernel` |\n",
    );
    let found = |file: &str, text: &str| violations(Path::new(file), text, &table);
    let nothing: [String; 0] = [];
    assert_eq!(
        found("kernel/io.rs", "use crate::wire::Session; use super::gate;"),
        nothing
    );
    assert_eq!(found("wire.rs", "use crate::wire::Session;"), nothing);
    assert_eq!(
        found("wire/session.rs", "fn f() {\n    crate::kernel::start()\n}"),
        ["wire/session.rs:2: wire may not name kernel"]
    );
    assert_eq!(
        found("wire/session.rs", "use super::super::lsp::{self};"),
        ["wire/session.rs:1: wire may not name lsp"]
    );
    assert_eq!(
        found("lsp.rs", "use crate::{wire::Session, lsp};"),
        ["lsp.rs:1: lsp may not name wire"]
    );
    assert_eq!(
        found("attic/old.rs", ""),
        ["attic/old.rs: the room attic has no row in the table"]
    );
}
