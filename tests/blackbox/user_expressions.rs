//! `user_expressions`: each key stands for itself.

use serde_json::json;

use crate::client::session::execute_content;
use crate::client::{Channel, Kernel};

#[test]
fn each_is_a_result_or_an_error() {
    let mut kernel = Kernel::start();
    let mut content = execute_content("x = 20");
    content["user_expressions"] =
        json!({"sum": "x + 22", "wrong": "no_such_name", "worse": "1 +", "text": "'é'"});
    let request = kernel.send_request(Channel::Shell, "execute_request", content);
    let outcome = kernel.finish_execute(&request, Some("x = 20"));
    outcome.assert_ok();
    let values = &outcome.reply.content["user_expressions"];
    assert_eq!(values["sum"]["status"], "ok");
    assert_eq!(values["sum"]["data"]["text/plain"], "42");
    assert!(values["sum"]["metadata"].is_object());
    assert_eq!(values["wrong"]["status"], "error");
    assert_eq!(values["wrong"]["ename"], "NameError");
    assert!(values["wrong"]["traceback"].is_array());
    assert_eq!(values["worse"]["ename"], "SyntaxError");
    assert_eq!(values["text"]["data"]["text/plain"], "'é'");
}

#[test]
fn are_not_evaluated_after_an_error() {
    let mut kernel = Kernel::start();
    let mut content = execute_content("1/0");
    content["user_expressions"] = json!({"one": "1"});
    let request = kernel.send_request(Channel::Shell, "execute_request", content);
    let outcome = kernel.finish_execute(&request, Some("1/0"));
    assert_eq!(outcome.error(), "ZeroDivisionError");
    let values = &outcome.reply.content["user_expressions"];
    assert!(values.is_null() || *values == json!({}), "{values}");
}

#[test]
fn are_evaluated_for_a_silent_request_too() {
    let mut kernel = Kernel::start();
    let mut content = execute_content("y = 3");
    content["silent"] = json!(true);
    content["user_expressions"] = json!({"y": "y"});
    let request = kernel.send_request(Channel::Shell, "execute_request", content);
    let outcome = kernel.finish_execute(&request, None);
    assert_eq!(
        outcome.reply.content["user_expressions"]["y"]["data"]["text/plain"],
        "3"
    );
    assert!(outcome.outputs.is_empty());
}
