//! `execute_request`: counting, silence, results, errors, awaiting, magics, payloads.

use serde_json::{Value, json};

use crate::client::session::execute_content;
use crate::client::{Channel, Client, Kernel, Outcome};

#[track_caller]
fn execute_with(kernel: &mut Client, code: &str, change: Value) -> Outcome {
    let mut content = execute_content(code);
    for (name, value) in change.as_object().expect("an object") {
        content[name] = value.clone();
    }
    let silent = content["silent"] == true;
    let request = kernel.send_request(Channel::Shell, "execute_request", content);
    kernel.finish_execute(&request, (!silent).then_some(code))
}

fn count(outcome: &Outcome) -> u64 {
    outcome.reply.content["execution_count"]
        .as_u64()
        .expect("an execution count")
}

#[test]
fn busy_input_output_idle_in_this_order() {
    let mut kernel = Kernel::start();
    let request = kernel.send_execute("print('out'); 1 + 1");
    kernel.recv_iopub_busy(&request);
    let count = kernel.recv_iopub_execute_input(&request, "print('out'); 1 + 1");
    kernel.recv_iopub_stream(&request, "stdout", "out\n");
    let result = kernel.recv_iopub(&request, "execute_result");
    assert_eq!(result.content["data"]["text/plain"], "2");
    assert_eq!(result.content["execution_count"], count);
    assert!(result.content["metadata"].is_object());
    kernel.recv_iopub_idle(&request);
    let reply = kernel.recv_shell_reply(&request, "execute_reply");
    assert_eq!(reply.content["execution_count"], count);
    assert_eq!(reply.content["payload"], json!([]));
    assert_eq!(reply.content["user_expressions"], json!({}));
}

#[test]
fn counts_from_one() {
    let mut kernel = Kernel::start();
    assert_eq!(count(&kernel.execute("'first'")), 1);
    assert_eq!(count(&kernel.execute("'second'")), 2);
    assert_eq!(count(&kernel.execute("1/0")), 3);
    assert_eq!(
        kernel.execute("_, __, Out[2], In[1]").result(),
        "('second', 'first', 'second', \"'first'\")"
    );
}

#[test]
fn silent_says_and_counts_nothing() {
    let mut kernel = Kernel::start();
    let before = count(&kernel.execute("x = 1"));
    let silent = execute_with(&mut kernel, "x = 2; x", json!({"silent": true}));
    silent.assert_ok();
    assert!(silent.outputs.is_empty(), "{:?}", silent.outputs);
    let after = kernel.execute("x");
    assert_eq!(after.result(), "2");
    assert_eq!(count(&after), before + 1);
}

#[test]
fn store_history_false_does_not_count() {
    let mut kernel = Kernel::start();
    let before = count(&kernel.execute("x = 1"));
    let unstored = execute_with(&mut kernel, "x + 1", json!({"store_history": false}));
    assert_eq!(unstored.result(), "2");
    assert_eq!(count(&kernel.execute("x")), before + 1);
}

#[test]
fn fields_that_are_absent_have_defaults() {
    let mut kernel = Kernel::start();
    let request = kernel.send_request(Channel::Shell, "execute_request", json!({"code": "5"}));
    assert_eq!(kernel.finish_execute(&request, Some("5")).result(), "5");
}

#[test]
fn nothing_to_do_is_done() {
    let mut kernel = Kernel::start();
    for code in ["", "  \n", "# a comment", "pass"] {
        let outcome = kernel.execute(code);
        outcome.assert_ok();
        assert!(outcome.outputs.is_empty());
    }
}

#[test]
fn an_error_names_the_cell_and_the_line() {
    let mut kernel = Kernel::start();
    let outcome = kernel.execute("def f():\n    return 1/0\n\nf()");
    assert_eq!(outcome.error(), "ZeroDivisionError");
    assert_eq!(outcome.reply.text("evalue"), "division by zero");
    let traceback = outcome.traceback();
    assert!(traceback.contains("Cell In[1], line 4"), "{traceback}");
    assert!(traceback.contains("Cell In[1], line 2"), "{traceback}");
    kernel.assert_alive();
}

