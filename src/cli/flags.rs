//! The kernel's own flags: what a front-end writes behind `drupe` or `python -m drupe`.
//!
//! Called by `drupe run` and, for the other door, by the core. The parser is written by hand because front-ends
//! pass flags that were meant for another kernel: whatever it does not know it keeps in [`RunOptions::unknown`],
//! to be logged. It refuses only a flag that it does know and whose value is missing or makes no sense.
//! It must never read a file, look for a Python, or print.

use std::ffi::OsString;
use std::str::FromStr;

use crate::options::{Checker, CommPolicy, EventLoop, RunOptions};

/// The longest `--shutdown-timeout`, in seconds: a day. Longer is taken for a slip of the pen.
const LONGEST_SHUTDOWN: f64 = 86_400.0;

/// A flag that drupe knows, used wrongly. Ends the process with status 2.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UsageError {
    #[error("the option {flag} needs a value")]
    MissingValue { flag: String },
    #[error("the value {value:?} of {flag} cannot be used: it must be {expected}")]
    BadValue {
        flag: String,
        value: String,
        expected: &'static str,
    },
    #[error("the argument {value:?} is not valid UTF-8")]
    NotUtf8 { value: OsString },
    /// Somebody took drupe for an interpreter, as editors do that ask every program of a kernelspec what it is.
    #[error("{word:?} is for Python, and drupe is a Jupyter kernel: nothing was started")]
    ForPython { word: String },
}

/// Reads the kernel's arguments (without the program's name and without the word `run`).
///
/// Where a flag is given twice the last one counts; of a trait all are kept. The environment variable `DRUPE_SHUTDOWN_TIMEOUT` stands in
/// for `--shutdown-timeout`.
///
/// # Errors
/// A known flag without its value, or with one that it cannot have.
pub fn parse(args: &[String]) -> Result<RunOptions, UsageError> {
    parse_with(args, |name| std::env::var(name).ok())
}

/// [`parse`] with the environment handed in, so that a test need not change its own.
fn parse_with(args: &[String], variable: impl Fn(&str) -> Option<String>) -> Result<RunOptions, UsageError> {
    if let Some(word) = args.first().filter(|word| is_for_python(word)) {
        return Err(UsageError::ForPython { word: word.clone() });
    }
    let mut options = RunOptions::default();
    let mut words = Words { rest: args };
    while let Some(word) = words.next() {
        if word == "--" {
            options.unknown.extend(words.rest.iter().cloned());
            break;
        }
        let Some((flag, inline)) = split_flag(word) else {
            options.unknown.push(word.to_owned());
            continue;
        };
        take_flag(&mut options, word, flag, inline, &mut words)?;
    }
    if options.shutdown_timeout.is_none() {
        let name = "DRUPE_SHUTDOWN_TIMEOUT";
        if let Some(value) = variable(name).filter(|value| !value.is_empty()) {
            options.shutdown_timeout = Some(seconds(name, &value)?);
        }
    }
    Ok(options)
}

/// Whether a first word is what Python's own command line begins with: one of its short flags, or several in one, or a script. The
/// kernel's one short flag is `-f`, which Python does not have.
fn is_for_python(word: &str) -> bool {
    let flags = word.strip_prefix('-').unwrap_or_default();
    flags.starts_with(|flag| "bBcdEiImOPqRsStuvWxX".contains(flag)) || word.ends_with(".py")
}

/// Takes one flag, with its value where it has one.
fn take_flag(
    options: &mut RunOptions,
    word: &str,
    flag: &str,
    inline: Option<&str>,
    words: &mut Words<'_>,
) -> Result<(), UsageError> {
    let mut value = || words.value(flag, inline);
    // `--connection_file` and `--connection-file` are one flag; a trait's name keeps its underscores.
    let name = flag.trim_start_matches('-').replace('_', "-");
    match name.as_str() {
        "f" | "connection-file" => options.connection_file = Some(value()?.into()),
        "python" => options.python = Some(value()?.into()),
        "prefix" => options.prefix = Some(value()?.into()),
        "environment" => options.environment = Some(value()?.into()),
        "logfile" | "log" => options.logfile = Some(value()?.into()),
        "loglevel" | "log-level" => options.log_level = Some(log_level(flag, &value()?)?),
        "debug" => options.log_level = Some("debug".to_owned()),
        "session-mode" => options.session_mode = Some(value()?),
        "quiet" => options.quiet = true,
        "no-stdout" => options.no_stdout = true,
        "no-stderr" => options.no_stderr = true,
        "matplotlib" => {
            options.matplotlib = Some(words.optional_value(inline).unwrap_or_else(|| "auto".to_owned()));
        }
        "ip" => options.ip = Some(value()?),
        "transport" => options.transport = Some(transport(flag, value()?)?),
        "no-subshells" => options.no_subshells = true,
        "comms" => options.comms = Some(one_of(flag, value()?, CommPolicy::NAMES)?),
        "loop" => options.event_loop = Some(one_of(flag, value()?, EventLoop::NAMES)?),
        "lsp-types" => options.lsp_types = Some(one_of(flag, value()?, Checker::NAMES)?),
        "shutdown-timeout" => options.shutdown_timeout = Some(seconds(flag, &value()?)?),
        _ => match trait_name(flag) {
            Some("IPKernelApp.connection_file") => options.connection_file = Some(value()?.into()),
            // A trait may be empty, and one without a value may be another kernel's switch.
            Some(name) => match words.optional_value(inline) {
                Some(value) => options.traits.entry(name.to_owned()).or_default().push(value),
                None => options.unknown.push(word.to_owned()),
            },
            None => options.unknown.push(word.to_owned()),
        },
    }
    Ok(())
}

