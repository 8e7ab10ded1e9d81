//! The book of threads: `drupe.threads` for runtimes that make their own, and `%threads`.

use crate::client::Kernel;
use crate::client::fixtures::wait_until;

/// A thread that Python did not make, running `code` in it.
const NATIVE: &str = "import ctypes, threading
def native(work):
    'Runs `work` on a thread of the C library; returns a function that joins it.'
    kind = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
    callback = kind(lambda _: work() and None)
    libc, thread = ctypes.CDLL(None), ctypes.c_ulong()
    assert libc.pthread_create(ctypes.byref(thread), None, callback, None) == 0
    return lambda keep=callback: libc.pthread_join(thread, None)
import drupe.threads
def names(): return [entry['name'] for entry in drupe.threads.list() if 'drupe' not in entry['name']]
";

#[test]
fn a_registered_thread_is_listed_until_it_leaves() {
    let mut kernel = Kernel::start();
    kernel.run(NATIVE);
    let code = "inside, leave = threading.Event(), threading.Event()
def work():
    with drupe.threads.registered('camera', purpose='frames'):
        inside.set(); leave.wait()
join = native(work)
inside.wait()
names()";
    assert_eq!(kernel.execute(code).result(), "['camera']");
    let (mut table, mut camera) = (String::new(), String::new());
    // It has said that it is inside, and is about to wait.
    wait_until("it waits", || {
        table = kernel.run("%threads");
        let line = table.lines().find(|line| line.starts_with("camera"));
        camera = line.unwrap_or(&table).to_owned();
        camera.contains("in wait")
    });
    let words: Vec<&str> = camera.split_whitespace().collect();
    assert_eq!(words[..3], ["camera", "yes", "frames"], "{table}");
    assert_eq!(words[4], "s", "{table}");
    let main = table
        .lines()
        .find(|line| line.starts_with("MainThread"))
        .unwrap_or(&table);
    assert!(main.split_whitespace().nth(1) == Some("no"), "{table}");
    assert_eq!(kernel.execute("leave.set(); join(); names()").result(), "[]");
    kernel.assert_alive();
}

#[test]
fn a_thread_that_never_unregisters_leaves_with_its_end() {
    let mut kernel = Kernel::start();
    kernel.run(NATIVE);
    let code = "def forgets():
    drupe.threads.register('forgetful')
    drupe.threads.register('forgetful', 'twice')
def fails():
    with drupe.threads.registered('failing'): raise SystemError
import sys
sys.unraisablehook = lambda _: None
for work in (forgets, fails) * 20: native(work)()
names()";
    assert_eq!(kernel.execute(code).result(), "[]");
    kernel.assert_alive();
}