#[test]
fn errors_of_many_kinds() {
    let mut kernel = Kernel::start();
    for (code, name) in [
        ("if", "SyntaxError"),
        ("  x = 1\n y = 2", "IndentationError"),
        ("raise ValueError('bad')", "ValueError"),
        ("class Odd(BaseException): pass\nraise Odd()", "Odd"),
        ("def f(): return f()\nf()", "RecursionError"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import no_such_module", "ModuleNotFoundError"),
        ("raise SystemError('x' * 100_000)", "SystemError"),
    ] {
        assert_eq!(kernel.execute(code).error(), name, "{code}");
    }
    kernel.assert_alive();
}

/// As an error with a traceback, where IPython writes it to stderr.
#[test]
fn an_exception_group_shows_its_members() {
    let mut kernel = Kernel::start();
    let code = "import builtins\nif not hasattr(builtins, 'ExceptionGroup'):\n    from exceptiongroup import ExceptionGroup\n\
                raise ExceptionGroup('both', [ValueError('one'), TypeError('two')])";
    let outcome = kernel.execute(code);
    assert_eq!(outcome.error(), "ExceptionGroup");
    let traceback = outcome.traceback();
    assert!(
        traceback.contains("ValueError: one") && traceback.contains("TypeError: two"),
        "{traceback}"
    );
    kernel.assert_alive();
}

/// Nothing that looks along the chain of errors may walk it for ever.
#[test]
fn a_ring_of_errors_is_an_error_like_others() {
    let mut kernel = Kernel::start();
    let code = "one, two = ValueError('one'), TypeError('two')\none.__context__, two.__context__ = two, one\nraise one";
    assert_eq!(kernel.execute(code).error(), "ValueError");
    kernel.assert_alive();
}

#[test]
fn an_object_whose_repr_fails_is_an_error_or_a_traceback_and_no_more() {
    let mut kernel = Kernel::start();
    kernel.run("class Bad:\n    def __repr__(self): raise RuntimeError('no repr')");
    let outcome = kernel.execute("Bad()");
    let said = format!("{:?} {}", outcome.outputs, outcome.reply.content);
    assert!(said.contains("no repr"), "{said}");
    kernel.assert_alive();
}

#[test]
fn await_works_at_the_top_level() {
    let mut kernel = Kernel::start();
    let code = "import asyncio\nasync def f():\n    await asyncio.sleep(0.01)\n    return 'slept'\nawait f()";
    assert_eq!(kernel.execute(code).result(), "'slept'");
    let loops = kernel.execute(
        "one = asyncio.get_running_loop()\nawait asyncio.sleep(0)\none is asyncio.get_running_loop()",
    );
    assert_eq!(loops.result(), "True");
    assert_eq!(
        kernel.execute("one is asyncio.get_running_loop()").result(),
        "True"
    );
    let code = "async for x in agen(): print(x)";
    kernel.run("async def agen():\n    for i in range(3):\n        yield i");
    assert_eq!(kernel.run(code), "0\n1\n2\n");
    let name = kernel
        .execute("await asyncio.wait_for(asyncio.sleep(5), 0.01)")
        .error();
    assert!(name.ends_with("TimeoutError"), "{name}");
}

#[test]
fn a_task_lives_on_between_cells() {
    let mut kernel = Kernel::start();
    kernel.run("import asyncio\ndone = []\nasync def later():\n    await asyncio.sleep(0.05)\n    done.append('yes')\ntask = asyncio.create_task(later())");
    assert_eq!(kernel.execute("await task\ndone").result(), "['yes']");
}

#[test]
fn cells_share_one_context() {
    let mut kernel = Kernel::start();
    kernel.run("import contextvars\nvar = contextvars.ContextVar('var')\ntoken = var.set('kept')");
    assert_eq!(kernel.execute("var.get()").result(), "'kept'");
    kernel.run("import asyncio\nawait asyncio.sleep(0)\nvar.set('changed')");
    assert_eq!(
        kernel.execute("await asyncio.sleep(0)\nvar.get()").result(),
        "'changed'"
    );
}

/// As in a container without /dev/pts.
#[test]
fn shell_commands_on_a_machine_without_terminals() {
    let mut kernel = Kernel::start();
    kernel.run("import os\ndef openpty(): raise FileNotFoundError(2, 'no /dev/ptmx')\nos.openpty = openpty");
    assert_eq!(kernel.run("!echo one; sleep 0.2; echo two >&2"), "one\ntwo\n");
    assert_eq!(kernel.execute("!exit 3\n_exit_code").result(), "3");
    assert_eq!(kernel.run("!sleep 30 >/dev/null 2>&1 & echo left"), "left\n");
}

#[test]
fn magics() {
    let mut kernel = Kernel::start();
    assert_eq!(kernel.run("%%bash\necho from bash"), "from bash\n");
    assert_eq!(kernel.run("!echo from sh").replace('\r', ""), "from sh\n");
    assert_eq!(
        kernel
            .execute("lines = !echo one; echo two\nlist(lines)")
            .result(),
        "['one', 'two']"
    );
    assert_eq!(kernel.execute("!exit 3\n_exit_code").result(), "3");
    assert!(kernel.run("%timeit -n1 -r1 pass").contains("loop"));
    kernel.run("%%capture caught\nprint('caught')");
    assert_eq!(kernel.execute("caught.stdout").result(), "'caught\\n'");
    assert_eq!(kernel.execute("%no_such_magic").outputs.len(), 1);
    let info = kernel.run("%connect_info");
    assert!(
        info.contains("shell_port") && info.contains("--existing"),
        "{info}"
    );
}

#[test]
fn payloads_reach_the_front_end() {
    let mut kernel = Kernel::start();
    let page = kernel.execute("print?");
    let payload = &page.reply.content["payload"][0];
    assert_eq!(payload["source"], "page");
    assert!(
        payload["data"]["text/plain"]
            .as_str()
            .is_some_and(|text| text.contains("print"))
    );
    let next = kernel.execute("get_ipython().set_next_input('x = 1')");
    let payload = &next.reply.content["payload"][0];
    assert_eq!(payload["source"], "set_next_input");
    assert_eq!(payload["text"], "x = 1");
    assert_eq!(payload["replace"], false);
    assert_eq!(kernel.execute("1").reply.content["payload"], json!([]));
}

#[test]
fn libraries_find_what_they_look_for() {
    let mut kernel = Kernel::start();
    for (code, expected) in [
        ("type(get_ipython()).__name__", "'ZMQInteractiveShell'"),
        ("'IPKernelApp' in get_ipython().config", "True"),
        ("get_ipython().kernel.shell is get_ipython()", "True"),
        (
            "get_ipython().kernel.get_parent()['header']['msg_type']",
            "'execute_request'",
        ),
        ("__name__", "'__main__'"),
        ("import os, sys; '' in sys.path", "True"),
        (
            "sys.stdout.encoding.upper(), sys.stdout.writable()",
            "('UTF-8', True)",
        ),
        (
            "os.environ['PAGER'], os.environ['CLICOLOR'], os.environ['TERM']",
            "('cat', '1', 'xterm-color')",
        ),
        (
            "import threading; threading.current_thread() is threading.main_thread()",
            "True",
        ),
        ("import pickle; pickle.loads(pickle.dumps(3))", "3"),
        ("import faulthandler; faulthandler.enable()", ""),
    ] {
        let outcome = kernel.execute(code);
        outcome.assert_ok();
        if !expected.is_empty() {
            assert_eq!(outcome.result(), expected, "{code}");
        }
    }
}

#[test]
fn text_of_every_kind_survives() {
    let mut kernel = Kernel::start();
    assert_eq!(
        kernel.run("print('ä\u{1d52a} \\x00 \\x1b[1m')"),
        "ä\u{1d52a} \0 \u{1b}[1m\n"
    );
    for code in [
        "print('\\ud800')",
        "'\\udcff'",
        "float('nan')",
        "10**100",
        "b'\\xff'",
    ] {
        kernel.execute(code).assert_ok();
    }
    assert_eq!(
        kernel.execute("raise ValueError('\\ud800')").error(),
        "ValueError"
    );
    assert_eq!(kernel.execute("x = '\u{1d52a}'\nlen(x)").result(), "1");
    kernel.assert_alive();
}

#[test]
fn a_megabyte_of_source_and_of_result() {
    let mut kernel = Kernel::start();
    let code = format!("len('{}')", "x".repeat(1 << 20));
    assert_eq!(kernel.execute(&code).result(), (1 << 20).to_string());
    let outcome = kernel.execute("'y' * (4 << 20)");
    assert_eq!(outcome.result().len(), (4 << 20) + 2);
}

#[test]
fn five_hundred_at_once_are_answered_in_order() {
    let mut kernel = Kernel::start();
    kernel.run("seen = []");
    let cells: Vec<String> = (0..500).map(|n| format!("seen.append({n})")).collect();
    let requests: Vec<_> = cells.iter().map(|code| kernel.send_execute(code)).collect();
    for (request, code) in requests.iter().zip(&cells) {
        kernel.finish_execute(request, Some(code)).assert_ok();
    }
    assert_eq!(kernel.execute("seen == list(range(500))").result(), "True");
}

#[test]
fn exit_ends_the_kernel_by_itself() {
    let mut kernel = Kernel::start();
    let outcome = kernel.execute("exit");
    outcome.assert_ok();
    let payload = &outcome.reply.content["payload"][0];
    assert_eq!(payload["source"], "ask_exit");
    assert_eq!(payload["keepkernel"], false);
    let status = kernel.wait(std::time::Duration::from_secs(10));
    assert!(status.success(), "{status}");
    // Whoever listens on iopub is told.
    kernel.recv_to_end(Channel::Iopub);
}
