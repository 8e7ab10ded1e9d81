//! The requests of the protocol, one file each, and the table that finds them.
//!
//! A handler gets the session and its parameters and returns a result or a [`Failure`]; it may panic without harm
//! beyond its own reply, and must not run longer than a client's patience without looking at `session.cancelled`.

pub mod across;
mod automagic;
pub mod beyond;
pub mod code_action;
pub mod completion;
pub mod definition;
pub mod diagnostics;
pub mod folding;
pub mod formatting;
pub mod help_topic;
pub mod hover;
pub mod initialize;
pub mod inlay;
pub mod occurrences;
pub mod references;
pub mod rename;
pub mod selection;
pub mod semantic_tokens;
pub mod signature;
mod silence;
pub mod statement_range;
pub mod symbols;

use std::time::Duration;

use lsp_server::ErrorCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::link::{Failure, Reply, reply};
use super::session::{Answer, Session};

/// Finds the handler of `method` and runs it.
pub fn dispatch(session: &mut Session, method: &str, params: Value) -> Answer {
    let result = match method {
        "textDocument/completion" => run(session, params, completion::complete),
        "completionItem/resolve" => run(session, params, completion::resolve),
        "textDocument/hover" => run(session, params, hover::hover),
        "textDocument/signatureHelp" => run(session, params, signature::help),
        "textDocument/definition" | "textDocument/declaration" => {
            run(session, params, definition::definition)
        }
        "textDocument/references" => run(session, params, references::references),
        "textDocument/documentHighlight" => run(session, params, references::highlight),
        "textDocument/prepareRename" => run(session, params, rename::prepare),
        "textDocument/rename" => run(session, params, rename::rename),
        "textDocument/documentSymbol" => run(session, params, symbols::document),
        "workspace/symbol" => run(session, params, symbols::workspace),
        "textDocument/foldingRange" => run(session, params, folding::folding),
        "textDocument/selectionRange" => run(session, params, selection::selection),
        "textDocument/semanticTokens/full" => run(session, params, semantic_tokens::full),
        "textDocument/semanticTokens/range" => run(session, params, semantic_tokens::range),
        "textDocument/codeAction" => run(session, params, code_action::actions),
        "textDocument/inlayHint" => run(session, params, inlay::hints),
        "textDocument/formatting" => return later(session, params, formatting::whole),
        "textDocument/rangeFormatting" => return later(session, params, formatting::range),
        "positron/textDocument/helpTopic" => run(session, params, help_topic::topic),
        "positron/textDocument/statementRange" => run(session, params, statement_range::range),
        _ => Err(Failure::new(
            ErrorCode::MethodNotFound,
            format!("{method} is not supported"),
        )),
    };
    Answer::Now(result)
}

fn run<P: DeserializeOwned, R: Serialize>(
    session: &mut Session,
    params: Value,
    handler: fn(&mut Session, P) -> Result<R, Failure>,
) -> Reply {
    reply(&handler(session, read(params)?)?)
}

/// How long a request that a user waits for may wait for the type checker. Completion waits less: see there.
const TYPES: Duration = Duration::from_millis(300);

/// A job that a handler leaves for a thread of its own.
pub type Job = Box<dyn FnOnce() -> Reply + Send>;

fn later<P: DeserializeOwned>(
    session: &mut Session,
    params: Value,
    handler: fn(&mut Session, P) -> Result<Job, Failure>,
) -> Answer {
    match read(params).and_then(|params| handler(session, params)) {
        Ok(job) => Answer::Later(job),
        Err(failure) => Answer::Now(Err(failure)),
    }
}

fn read<P: DeserializeOwned>(params: Value) -> Result<P, Failure> {
    serde_json::from_value(params).map_err(|error| Failure::new(ErrorCode::InvalidParams, error.to_string()))
}
