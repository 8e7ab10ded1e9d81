//! Who answers which command, and what pydevd is sent in its place.

use serde_json::{Map, Value, json};

use super::cells::Job;
use super::vocabulary::Command;

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// The session, from what it knows.
    Here(Local),
    /// The thread for files.
    Files(FileJob),
    /// A helper in Python, whether there is a session or not.
    Helper,
    /// pydevd where the reference is of its making, and the helper otherwise.
    HelperOrPydevd,
    /// pydevd while a thread is stopped in the frame that is meant, and the helper otherwise.
    HelperOrFrame,
    Machine(Command),
    /// Nobody. pydevd would not answer it either, but print a line.
    Nobody,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Local {
    DebugInfo,
    /// It would end the kernel's process at once.
    Terminate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileJob {
    DumpCell,
    Source,
}

pub(super) fn who(command: &str) -> Who {
    match command {
        "debugInfo" => Who::Here(Local::DebugInfo),
        "terminate" => Who::Here(Local::Terminate),
        "dumpCell" => Who::Files(FileJob::DumpCell),
        "source" => Who::Files(FileJob::Source),
        "inspectVariables" | "modules" | "debugpySystemInfo" => Who::Helper,
        "variables" => Who::HelperOrPydevd,
        "richInspectVariables" => Who::HelperOrFrame,
        "initialize" => Who::Machine(Command::Initialize),
        "attach" => Who::Machine(Command::Attach),
        "configurationDone" => Who::Machine(Command::ConfigurationDone),
        "disconnect" => Who::Machine(Command::Disconnect),
        "continue" => Who::Machine(Command::Continue),
        "next" | "stepIn" | "stepOut" | "goto" => Who::Machine(Command::Step),
        "evaluate" | "setExpression" | "setVariable" | "copyToGlobals" | "completions" => {
            Who::Machine(Command::Frame)
        }
        "threads"
        | "pause"
        | "setBreakpoints"
        | "setFunctionBreakpoints"
        | "setExceptionBreakpoints"
        | "stackTrace"
        | "scopes"
        | "exceptionInfo"
        | "stepInTargets"
        | "gotoTargets"
        | "setDebuggerProperty"
        | "pydevdSystemInfo" => Who::Machine(Command::Ask),
        _ => Who::Nobody,
    }
}

/// What the thread for files is to do.
///
/// # Errors
/// A sentence, where the arguments will not do.
pub(super) fn job(job: FileJob, arguments: &Map<String, Value>) -> Result<Job, &'static str> {
    match job {
        FileJob::DumpCell => match arguments.get("code").and_then(Value::as_str) {
            Some(code) => Ok(Job::Dump {
                code: code.to_owned(),
            }),
            None => Err("dumpCell needs the text of a cell, as code"),
        },
        FileJob::Source => match path_of(arguments) {
            Some(path) => Ok(Job::Read { path: path.into() }),
            None => Err("source needs the path of a file, as source.path"),
        },
    }
}

/// The file that is meant.
pub(super) fn path_of(arguments: &Map<String, Value>) -> Option<&str> {
    arguments.get("source")?.get("path")?.as_str()
}

/// Whether `variables` means something that the helper has told of: it counts from here on, and pydevd from one.
pub(super) fn is_helpers_reference(arguments: &Map<String, Value>) -> bool {
    const FIRST: i64 = 1 << 30;
    let reference = arguments.get("variablesReference").and_then(Value::as_i64);
    reference.is_some_and(|reference| reference > FIRST)
}

/// Whether a text is a name in Python, as far as it is safe to put it into an expression: letters of any script, digits and
/// underscores, and no digit at first.
pub(super) fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    let first = characters.next();
    first.is_some_and(|first| first == '_' || first.is_alphabetic())
        && characters.all(|character| character == '_' || character.is_alphanumeric())
}

/// What pydevd is sent for a client's request: its own command, and arguments.
///
/// # Errors
/// A sentence, where the arguments will not do.
pub(super) fn translate(
    command: &str,
    arguments: &Map<String, Value>,
    attach: &Map<String, Value>,
) -> Result<(String, Value), String> {
    let text = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
    let own = |value: Value| Ok((command.to_owned(), value));
    match command {
        // All threads stop together, and go on together.
        "continue" | "pause" => {
            let mut all = arguments.clone();
            all.insert("threadId".to_owned(), json!("*"));
            own(Value::Object(all))
        }
        // A client that asks for the end of the process gets the end of the session.
        "disconnect" => own(json!({ "restart": false, "terminateDebuggee": false })),
        "attach" => {
            let mut merged = attach.clone();
            merged.extend(arguments.clone());
            // Children would wait for a client that never comes, and output is the kernel's.
            for (name, value) in [
                ("subProcess", false),
                ("redirectOutput", false),
                ("logToFile", false),
            ] {
                merged.insert(name.to_owned(), json!(value));
            }
            for name in ["connect", "listen", "processId"] {
                merged.remove(name);
            }
            own(Value::Object(merged))
        }
        "richInspectVariables" => {
            let name = text("variableName");
            let expression = format!("__import__('drupe.variables').variables.shown({name})");
            let frame = arguments.get("frameId");
            Ok((
                "evaluate".to_owned(),
                json!({ "expression": expression, "frameId": frame, "context": "clipboard" }),
            ))
        }
        "copyToGlobals" => {
            let (from, to) = (text("srcVariableName"), text("dstVariableName"));
            if !is_name(from) || !is_name(to) {
                return Err("srcVariableName and dstVariableName must be names of variables".to_owned());
            }
            let frame = arguments.get("srcFrameId");
            Ok((
                "setExpression".to_owned(),
                json!({ "expression": format!("globals()['{to}']"), "value": from, "frameId": frame }),
            ))
        }
        _ => own(Value::Object(arguments.clone())),
    }
}

/// Names in the namespace that are IPython's, or Python's, and not the user's.
pub(super) fn is_users_variable(name: &str) -> bool {
    const OTHERS: [&str; 20] = [
        "__name__",
        "__doc__",
        "__package__",
        "__loader__",
        "__spec__",
        "__annotations__",
        "__builtins__",
        "__builtin__",
        "__display__",
        "get_ipython",
        "debugpy",
        "exit",
        "quit",
        "In",
        "Out",
        "_oh",
        "_dh",
        "_",
        "__",
        "___",
    ];
    let numbered = name
        .strip_prefix('_')
        .and_then(|rest| rest.chars().next())
        .is_some_and(|first| first.is_ascii_digit());
    !(OTHERS.contains(&name) || numbered || name.starts_with("_i"))
}
