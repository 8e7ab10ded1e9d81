//! `input()` and `getpass()`: the request goes to the client whose cell asks, on its stdin channel.

use serde_json::{Value, json};

use crate::client::session::execute_content;
use crate::client::{Channel, Client, Kernel, RequestId};

fn send_asking(kernel: &Client, code: &str) -> RequestId {
    let mut content = execute_content(code);
    content["allow_stdin"] = json!(true);
    kernel.send_request(Channel::Shell, "execute_request", content)
}

#[track_caller]
fn answer(kernel: &mut Client, request: &RequestId, prompt: &str, password: bool, value: Value) {
    let question = kernel.recv(Channel::Stdin);
    assert_eq!(question.msg_type(), "input_request");
    assert!(question.is_child_of(request), "{}", question.summary());
    assert_eq!(question.content, json!({"prompt": prompt, "password": password}));
    let mut reply = kernel.outgoing("input_reply", json!({"value": value, "status": "ok"}));
    reply.parent_header = question.header;
    kernel.send(Channel::Stdin, &reply);
}

#[test]
fn input_and_getpass() {
    let mut kernel = Kernel::start();
    let code = "import getpass\nname = input('name? ')\nword = getpass.getpass('word? ')\n(name, word)";
    let request = send_asking(&kernel, code);
    answer(&mut kernel, &request, "name? ", false, json!("Zoë"));
    answer(&mut kernel, &request, "word? ", true, json!("sésame"));
    let outcome = kernel.finish_execute(&request, Some(code));
    assert_eq!(outcome.result(), "('Zoë', 'sésame')");
}

#[test]
fn what_was_printed_comes_before_the_question() {
    let mut kernel = Kernel::start();
    let code = "print('before', end='')\ninput()";
    let request = send_asking(&kernel, code);
    kernel.recv_iopub_busy(&request);
    kernel.recv_iopub_execute_input(&request, code);
    kernel.recv_iopub_stream(&request, "stdout", "before");
    answer(&mut kernel, &request, "", false, json!(""));
    assert_eq!(kernel.recv_outputs(&request).len(), 1);
    kernel.recv_shell_reply(&request, "execute_reply");
}

#[test]
fn end_of_transmission_is_end_of_file() {
    let mut kernel = Kernel::start();
    let request = send_asking(&kernel, "input()");
    answer(&mut kernel, &request, "", false, json!("\u{4}"));
    assert_eq!(
        kernel.finish_execute(&request, Some("input()")).error(),
        "EOFError"
    );
    kernel.assert_alive();
}

#[test]
fn refused_when_the_front_end_has_no_stdin() {
    let mut kernel = Kernel::start();
    assert_eq!(kernel.execute("input('?')").error(), "StdinNotImplementedError");
    assert_eq!(
        kernel.execute("import getpass; getpass.getpass()").error(),
        "StdinNotImplementedError"
    );
    kernel.assert_alive();
}

/// A reply that nobody asked for must not answer the next question.
#[test]
fn stale_replies_are_thrown_away() {
    let mut kernel = Kernel::start();
    kernel.send_request(Channel::Stdin, "input_reply", json!({"value": "stale"}));
    kernel.assert_alive();
    let request = send_asking(&kernel, "input()");
    answer(&mut kernel, &request, "", false, json!("fresh"));
    assert_eq!(
        kernel.finish_execute(&request, Some("input()")).result(),
        "'fresh'"
    );
}

#[test]
fn the_question_goes_to_the_client_that_asked() {
    let mut kernel = Kernel::start();
    let mut other = kernel.connect();
    let request = send_asking(&other, "input('who? ')");
    answer(&mut other, &request, "who? ", false, json!("me"));
    assert_eq!(
        other.finish_execute(&request, Some("input('who? ')")).result(),
        "'me'"
    );
    kernel.recv_iopub_busy(&request);
    kernel.recv_iopub_execute_input(&request, "input('who? ')");
    assert_eq!(kernel.recv_outputs(&request).len(), 1);
}

#[test]
fn from_an_awaiting_cell_and_from_a_thread() {
    let mut kernel = Kernel::start();
    let code = "import asyncio\nawait asyncio.sleep(0)\ninput('a? ')";
    let request = send_asking(&kernel, code);
    answer(&mut kernel, &request, "a? ", false, json!("1"));
    assert_eq!(kernel.finish_execute(&request, Some(code)).result(), "'1'");
    let code = "import threading\nsaid = []\nt = threading.Thread(target=lambda: said.append(input('b? ')))\nt.start()\nt.join()\nsaid";
    let request = send_asking(&kernel, code);
    answer(&mut kernel, &request, "b? ", false, json!("2"));
    assert_eq!(kernel.finish_execute(&request, Some(code)).result(), "['2']");
}
