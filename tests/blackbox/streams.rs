//! stdout and stderr: order, completeness, file descriptors 1 and 2, threads, tasks, forked children.

use std::time::Duration;

use crate::client::fixtures::{default_python, workspace};
use crate::client::{Channel, Kernel, Outcome};

/// Runs of one kind of output joined: where a stream is cut into messages does not matter.
fn story(outcome: &Outcome) -> Vec<String> {
    let mut story: Vec<(String, String)> = Vec::new();
    for message in &outcome.outputs {
        let (kind, text) = match message.msg_type().as_str() {
            "stream" => (message.text("name"), message.text("text")),
            other => {
                let shown = message.content["data"]["text/plain"].as_str();
                (other.to_owned(), shown.unwrap_or_default().to_owned())
            }
        };
        match story.last_mut() {
            Some((last, so_far)) if *last == kind && message.msg_type() == "stream" => {
                so_far.push_str(&text);
            }
            _ => story.push((kind, text)),
        }
    }
    story
        .into_iter()
        .map(|(kind, text)| format!("{kind}: {text}"))
        .collect()
}

#[test]
fn prints_displays_and_errors_keep_their_order() {
    let mut kernel = Kernel::start();
    let outcome = kernel.execute("import sys\nfrom IPython.display import display\nprint('a')\nprint('b', file=sys.stderr)\nprint('c', end='')\ndisplay(1)\nsys.stdout.write('d')\nprint('e', file=sys.stderr)\n2");
    assert_eq!(
        story(&outcome),
        [
            "stdout: a\n",
            "stderr: b\n",
            "stdout: c",
            "display_data: 1",
            "stdout: d",
            "stderr: e\n",
            "execute_result: 2"
        ]
    );
    let outcome = kernel.execute("print('a')\n1/0");
    let kinds: Vec<_> = story(&outcome).iter().map(|part| part[..6].to_owned()).collect();
    assert_eq!(kinds, ["stdout", "error:"]);
}

#[test]
fn all_of_a_hundred_thousand_lines_arrive() {
    let mut kernel = Kernel::start();
    let text = kernel.run("for i in range(100_000): print(i, 'x' * 70)");
    let mut lines = text.lines();
    for i in 0..100_000 {
        let line = lines.next().expect("another line");
        assert!(
            line.split(' ').next() == Some(&i.to_string()) && line.len() > 70,
            "{line}"
        );
    }
    assert_eq!(lines.next(), None);
}

#[test]
fn output_arrives_while_the_cell_runs() {
    let mut kernel = Kernel::start();
    let code = "import time\nprint('now')\ntime.sleep(1)\nprint('later')";
    let cell = kernel.send_execute(code);
    kernel.recv_iopub_busy(&cell);
    kernel.recv_iopub_execute_input(&cell, code);
    kernel.recv_iopub_stream(&cell, "stdout", "now\n");
    assert!(kernel.recv_within(Channel::Shell, Duration::ZERO).is_none());
    kernel.recv_iopub_stream(&cell, "stdout", "later\n");
    kernel.recv_iopub_idle(&cell);
    kernel.recv_shell_reply(&cell, "execute_reply");
}

#[test]
fn file_descriptors_are_captured_before_idle() {
    let mut kernel = Kernel::start();
    for (code, expected) in [
        ("import os\nos.write(1, b'raw\\n');", "raw\n"),
        ("os.system('echo from sh');", "from sh\n"),
        (
            "import subprocess\nsubprocess.run(['echo', 'from echo']);",
            "from echo\n",
        ),
        (
            "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.puts(b'from C');",
            "from C\n",
        ),
        ("libc.printf(b'unfinished');", "unfinished"),
    ] {
        for _ in 0..5 {
            let outcome = kernel.execute(code);
            outcome.assert_ok();
            assert_eq!(outcome.stdout(), expected, "{code}");
        }
    }
    let outcome = kernel.execute("os.write(2, b'raw error\\n');");
    assert_eq!(outcome.stream("stderr"), "raw error\n");
}

