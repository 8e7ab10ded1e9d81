//! What clients are told: in place of what pydevd has said, and why a request is not carried out.

use serde_json::{Value, json};

use crate::debug::commands;
use crate::debug::protocol::Incoming;
use crate::debug::vocabulary::Refusal;

/// A sentence for who asked.
pub(super) fn refusal(why: Refusal) -> &'static str {
    match why {
        Refusal::NotStarted => "there is no debug session: send initialize first",
        Refusal::NotAttached => "the debug session is not attached: send attach first",
        Refusal::NotStopped => "no thread is stopped",
        Refusal::NoDebugger => "there is no debugger",
        Refusal::StartTooLong => {
            "the debugger cannot start while Python is busy in code that lets nobody else run; try again later, or interrupt it"
        }
        Refusal::TooLong => {
            "the debugger has not answered in time: Python may be busy in code that lets nobody else run"
        }
        Refusal::Broken => "the connection to the debugger is lost; restart the kernel to debug again",
        Refusal::Ended => "the debug session has ended",
        Refusal::KernelEnds => "the kernel is shutting down",
        Refusal::TooMany => "too many requests wait for the debugger",
    }
}

/// The body that a client is answered with in place of the one of pydevd's success; `None` where that does as it is.
pub(super) fn body(command: &str, incoming: &Incoming) -> Option<Value> {
    match command {
        "initialize" => Some(capabilities(incoming.read())),
        "setBreakpoints" => Some(incoming.read()),
        "variables" => Some(users_variables(incoming.read())),
        "richInspectVariables" => Some(shown(&incoming.read()).unwrap_or_else(nothing_to_show)),
        _ => None,
    }
}

/// The body for a variable that cannot be shown.
pub(super) fn nothing_to_show() -> Value {
    json!({ "data": {}, "metadata": {} })
}

/// pydevd's capabilities, without those that would end the kernel.
fn capabilities(mut body: Value) -> Value {
    if let Some(body) = body.as_object_mut() {
        for name in [
            "supportsTerminateRequest",
            "supportTerminateDebuggee",
            "supportsTerminateDebuggee",
        ] {
            body.insert(name.to_owned(), json!(false));
        }
        body.remove("pydevd");
    }
    body
}

fn users_variables(mut body: Value) -> Value {
    if let Some(variables) = body.get_mut("variables").and_then(Value::as_array_mut) {
        variables.retain(|variable| {
            let name = variable.get("name").and_then(Value::as_str);
            name.is_none_or(commands::is_users_variable)
        });
    }
    body
}

/// What `drupe.variables.shown` has made: JSON in hexadecimal digits, which no way of quoting changes.
fn shown(body: &Value) -> Option<Value> {
    let text = body.get("result")?.as_str()?;
    let digits = text.trim_matches(|quote| quote == '\'' || quote == '"');
    let json = base16ct::lower::decode_vec(digits).ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(command: &str, said: &Value) -> Option<Value> {
        let message = json!({ "type": "response", "request_seq": 1, "success": true, "body": said });
        let incoming = serde_json::from_str(&message.to_string()).ok()?;
        body(command, &incoming)
    }

    #[test]
    fn nobody_is_told_of_a_way_to_end_the_process() {
        let told = of(
            "initialize",
            &json!({ "supportsTerminateRequest": true, "pydevd": {}, "a": 1 }),
        );
        let told = told.unwrap_or_default();
        assert_eq!(
            (&told["supportsTerminateRequest"], &told["a"]),
            (&json!(false), &json!(1))
        );
        assert!(told.get("pydevd").is_none());
    }

    #[test]
    fn variables_are_the_users() {
        let all = json!({ "variables": [{ "name": "x" }, { "name": "_i3" }, { "name": "In" }, {}] });
        assert_eq!(
            of("variables", &all),
            Some(json!({ "variables": [{ "name": "x" }, {}] }))
        );
    }

    #[test]
    fn what_is_shown_comes_in_digits_or_there_is_nothing_to_show() {
        let shown = json!({ "data": { "text/plain": "2" }, "metadata": {} });
        let digits = base16ct::lower::encode_string(shown.to_string().as_bytes());
        let said = json!({ "result": format!("'{digits}'") });
        assert_eq!(of("richInspectVariables", &said), Some(shown));
        for other in [json!({}), json!({ "result": "'zz'" }), json!({ "result": 1 })] {
            assert_eq!(of("richInspectVariables", &other), Some(nothing_to_show()));
        }
        assert_eq!(of("evaluate", &json!({ "result": "2" })), None);
    }
}
