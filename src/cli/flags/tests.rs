//! The flags that front-ends are known to pass, one test for each front-end or rule.

use super::*;

fn read(words: &[&str]) -> Result<RunOptions, UsageError> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    parse_with(&words, |_| None)
}

fn accepted(words: &[&str]) -> RunOptions {
    match read(words) {
        Ok(options) => options,
        Err(error) => panic!("{words:?}: {error}"),
    }
}

#[test]
fn every_spelling_of_the_connection_file() {
    for words in [
        &["-f", "/tmp/k.json"][..],
        &["-f/tmp/k.json"],
        &["-f=/tmp/k.json"],
        &["--f", "/tmp/k.json"],
        &["--f=/tmp/k.json"],
        &["--connection-file", "/tmp/k.json"],
        &["--connection_file=/tmp/k.json"],
        &["--IPKernelApp.connection_file=/tmp/k.json"],
    ] {
        let options = accepted(words);
        assert_eq!(options.connection_file, Some("/tmp/k.json".into()), "{words:?}");
        assert!(options.unknown.is_empty(), "{words:?}");
    }
}

#[test]
fn no_arguments_ask_for_nothing() {
    assert_eq!(accepted(&[]), RunOptions::default());
}

#[test]
fn nbclient_and_traits() {
    let options = accepted(&[
        "-f",
        "k.json",
        "--HistoryManager.hist_file=:memory:",
        "--InteractiveShell.colors",
        "NoColor",
        "--Application.log_level=0",
        "--IPKernelApp.exec_lines=a = 1",
        "--IPKernelApp.exec_lines=b = 2",
    ]);
    assert_eq!(options.traits["HistoryManager.hist_file"], [":memory:"]);
    assert_eq!(options.traits["InteractiveShell.colors"], ["NoColor"]);
    assert_eq!(options.traits["IPKernelApp.exec_lines"], ["a = 1", "b = 2"]);
    assert!(options.unknown.is_empty());
}

#[test]
fn positron() {
    let options = accepted(&[
        "-f",
        "k.json",
        "--logfile",
        "/tmp/k.log",
        "--loglevel=WARNING",
        "--session-mode=console",
        "--quiet",
        "--no-stdout",
        "--no_stderr",
        "--matplotlib=inline",
        "--lsp-types=ty",
        "--loop=uvloop",
        "--comms=subshell",
        "--no-subshells",
    ]);
    assert_eq!(options.logfile, Some("/tmp/k.log".into()));
    assert_eq!(options.log_level.as_deref(), Some("warn"));
    assert_eq!(options.session_mode.as_deref(), Some("console"));
    assert!(options.quiet && options.no_stdout && options.no_stderr);
    assert_eq!(options.matplotlib.as_deref(), Some("inline"));
    assert_eq!(options.lsp_types, Some(Checker::Ty));
    assert_eq!(options.event_loop, Some(EventLoop::Uvloop));
    assert_eq!(options.comms, Some(CommPolicy::Subshell));
    assert!(options.no_subshells);
}

#[test]
fn the_unknown_is_kept_and_kills_nothing() {
    let options = accepted(&[
        "--profile",
        "work",
        "stray",
        "-x",
        "--debugport=5",
        "--",
        "-f",
        "k.json",
    ]);
    let kept = [
        "--profile",
        "work",
        "stray",
        "-x",
        "--debugport=5",
        "-f",
        "k.json",
    ];
    assert_eq!(options.unknown, kept);
    assert_eq!(options.connection_file, None);
}

#[test]
fn the_last_one_counts() {
    let options = accepted(&["-f", "a", "-f", "b"]);
    assert_eq!(options.connection_file, Some("b".into()));
}

#[test]
fn matplotlib_without_a_name() {
    let options = accepted(&["--matplotlib", "-f", "k.json"]);
    assert_eq!(options.matplotlib.as_deref(), Some("auto"));
    assert_eq!(options.connection_file, Some("k.json".into()));
}

#[test]
fn a_value_that_is_missing() {
    for words in [
        &["-f"][..],
        &["-f", "--quiet"],
        &["--f="],
        &["--python"],
        &["--ip"],
    ] {
        let error = read(words).err();
        assert!(
            matches!(error, Some(UsageError::MissingValue { .. })),
            "{words:?}: {error:?}"
        );
    }
}

#[test]
fn no_type_checker_has_two_names() {
    for words in [["--lsp-types=off"], ["--lsp-types=none"]] {
        assert_eq!(accepted(&words).lsp_types, Some(Checker::Off));
    }
    assert_eq!(accepted(&["--lsp-types", "auto"]).lsp_types, Some(Checker::Auto));
    assert_eq!(accepted(&[]).lsp_types.unwrap_or_default(), Checker::Auto);
}

#[test]
fn a_value_that_makes_no_sense() {
    for words in [
        &["--transport=udp"][..],
        &["--lsp-types=mypy"],
        &["--loop=tornado"],
        &["--loglevel=loud"],
        &["--shutdown-timeout=soon"],
        &["--shutdown-timeout=0"],
        &["--shutdown-timeout=inf"],
        &["--shutdown-timeout=nan"],
        &["--shutdown-timeout=1e9"],
    ] {
        let error = read(words).err();
        assert!(
            matches!(error, Some(UsageError::BadValue { .. })),
            "{words:?}: {error:?}"
        );
    }
}

#[test]
fn the_shutdown_timeout_comes_from_the_flag_before_the_environment() {
    let variable = |name: &str| (name == "DRUPE_SHUTDOWN_TIMEOUT").then(|| "7.5".to_owned());
    let from_environment = parse_with(&[], variable).map(|options| options.shutdown_timeout);
    assert_eq!(from_environment, Ok(Some(7.5)));
    let words = ["--shutdown-timeout".to_owned(), "4".to_owned()];
    let from_flag = parse_with(&words, variable).map(|options| options.shutdown_timeout);
    assert_eq!(from_flag, Ok(Some(4.0)));
    assert!(parse_with(&[], |_| Some("x".to_owned())).is_err());
}

#[test]
fn options_survive_the_way_to_the_core() {
    let options = accepted(&["-f", "k.json", "--A.b=c", "--shutdown-timeout=3", "--odd"]);
    let json = serde_json::to_string(&options).unwrap_or_default();
    let back: Option<RunOptions> = serde_json::from_str(&json).ok();
    assert_eq!(back, Some(options));
}