/// A process that was started without its standard descriptors gets those numbers for the next things that it opens.
#[test]
fn descriptors_that_were_closed_at_the_start_are_captured() {
    let python = default_python().display().to_string();
    let package = workspace().join("python").display().to_string();
    let closed = "exec \"$@\" <&- >&-";
    let command = [
        "sh",
        "-c",
        closed,
        "sh",
        &python,
        "-m",
        "drupe",
        "-f",
        "{connection_file}",
    ];
    let mut kernel = Kernel::builder()
        .command(&command)
        .env("PYTHONPATH", &package)
        .start();
    for _ in 0..3 {
        let outcome =
            kernel.execute("import os\nos.write(1, b'one\\n')\nos.write(2, b'two\\n')\nprint('three');");
        outcome.assert_ok();
        assert_eq!(outcome.stdout(), "one\nthree\n");
        assert_eq!(outcome.stream("stderr"), "two\n");
    }
    assert_eq!(kernel.run("os.system('echo four');"), "four\n");
    kernel.shutdown(Channel::Control);
}

#[test]
fn python_and_descriptor_output_keep_their_order() {
    let mut kernel = Kernel::start();
    let outcome = kernel.execute("import os\nfor i in range(20):\n    print('python', i, flush=True)\n    os.system(f'echo shell {i}')");
    let expected: String = (0..20).map(|i| format!("python {i}\nshell {i}\n")).collect();
    assert_eq!(outcome.stdout(), expected);
}

/// A pipe holds 64 KiB: C code that holds the GIL and writes more must not wait for a reader that needs the GIL.
#[test]
fn much_output_of_c_code_that_holds_the_gil() {
    let mut kernel = Kernel::start();
    let outcome = kernel.execute(
        "import ctypes\nlibc = ctypes.PyDLL(None)\nlibc.printf(b'%s', b'1' * 1_000_000)\nlibc.fflush(None);",
    );
    outcome.assert_ok();
    let text = outcome.stdout();
    assert_eq!(text.len(), 1_000_000);
    assert!(text.bytes().all(|byte| byte == b'1'));
}

#[test]
fn bytes_that_are_no_text_become_replacement_characters() {
    let mut kernel = Kernel::start();
    let outcome = kernel.execute("import os\nos.write(1, b'a\\xffb\\n');");
    assert_eq!(outcome.stdout(), "a\u{fffd}b\n");
    // A character that two writes cut in two is still one.
    let outcome =
        kernel.execute("import time\nos.write(1, b'\\xc3')\ntime.sleep(0.05)\nos.write(1, b'\\xa9\\n');");
    assert_eq!(outcome.stdout(), "é\n");
}

#[test]
fn the_stream_objects_are_files() {
    let mut kernel = Kernel::start();
    for (code, expected) in [
        ("import sys\nsys.stdout.isatty()", "False"),
        ("sys.stdout.fileno() >= 0", "True"),
        (
            "sys.stdout.readable(), sys.stdout.writable(), sys.stdout.closed",
            "(False, True, False)",
        ),
        ("sys.stdout.encoding, sys.stderr.encoding", "('UTF-8', 'UTF-8')"),
        ("import io\nisinstance(sys.stdout, io.TextIOBase)", "True"),
        ("sys.stdout.write('abc') == 3", "True"),
    ] {
        assert_eq!(kernel.execute(code).result(), expected, "{code}");
    }
    assert_eq!(
        kernel.run("sys.stdout.writelines(['a', 'b\\n'])\nsys.stdout.flush()"),
        "ab\n"
    );
    assert_eq!(kernel.execute("sys.stdout.write(b'bytes')").error(), "TypeError");
    assert_eq!(
        kernel.execute("sys.stdout.read()").error(),
        "UnsupportedOperation"
    );
    kernel.assert_alive();
}

