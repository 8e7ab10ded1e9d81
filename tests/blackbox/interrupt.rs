//! Interrupting: by message and by signal, whatever the cell is doing.

use std::time::Instant;

use rustix::process::Signal;
use serde_json::json;

use crate::client::fixtures::{all_pythons, has_ended, wait_until};
use crate::client::session::execute_content;
use crate::client::{Channel, Client, Kernel, RequestId};

/// One thing that a cell may be stuck in. Each prints `ready` first; `input()` asks instead.
struct Case {
    code: &'static str,
    /// What the cell may say when it is interrupted; an empty name is a cell that ends well.
    errors: &'static [&'static str],
}

const INTERRUPTED: &[&str] = &["KeyboardInterrupt"];

const LOOP: Case = Case {
    code: "print('ready', flush=True)\nwhile True: pass",
    errors: INTERRUPTED,
};
const SLEEP: Case = Case {
    code: "import time\nprint('ready', flush=True)\ntime.sleep(60)",
    errors: INTERRUPTED,
};
const INPUT: Case = Case {
    code: "input('ready')",
    errors: INTERRUPTED,
};
const SUBPROCESS: Case = Case {
    code: "import subprocess\nprint('ready', flush=True)\nsubprocess.run(['sleep', '60'])",
    errors: INTERRUPTED,
};
const SHELL_COMMAND: Case = Case {
    code: "print('ready', flush=True)\n!sleep 60",
    errors: &["", "KeyboardInterrupt"],
};
const AWAIT: Case = Case {
    code: "import asyncio\nprint('ready', flush=True)\nawait asyncio.sleep(60)",
    errors: &["KeyboardInterrupt", "CancelledError"],
};
const LOCK: Case = Case {
    code: "import threading\nlock = threading.Lock()\nlock.acquire()\nprint('ready', flush=True)\nlock.acquire()",
    errors: INTERRUPTED,
};
const SOCKET: Case = Case {
    code: "import socket\na, b = socket.socketpair()\nprint('ready', flush=True)\na.recv(1)",
    errors: INTERRUPTED,
};

/// The signal ends the first call of `usleep`, whose caller is C and calls it again at once: it has been noted, and nobody looks.
/// So does one that arrives between Python's last look and a system call.
const JUST_BEFORE_A_WAIT: Case = Case {
    code: "import ctypes, threading\nc = ctypes.CDLL(None)\nsixty_seconds = ctypes.c_void_p(60_000_000)\n\
           threading.Timer(0.05, lambda: print('ready', flush=True)).start()\n\
           c.bsearch(sixty_seconds, ctypes.create_string_buffer(7), 7, 1, c.usleep)",
    errors: INTERRUPTED,
};

fn by_message(kernel: &mut Kernel) -> Option<RequestId> {
    Some(kernel.send_request(Channel::Control, "interrupt_request", json!({})))
}

fn by_signal(kernel: &mut Kernel) -> Option<RequestId> {
    kernel.signal(Signal::INT);
    None
}

/// Takes the interrupt's own reply and status messages, which may come before, between or after the cell's.
struct Conversation {
    cell: RequestId,
    interrupt: Option<RequestId>,
}

impl Conversation {
    #[track_caller]
    fn finish(self, kernel: &mut Client) -> String {
        let mut idle_wanted = 1 + usize::from(self.interrupt.is_some());
        let mut error = String::new();
        while idle_wanted > 0 {
            let message = kernel.recv(Channel::Iopub);
            let of_cell = message.is_child_of(&self.cell);
            assert!(
                of_cell || message.parent() == self.interrupt,
                "{}",
                message.summary()
            );
            if message.is_state("idle") {
                idle_wanted -= 1;
            } else if message.msg_type() == "error" {
                error = message.text("ename");
            } else {
                assert!(["status", "stream"].contains(&message.msg_type().as_str()));
            }
        }
        let reply = kernel.recv_shell_reply(&self.cell, "execute_reply");
        assert_eq!(reply.text("ename"), error, "{}", reply.summary());
        if let Some(interrupt) = &self.interrupt {
            let reply = kernel.recv_reply(Channel::Control, interrupt, "interrupt_reply");
            assert_eq!(reply.status(), "ok");
        }
        error
    }
}

