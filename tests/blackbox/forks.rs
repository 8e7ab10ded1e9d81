//! Forked children of the kernel: what becomes of a child that comes to the end of its cell.

use crate::client::Kernel;

/// The status of a child that runs `child` and then comes to the end of the cell, and what it wrote to stderr.
fn child(kernel: &mut Kernel, child: &str) -> (String, String) {
    let code = format!(
        "import os, signal, sys\nparent = os.getpid()\npid = os.fork()\nif not pid:\n    {child}\nelse:\n    status = os.waitpid(pid, 0)[1]"
    );
    let outcome = kernel.execute(&code);
    let stderr = outcome.stream("stderr");
    (
        kernel.execute("os.waitstatus_to_exitcode(status)").result(),
        stderr,
    )
}

#[test]
fn a_child_that_comes_to_the_end_of_its_cell_has_the_status_of_a_script() {
    let mut kernel = Kernel::start();
    for (code, status) in [
        ("pass", "0"),
        ("sys.exit()", "0"),
        ("sys.exit(0)", "0"),
        ("sys.exit(3)", "3"),
        ("sys.exit(True)", "1"),
        ("sys.exit(-1)", "255"),
        ("raise KeyboardInterrupt", "-2"),
        ("os._exit(9)", "9"),
        ("os.kill(os.getpid(), signal.SIGTERM)", "-15"),
    ] {
        assert_eq!(child(&mut kernel, code).0, status, "{code}");
    }
    let (status, stderr) = child(&mut kernel, "1/0");
    assert_eq!(status, "1");
    assert!(stderr.contains("ZeroDivisionError"), "{stderr}");
    let (status, stderr) = child(&mut kernel, "sys.exit('no more')");
    assert_eq!(status, "1");
    assert!(stderr.contains("no more\n"), "{stderr}");
    kernel.assert_alive();
}

#[test]
fn processes_of_multiprocessing_have_their_own_statuses() {
    let mut kernel = Kernel::start();
    kernel.run(
        "import multiprocessing, sys\ncontext = multiprocessing.get_context('fork')\ndef status(function, *args):\n    process = context.Process(target=function, args=args)\n    process.start()\n    process.join()\n    return process.exitcode",
    );
    assert_eq!(kernel.execute("status(abs, 1)").result(), "0");
    assert_eq!(kernel.execute("status(sys.exit, 4)").result(), "4");
    assert_eq!(kernel.execute("status(int, 'x')").result(), "1");
    kernel.assert_alive();
}

#[test]
fn a_child_of_a_cell_that_has_awaited_ends_with_the_cell() {
    let mut kernel = Kernel::start();
    let outcome = kernel.execute(
        "import asyncio, os, sys\nawait asyncio.sleep(0.01)\npid = os.fork()\nif not pid:\n    sys.exit(5)\nstatus = os.waitpid(pid, 0)[1]",
    );
    drop(outcome);
    assert_eq!(kernel.execute("os.waitstatus_to_exitcode(status)").result(), "5");
    kernel.assert_alive();
}