#[test]
fn a_forked_child_prints_into_its_cell() {
    let mut kernel = Kernel::start();
    let outcome = kernel.execute("import multiprocessing as mp\nctx = mp.get_context('fork')\np = ctx.Process(target=print, args=('from the child',))\np.start(); p.join(); p.exitcode");
    assert_eq!(outcome.result(), "0");
    assert_eq!(outcome.stdout(), "from the child\n");
    let outcome = kernel.execute("import os, sys\npid = os.fork()\nif not pid:\n    print('forked')\n    sys.stdout.flush()\n    os._exit(0)\nos.waitpid(pid, 0)[1]");
    assert_eq!(outcome.result(), "0");
    assert_eq!(outcome.stdout(), "forked\n");
    kernel.assert_alive();
}

#[test]
fn a_process_pool_works() {
    let mut kernel = Kernel::start();
    let outcome = kernel.execute("import multiprocessing as mp\nwith mp.get_context('fork').Pool(2) as pool:\n    result = pool.map(abs, range(-5, 0))\nresult");
    assert_eq!(outcome.result(), "[5, 4, 3, 2, 1]");
}

#[test]
fn a_task_prints_into_the_cell_that_made_it() {
    let mut kernel = Kernel::start();
    let code = "import asyncio\nasync def later():\n    await go.wait()\n    print('from the task')\n    stop.set()\n\
                go, stop = asyncio.Event(), asyncio.Event()\ntask = asyncio.create_task(later())";
    let first = kernel.execute(code).id;
    let code = "go.set()\n_ = await stop.wait()";
    let second = kernel.send_execute(code);
    kernel.recv_iopub_busy(&second);
    kernel.recv_iopub_execute_input(&second, code);
    kernel.recv_iopub_stream(&first, "stdout", "from the task\n");
    kernel.recv_iopub_idle(&second);
    kernel.recv_shell_reply(&second, "execute_reply");
}

#[test]
fn a_thread_prints_without_being_asked() {
    let mut kernel = Kernel::start();
    let code = "import threading\ngo = threading.Event()\ndef work():\n    print('working')\n    go.wait()\n    print('worked')\nt = threading.Thread(target=work)\nt.start()\ngo.set()\nt.join()";
    assert_eq!(kernel.run(code), "working\nworked\n");
}

#[test]
fn many_threads_lose_no_line() {
    let mut kernel = Kernel::start();
    let text = kernel.run("import threading\ndef work(n):\n    for i in range(500): print(f'{n}:{i}')\nts = [threading.Thread(target=work, args=(n,)) for n in range(8)]\n[t.start() for t in ts]; [t.join() for t in ts];");
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), 4000);
}

#[test]
fn the_real_stdout_is_not_the_notebook() {
    let mut kernel = Kernel::start();
    kernel.run("print('for the notebook only')");
    assert!(!kernel.log().contains("for the notebook only"));
}

/// A front-end that does not read harms nobody else.
#[test]
fn a_client_that_never_reads_harms_nobody() {
    let mut kernel = Kernel::start();
    kernel.assert_alive();
    let mut deaf = crate::client::raw::RawPeer::connect(kernel.connection.iopub);
    deaf.handshake("SUB", b"");
    deaf.message(&[b"\x01"]);
    let outcome = kernel.execute("for i in range(20_000): print('x' * 1000)");
    outcome.assert_ok();
    assert_eq!(outcome.stdout().len(), 20_000 * 1001);
    kernel.assert_alive();
}

/// A cell may close the descriptor itself. Prints still arrive, and nobody spins on what is left of the pipe.
#[test]
fn a_closed_descriptor_costs_nothing() {
    let mut kernel = Kernel::start();
    let cell = "import os, time\n\
                os.close(1)\n\
                before = time.process_time()\n\
                time.sleep(0.5)\n\
                print(time.process_time() - before < 0.2)";
    assert_eq!(kernel.run(cell), "True\n");
}