/// Starts a case and waits until it is stuck.
#[track_caller]
fn begin(kernel: &mut Client, code: &str) -> RequestId {
    let mut content = execute_content(code);
    content["allow_stdin"] = json!(true);
    let cell = kernel.send_request(Channel::Shell, "execute_request", content);
    kernel.recv_iopub_busy(&cell);
    kernel.recv_iopub_execute_input(&cell, code);
    if code.starts_with("input") {
        assert_eq!(kernel.recv(Channel::Stdin).text("prompt"), "ready");
    } else {
        kernel.recv_iopub_stream(&cell, "stdout", "ready\n");
    }
    cell
}

#[track_caller]
fn stops(case: &Case, interrupt: impl Fn(&mut Kernel) -> Option<RequestId>) {
    let mut kernel = Kernel::start();
    for _ in 0..3 {
        let cell = begin(&mut kernel, case.code);
        let started = Instant::now();
        let interrupt = interrupt(&mut kernel);
        let error = Conversation { cell, interrupt }.finish(&mut kernel);
        assert!(
            case.errors.contains(&&*error),
            "the error is {error:?} after {:?}",
            started.elapsed()
        );
        kernel.assert_alive();
    }
}

macro_rules! every_case {
    ($($name:ident: $case:expr;)*) => {
        mod a_message_stops {
            $(#[test] fn $name() { super::stops(&$case, super::by_message); })*
        }
        mod a_signal_stops {
            $(#[test] fn $name() { super::stops(&$case, super::by_signal); })*
        }
    };
}

every_case! {
    a_loop: super::LOOP;
    a_sleep: super::SLEEP;
    input: super::INPUT;
    a_subprocess: super::SUBPROCESS;
    a_shell_command: super::SHELL_COMMAND;
    an_await: super::AWAIT;
    a_lock: super::LOCK;
    a_socket: super::SOCKET;
    what_is_just_about_to_wait: super::JUST_BEFORE_A_WAIT;
}

#[test]
fn an_idle_kernel_survives() {
    let mut kernel = Kernel::start();
    kernel.assert_alive();
    for _ in 0..20 {
        kernel.signal(Signal::INT);
        kernel.request(Channel::Control, "interrupt_request", json!({}));
    }
    kernel.assert_alive();
    // And while it has just been idle: no interrupt is left over for the next cell.
    for _ in 0..20 {
        kernel.request(Channel::Control, "interrupt_request", json!({}));
        kernel.assert_alive();
    }
}

/// An interrupt that comes while Python is still starting is for nobody.
#[test]
fn the_start_survives() {
    for _ in 0..3 {
        let mut kernel = Kernel::start();
        kernel.signal(Signal::INT);
        kernel.request(Channel::Control, "interrupt_request", json!({}));
        kernel.assert_alive();
    }
}

#[test]
fn children_of_the_cell_get_the_signal_too() {
    let mut kernel = Kernel::start();
    let code = "import subprocess, time\nchild = subprocess.Popen(['sleep', '60'])\nprint(child.pid, flush=True)\ntime.sleep(60)";
    let cell = kernel.send_execute(code);
    kernel.recv_iopub_busy(&cell);
    kernel.recv_iopub_execute_input(&cell, code);
    let mut text = String::new();
    while !text.ends_with('\n') {
        text += &kernel.recv_iopub(&cell, "stream").text("text");
    }
    let child: i64 = text.trim().parse().expect("a process id");
    let interrupt = by_message(&mut kernel);
    assert_eq!(
        Conversation { cell, interrupt }.finish(&mut kernel),
        "KeyboardInterrupt"
    );
    wait_until("the child ends", || has_ended(child));
    kernel.assert_alive();
}

#[test]
fn queued_cells_are_aborted_by_an_interrupt() {
    let mut kernel = Kernel::start();
    let cell = begin(&mut kernel, SLEEP.code);
    let queued = kernel.send_execute("print('must not run')");
    // Shows that the queued request has been read.
    kernel.request(Channel::Shell, "kernel_info_request", json!({}));
    kernel.signal(Signal::INT);
    let error = Conversation {
        cell,
        interrupt: None,
    }
    .finish(&mut kernel);
    assert_eq!(error, "KeyboardInterrupt");
    assert_eq!(
        kernel.recv_shell_reply(&queued, "execute_reply").status(),
        "aborted"
    );
    kernel.recv_iopub_busy(&queued);
    kernel.recv_iopub_idle(&queued);
    kernel.assert_alive();
}

/// The cell's own handler decides what an interrupt means.
#[test]
fn a_cell_may_catch_it() {
    let mut kernel = Kernel::start();
    let code = "import time\ntry:\n    print('ready', flush=True)\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print('caught')";
    let cell = begin(&mut kernel, code);
    kernel.signal(Signal::INT);
    kernel.recv_iopub_stream(&cell, "stdout", "caught\n");
    kernel.recv_iopub_idle(&cell);
    assert_eq!(kernel.recv_shell_reply(&cell, "execute_reply").status(), "ok");
    kernel.assert_alive();
}

#[test]
fn interrupts_in_a_storm_lose_no_reply() {
    let mut kernel = Kernel::start();
    kernel.assert_alive();
    for round in 0..50_u64 {
        let code = "for i in range(30000): i * i";
        let cell = kernel.send_execute(code);
        std::thread::sleep(std::time::Duration::from_micros(round * 97));
        kernel.signal(Signal::INT);
        kernel.recv_iopub_busy(&cell);
        kernel.recv_iopub_execute_input(&cell, code);
        let outputs = kernel.recv_outputs(&cell);
        let reply = kernel.recv_shell_reply(&cell, "execute_reply");
        // One error where the signal met the cell, nothing else in any case.
        assert_eq!(
            usize::from(reply.status() == "error"),
            outputs.len(),
            "{} beside {outputs:?}",
            reply.summary()
        );
        assert!(
            outputs.iter().all(|output| output.msg_type() == "error"),
            "{outputs:?}"
        );
    }
    // The last signal may still be on its way when its cell has ended.
    kernel.execute("pass");
    kernel.assert_alive();
}

/// A second signal comes while the traceback of the first is made, published or told in the reply.
#[test]
fn two_interrupts_of_one_cell_show_one_error() {
    let mut kernel = Kernel::start();
    kernel.assert_alive();
    for round in 0..80_u64 {
        let code = "while True: pass";
        let cell = kernel.send_execute(code);
        kernel.recv_iopub_busy(&cell);
        kernel.recv_iopub_execute_input(&cell, code);
        kernel.signal(Signal::INT);
        std::thread::sleep(std::time::Duration::from_micros(round * 61));
        kernel.signal(Signal::INT);
        let outputs = kernel.recv_outputs(&cell);
        let reply = kernel.recv_shell_reply(&cell, "execute_reply");
        assert_eq!(reply.content["ename"], "KeyboardInterrupt", "{}", reply.summary());
        assert_eq!(outputs.len(), 1, "{outputs:?}");
        assert_eq!(outputs[0].content["traceback"], reply.content["traceback"]);
    }
    kernel.assert_alive();
}

/// An error whose text never comes is cut off, and is the cell's error all the same.
#[test]
fn an_error_that_cannot_be_shown_is_cut_off() {
    let mut kernel = Kernel::start();
    let code = "import time\nclass Slow(Exception):\n    def __str__(self):\n        print('ready', flush=True)\n        time.sleep(60)\nraise Slow";
    let cell = begin(&mut kernel, code);
    let started = Instant::now();
    // In the first second it is not cut off: IPython's formatter may be importing.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    kernel.signal(Signal::INT);
    let outputs = kernel.recv_outputs(&cell);
    let reply = kernel.recv_shell_reply(&cell, "execute_reply");
    assert!(started.elapsed().as_secs() < 20);
    assert_eq!(outputs.len(), 1, "{outputs:?}");
    assert_eq!(reply.content["ename"], "Slow");
    assert_eq!(outputs[0].content["traceback"], reply.content["traceback"]);
    kernel.assert_alive();
}

/// An interrupt in a callback before the cell is meant for the cell, which does not run.
#[test]
fn an_interrupt_before_the_cell_s_first_line_ends_it() {
    let mut kernel = Kernel::start();
    let code = "import time\ndef before(*_):\n    print('ready', flush=True)\n    time.sleep(60)\nget_ipython().events.register('pre_run_cell', before)";
    kernel.execute(code).assert_ok();
    let cell = begin(&mut kernel, "print('must not run')");
    kernel.signal(Signal::INT);
    let outputs = kernel.recv_outputs(&cell);
    let reply = kernel.recv_shell_reply(&cell, "execute_reply");
    assert_eq!(reply.content["ename"], "KeyboardInterrupt");
    let errors = outputs
        .iter()
        .filter(|output| output.msg_type() == "error")
        .count();
    assert_eq!(errors, 1, "{outputs:?}");
    let printed = outputs
        .iter()
        .any(|output| output.content["text"] == "must not run\n");
    assert!(!printed, "{outputs:?}");
}

/// What a cell handles itself is no reason to keep the next one quiet.
#[test]
fn every_interrupt_that_ends_something_is_shown() {
    let mut kernel = Kernel::start();
    let code = "import time\nshell = get_ipython()\nshell.run_cell(\"print('ready', flush=True)\\ntime.sleep(60)\")\n\
                print('ready', flush=True)\ntime.sleep(60)";
    let cell = begin(&mut kernel, code);
    kernel.signal(Signal::INT);
    assert_eq!(kernel.recv(Channel::Iopub).content["ename"], "KeyboardInterrupt");
    kernel.recv_iopub_stream(&cell, "stdout", "ready\n");
    kernel.signal(Signal::INT);
    let outputs = kernel.recv_outputs(&cell);
    assert_eq!(outputs.len(), 1, "{outputs:?}");
    assert_eq!(outputs[0].content["ename"], "KeyboardInterrupt");
    let reply = kernel.recv_shell_reply(&cell, "execute_reply");
    assert_eq!(reply.content["traceback"], outputs[0].content["traceback"]);
    kernel.assert_alive();
}

/// Python only tells of an error in a destructor, a weak reference's callback or C's call of a function. Each of these takes nine
/// tenths of the time of its cell.
const SWALLOWING: &str = "\
import ctypes, sys, time, weakref
def spend(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end: pass
class Destructor:
    def __del__(self): spend(9e-5)
class Thing: pass
@ctypes.CFUNCTYPE(None)
def called(): spend(9e-5)
def destructors():
    print('ready', flush=True)
    while True:
        Destructor()
        spend(1e-5)
def callbacks():
    print('ready', flush=True)
    while True:
        thing = Thing()
        reference = weakref.ref(thing, lambda _: spend(9e-5))
        del thing
        spend(1e-5)
def from_c():
    print('ready', flush=True)
    while True:
        called()
        spend(1e-5)
";

/// Interrupts a cell of these and takes all that it says: one error, and no line of what Python has swallowed.
#[track_caller]
fn ends_with_one_error(kernel: &mut Kernel, call: &str, round: u64) {
    let cell = begin(kernel, call);
    std::thread::sleep(std::time::Duration::from_micros(round * 37 % 1000));
    kernel.signal(Signal::INT);
    let outputs = kernel.recv_outputs(&cell);
    let reply = kernel.recv_shell_reply(&cell, "execute_reply");
    assert_eq!(reply.content["ename"], "KeyboardInterrupt", "{}", reply.summary());
    assert_eq!(outputs.len(), 1, "{outputs:?}");
    assert_eq!(outputs[0].content["traceback"], reply.content["traceback"]);
    // Nothing is left for the next cell.
    kernel.execute("for i in range(10000): pass").assert_ok();
}

#[test]
fn an_interrupt_in_a_destructor_is_not_swallowed() {
    let mut kernel = Kernel::start();
    kernel.execute(SWALLOWING).assert_ok();
    for round in 0..200 {
        ends_with_one_error(&mut kernel, "destructors()", round);
    }
}

#[test]
fn an_interrupt_in_a_callback_of_c_is_not_swallowed() {
    let mut kernel = Kernel::start();
    kernel.execute(SWALLOWING).assert_ok();
    for round in 0..50 {
        ends_with_one_error(&mut kernel, "callbacks()", round);
        ends_with_one_error(&mut kernel, "from_c()", round);
    }
}

/// What the user has put in the place of `sys.unraisablehook` stays there, and hears of the user's own errors alone.
#[test]
fn a_hook_of_the_user_s_does_not_swallow_it() {
    let mut kernel = Kernel::start();
    kernel.execute(SWALLOWING).assert_ok();
    let code =
        "seen = []\ndef hook(unraisable): seen.append(str(unraisable.exc_value))\nsys.unraisablehook = hook";
    kernel.execute(code).assert_ok();
    for round in 0..20 {
        ends_with_one_error(&mut kernel, "destructors()", round);
    }
    kernel
        .execute(
            "class Fails:\n    def __del__(self): raise KeyboardInterrupt('mine')\nFails(); Fails(); None",
        )
        .assert_ok();
    assert_eq!(
        kernel.execute("seen, sys.unraisablehook is hook").result(),
        "(['mine', 'mine'], True)"
    );
}

/// trio takes over the signal while it runs. (In a `__del__` it raises nothing by itself, and tells its main task.)
#[test]
fn trio_s_own_handler_does_not_swallow_it() {
    let mut kernel = Kernel::builder().python(&all_pythons()[0]).start();
    kernel.execute(SWALLOWING).assert_ok();
    kernel
        .execute("import trio\nasync def run(): callbacks()")
        .assert_ok();
    for round in 0..20 {
        ends_with_one_error(&mut kernel, "trio.run(run)", round);
    }
}

/// A destructor is the last thing that the cell does: the interrupt is the cell's, or it came too late. It is never the next one's.
#[test]
fn an_interrupt_in_the_last_destructor_is_the_cell_s() {
    let mut kernel = Kernel::start();
    kernel.execute(SWALLOWING).assert_ok();
    kernel
        .execute("import os\ndef wait_for(path):\n    while not os.path.exists(path): pass")
        .assert_ok();
    let mut interrupted = 0;
    for round in 0..60_u64 {
        let go = kernel.dir.path().join(format!("go-{round}"));
        let code = format!(
            "class Last:\n    def __del__(self):\n        print('ready', flush=True)\n        wait_for({go:?})\n        \
             spend(0.03)\nLast(); None"
        );
        let cell = begin(&mut kernel, &code);
        let next = kernel.send_execute("spend(0.003)");
        // Shows that the next one has been read.
        kernel.request(Channel::Shell, "kernel_info_request", json!({}));
        // In some rounds the destructor waits for nobody, and a signal may come behind it.
        let waits = round % 6 != 0;
        let end = || std::fs::write(&go, "").expect("a file");
        if !waits {
            end();
        }
        std::thread::sleep(std::time::Duration::from_micros(round * 97));
        kernel.signal(Signal::INT);
        if waits {
            end();
        }
        let outputs = kernel.recv_outputs(&cell);
        let reply = kernel.recv_shell_reply(&cell, "execute_reply");
        let failed = reply.status() == "error";
        assert_eq!(outputs.len(), usize::from(failed), "{outputs:?}");
        kernel.recv_iopub_busy(&next);
        if failed {
            interrupted += 1;
        } else {
            // The signal came behind the cell, and may be meant for the next one.
            kernel.recv_iopub(&next, "execute_input");
            kernel.recv_outputs(&next);
            kernel.recv_shell_reply(&next, "execute_reply");
            continue;
        }
        kernel.recv_iopub_idle(&next);
        assert_eq!(
            kernel.recv_shell_reply(&next, "execute_reply").status(),
            "aborted"
        );
    }
    assert!(interrupted > 40, "{interrupted} of 60");
    kernel.assert_alive();
}
