//! The same tour on every installed Python, through both doors.

use std::path::Path;

use rustix::process::Signal;
use serde_json::json;

use crate::client::fixtures::{all_pythons, default_python, workspace};
use crate::client::{Channel, Kernel};

/// What a kernel must do in any environment.
#[track_caller]
fn tour(mut kernel: Kernel, python: &Path) {
    kernel.request(Channel::Shell, "kernel_info_request", json!({}));
    let ask = |code: &str| {
        let output = std::process::Command::new(python).args(["-c", code]).output();
        let output = output.expect("the interpreter runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    // The kernel's interpreter is the one that was named, in every respect that a program can see.
    for code in [
        "import sys; print(sys.version)",
        "import sys; print(sys.executable)",
        "import sys; print(sys.prefix, sys.base_prefix, sys.exec_prefix)",
        "import sys; print([p for p in sys.path if p][-4:])",
        "import site, sys; print(site.ENABLE_USER_SITE, sys.flags.utf8_mode, sys.flags.isolated)",
        "import sysconfig; print(sysconfig.get_paths()['purelib'])",
        "import os; print(os.environ.get('PYTHONHOME'), os.environ.get('LD_LIBRARY_PATH'))",
    ] {
        assert_eq!(kernel.run(code), ask(code), "{code}");
    }
    // What the kernel gives to its children is the same as well.
    let code =
        "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import sys; print(sys.prefix)']);";
    assert_eq!(kernel.run(code), ask("import sys; print(sys.prefix)"));

    assert_eq!(kernel.execute("6 * 7").result(), "42");
    assert_eq!(kernel.execute("1/0").error(), "ZeroDivisionError");
    assert_eq!(
        kernel.run("import asyncio\nawait asyncio.sleep(0)\nprint('awaited')"),
        "awaited\n"
    );
    assert_eq!(kernel.run("%%bash\necho from bash"), "from bash\n");
    kernel
        .execute("from IPython.display import HTML\nHTML('<b>bold</b>')")
        .assert_ok();
    kernel
        .execute("import json, ssl, sqlite3, ctypes, multiprocessing, decimal")
        .assert_ok();
    let reply = kernel.request(
        Channel::Shell,
        "complete_request",
        json!({"code": "import json; json.dum", "cursor_pos": 21}),
    );
    let matches = reply.content["matches"].to_string();
    assert!(matches.contains("dumps"), "{matches}");
    let cell = kernel.send_execute("print('ready', flush=True)\nimport time; time.sleep(60)");
    kernel.recv_iopub_busy(&cell);
    kernel.recv_iopub(&cell, "execute_input");
    kernel.recv_iopub_stream(&cell, "stdout", "ready\n");
    kernel.signal(Signal::INT);
    assert_eq!(
        kernel.recv_iopub(&cell, "error").text("ename"),
        "KeyboardInterrupt"
    );
    kernel.recv_iopub_idle(&cell);
    kernel.recv_shell_reply(&cell, "execute_reply");
    let code = "import atexit\natexit.register(print, 'bye')";
    kernel.run(code);
    let request = kernel.send_request(Channel::Control, "shutdown_request", json!({"restart": false}));
    kernel.recv_reply(Channel::Control, &request, "shutdown_reply");
    let status = kernel.wait(std::time::Duration::from_secs(10));
    assert!(status.success(), "{status}");
    let mut said = String::new();
    for message in kernel.recv_to_end(Channel::Iopub) {
        said += &message.text("text");
    }
    assert_eq!(said, "bye\n");
}

#[test]
fn by_the_launcher() {
    for python in all_pythons() {
        tour(Kernel::builder().python(&python).start(), &python);
    }
}

/// `python -m drupe`: the door for a Python without a shared library.
#[test]
fn as_a_module() {
    let package = workspace().join("python").display().to_string();
    for python in all_pythons() {
        let name = python.display().to_string();
        let command = [&name, "-m", "drupe", "-f", "{connection_file}"];
        let mut kernel = Kernel::builder()
            .command(&command)
            .env("PYTHONPATH", &package)
            .start();
        assert_eq!(kernel.execute("6 * 7").result(), "42");
        let code = "import sys; print(sys.executable, sys.prefix)";
        assert_eq!(kernel.run(code).trim_end().split(' ').next(), Some(name.as_str()));
        kernel.shutdown(Channel::Control);
    }
}

/// `--python` may be left out where the environment says which Python is meant.
#[test]
fn found_by_virtual_env() {
    let python = default_python();
    let Some(venv) = python.parent().and_then(Path::parent) else {
        return;
    };
    if !venv.join("pyvenv.cfg").exists() {
        return;
    }
    let command = [env!("CARGO_BIN_EXE_drupe"), "-f", "{connection_file}"];
    let mut kernel = Kernel::builder()
        .command(&command)
        .env("VIRTUAL_ENV", &venv.display().to_string())
        .start();
    let code = "import sys; print(sys.executable)";
    assert_eq!(kernel.run(code).trim_end(), python.display().to_string());
}
