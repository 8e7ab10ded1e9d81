//! When output goes out: at once where somebody waits for it, and in few messages where nobody does.

use std::time::{Duration, Instant};

use crate::client::{Kernel, Message, Outcome};

fn streams(outputs: &[Message]) -> Vec<String> {
    outputs
        .iter()
        .filter(|message| message.msg_type() == "stream")
        .map(|message| message.text("text"))
        .collect()
}

#[track_caller]
fn timed(kernel: &mut Kernel, code: &str) -> (Outcome, Duration) {
    let begun = Instant::now();
    let outcome = kernel.execute(code);
    outcome.assert_ok();
    (outcome, begun.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// A cell that prints is done as soon as one that does not. What else this machine does can only make the difference
/// larger, so the best of some rounds counts.
#[test]
fn a_quick_cell_that_prints_waits_for_no_timer() {
    let mut kernel = Kernel::start();
    let mut rounds = Vec::new();
    for code in [
        "print(1)",
        "import sys; print(1, file=sys.stderr)",
        "sys.stdout.write('x');",
    ] {
        let mut best = Duration::MAX;
        for _ in 0..8 {
            let (mut plain, mut printing) = (Vec::new(), Vec::new());
            for _ in 0..25 {
                plain.push(timed(&mut kernel, "pass").1);
                let (outcome, time) = timed(&mut kernel, code);
                printing.push(time);
                assert_eq!(outcome.of_type("stream").len(), 1);
            }
            best = best.min(median(printing).saturating_sub(median(plain)));
            if best <= Duration::from_micros(300) {
                break;
            }
        }
        rounds.push((code, best));
    }
    assert!(
        rounds.iter().all(|(_, more)| *more <= Duration::from_micros(300)),
        "longer than `pass`: {rounds:?}"
    );
}

/// At most one message in the first 50 ms, one in each 200 ms from then on, and one at the end.
#[track_caller]
fn assert_few(pieces: usize, elapsed: Duration, what: &str) {
    let allowed = 2 + elapsed.as_millis() / 200;
    assert!(
        pieces as u128 <= allowed,
        "{what}: {pieces} messages within {elapsed:?}"
    );
}

#[test]
fn a_cell_that_goes_on_printing_is_in_few_pieces() {
    let mut kernel = Kernel::start();
    for code in [
        "import os, sys, time\nfor i in range(100): print(i); time.sleep(0.01)",
        "for i in range(100): print(i, file=sys.stderr); time.sleep(0.01)",
        "for i in range(100): print(f'\\r{i}', end=''); time.sleep(0.01)",
        "for i in range(100): os.write(1, b'x'); time.sleep(0.01)",
        "import subprocess\nsubprocess.run('for i in `seq 50`; do echo $i; sleep 0.01; done', shell=True);",
    ] {
        let (outcome, elapsed) = timed(&mut kernel, code);
        assert_few(streams(&outcome.outputs).len(), elapsed, code);
    }
}

#[test]
fn prints_a_few_milliseconds_apart_are_one_message() {
    let mut kernel = Kernel::start();
    let code = "import time\nbegan = time.monotonic()\nprint(1); time.sleep(0.003); print(2)\n\
                took = time.monotonic() - began\ntime.sleep(0.3)";
    let mut rounds = 0;
    for _ in 0..10 {
        let (outcome, _) = timed(&mut kernel, code);
        // On a busy machine they may be further apart.
        if kernel.execute("took < 0.04").result() == "True" {
            assert_eq!(streams(&outcome.outputs), ["1\n2\n"]);
            rounds += 1;
        }
    }
    assert!(rounds >= 5, "{rounds} of 10");
}

/// What a thread prints when no cell runs is seen soon, and in few pieces.
#[test]
fn a_thread_prints_while_no_cell_runs() {
    let mut kernel = Kernel::start();
    let go = kernel.dir.path().join("go");
    let code = format!(
        "import os, threading, time
def work():
    while not os.path.exists({go:?}): time.sleep(0.01)
    for i in range(100): print(i); time.sleep(0.01)
    time.sleep(0.5)
    print('done')
thread = threading.Thread(target=work); thread.start()"
    );
    let cell = kernel.execute(&code).id;
    std::fs::write(go, "").expect("a file");
    let begun = Instant::now();
    let (mut text, mut pieces) = (String::new(), 0);
    while !text.ends_with("done\n") {
        text.push_str(&kernel.recv_iopub(&cell, "stream").text("text"));
        pieces += 1;
    }
    assert_few(pieces, begun.elapsed(), "a thread");
    assert_eq!(text.lines().count(), 101);
    kernel.run("thread.join()");
}

/// Lone text is seen while its cell goes on with something else, also where that holds the GIL.
#[test]
fn text_is_sent_while_c_code_holds_the_gil() {
    let mut kernel = Kernel::start();
    let door = kernel.dir.path().join("door");
    kernel.run(&format!("import ctypes, os\nos.mkfifo({door:?})"));
    // To open a pipe waits for somebody who opens its other end.
    let code = format!("print('now', end=''); ctypes.PyDLL(None).open(os.fsencode({door:?}), os.O_RDONLY);");
    let cell = kernel.send_execute(&code);
    kernel.recv_iopub_busy(&cell);
    kernel.recv_iopub_execute_input(&cell, &code);
    let begun = Instant::now();
    kernel.recv_iopub_stream(&cell, "stdout", "now");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    std::fs::File::create(door).expect("the pipe opens");
    kernel.recv_iopub_idle(&cell);
    kernel.recv_shell_reply(&cell, "execute_reply");
}

/// Who looks for the line behind which a process dies prints with `flush=True`.
#[test]
fn what_was_flushed_has_been_sent_when_the_process_dies() {
    for end in ["import os; os._exit(3)", "import ctypes; ctypes.string_at(0)"] {
        for _ in 0..5 {
            let mut kernel = Kernel::start();
            let code = format!("print('last words', flush=True); {end}");
            let cell = kernel.send_execute(&code);
            kernel.recv_iopub_busy(&cell);
            kernel.recv_iopub_execute_input(&cell, &code);
            kernel.recv_iopub_stream(&cell, "stdout", "last words\n");
            kernel.wait(Duration::from_secs(10));
        }
    }
}

#[test]
fn a_flood_of_flushes_is_quick_and_in_few_pieces() {
    let mut kernel = Kernel::start();
    let (outcome, elapsed) = timed(&mut kernel, "for i in range(20_000): print(i, flush=True)");
    let pieces = streams(&outcome.outputs);
    assert_eq!(pieces.concat().lines().count(), 20_000);
    let allowed = 3 + elapsed.as_millis() / 10;
    assert!(
        pieces.len() as u128 <= allowed,
        "{} messages within {elapsed:?}",
        pieces.len()
    );
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
    // A flush of nothing is nothing.
    let (outcome, _) = timed(
        &mut kernel,
        "import sys\nfor i in range(20_000): sys.stdout.flush()",
    );
    assert_eq!(streams(&outcome.outputs), [""; 0]);
}

/// A question, and a display, take along what was printed before them.
#[test]
fn text_goes_with_what_comes_behind_it() {
    let mut kernel = Kernel::start();
    let go = kernel.dir.path().join("go");
    let code = format!(
        "import os, time\nprint('before', end='')\ndisplay(1)\nprint('after', end='')\n\
         while not os.path.exists({go:?}): time.sleep(0.01)"
    );
    let cell = kernel.send_execute(&code);
    kernel.recv_iopub_busy(&cell);
    kernel.recv_iopub_execute_input(&cell, &code);
    kernel.recv_iopub_stream(&cell, "stdout", "before");
    kernel.recv_iopub(&cell, "display_data");
    let begun = Instant::now();
    kernel.recv_iopub_stream(&cell, "stdout", "after");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    std::fs::write(go, "").expect("a file");
    kernel.recv_iopub_idle(&cell);
    kernel.recv_shell_reply(&cell, "execute_reply");
}