/// The arguments not read yet.
struct Words<'a> {
    rest: &'a [String],
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// The flag's value: behind its `=`, else the next word, which may not be another flag.
    fn value(&mut self, flag: &str, inline: Option<&str>) -> Result<String, UsageError> {
        self.optional_value(inline)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| UsageError::MissingValue {
                flag: flag.to_owned(),
            })
    }

    fn optional_value(&mut self, inline: Option<&str>) -> Option<String> {
        if let Some(value) = inline {
            return Some(value.to_owned());
        }
        let next = self.rest.first().filter(|next| !next.starts_with('-'))?.clone();
        self.next();
        Some(next)
    }
}

/// Splits `--flag=value`, `-f`, and `-fvalue`; `None` for a word that is no flag.
fn split_flag(word: &str) -> Option<(&str, Option<&str>)> {
    if !word.starts_with('-') || word == "-" {
        return None;
    }
    if !word.starts_with("--")
        && let Some(value) = word.strip_prefix("-f")
    {
        let value = value.strip_prefix('=').unwrap_or(value);
        return Some(("-f", Some(value).filter(|value| !value.is_empty())));
    }
    Some(match word.split_once('=') {
        Some((flag, value)) => (flag, Some(value)),
        None => (word, None),
    })
}

/// The `Class.trait` of a flag that looks like one.
fn trait_name(flag: &str) -> Option<&str> {
    let name = flag.strip_prefix("--")?;
    let (class, rest) = name.split_once('.')?;
    let known_shape = class.starts_with(|first: char| first.is_ascii_uppercase())
        && !rest.is_empty()
        && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    known_shape.then_some(name)
}

/// A level as `tracing` names it, from what Python programs call it: a name in any case, or `logging`'s number.
fn log_level(flag: &str, value: &str) -> Result<String, UsageError> {
    let level = match value.to_ascii_lowercase().as_str() {
        "trace" => "trace",
        "debug" | "10" => "debug",
        "info" | "20" => "info",
        "warn" | "warning" | "30" => "warn",
        "error" | "critical" | "fatal" | "40" | "50" => "error",
        "off" | "none" => "off",
        _ => {
            return Err(UsageError::BadValue {
                flag: flag.to_owned(),
                value: value.to_owned(),
                expected: "debug, info, warning, error, critical, or one of their numbers 10 to 50",
            });
        }
    };
    Ok(level.to_owned())
}

fn transport(flag: &str, value: String) -> Result<String, UsageError> {
    match value.as_str() {
        "tcp" | "ipc" => Ok(value),
        _ => Err(UsageError::BadValue {
            flag: flag.to_owned(),
            value,
            expected: "tcp or ipc",
        }),
    }
}

/// A value that is one of a few names.
fn one_of<T: FromStr>(flag: &str, value: String, names: &'static str) -> Result<T, UsageError> {
    value.parse().map_err(|_| UsageError::BadValue {
        flag: flag.to_owned(),
        value,
        expected: names,
    })
}

fn seconds(flag: &str, value: &str) -> Result<f64, UsageError> {
    match value.trim().parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= LONGEST_SHUTDOWN => Ok(seconds),
        _ => Err(UsageError::BadValue {
            flag: flag.to_owned(),
            value: value.to_owned(),
            expected: "a number of seconds above 0 and at most 86400",
        }),
    }
}

#[cfg(test)]
#[path = "flags/tests.rs"]
mod tests;
