//! The world of one test: a home, a package, stand-ins for Python, and what a command must do in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder of its own for each test: a home, a package with an empty core, a stand-in for Python.
pub struct World {
    folder: TempDir,
}

impl World {
    pub fn new() -> Self {
        let world = World {
            folder: TempDir::new().unwrap(),
        };
        let package = world.path("package");
        fs::create_dir(&package).unwrap();
        for name in ["__main__.py", "probe.py", "_drupe.abi3.so"] {
            fs::write(package.join(name), "").unwrap();
        }
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `drupe` in a clean environment, with this world's package.
    pub fn drupe(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drupe"));
        command.args(args).env_clear();
        command
            .env("HOME", self.folder.path())
            .env("PATH", "/usr/bin:/bin");
        command.env("DRUPE_PACKAGE", self.path("package"));
        command
    }

    /// `drupe` with the package of the source tree and the core that was built.
    pub fn real_drupe(&self, args: &[&str]) -> Command {
        let mut command = self.drupe(args);
        command.env(
            "DRUPE_PACKAGE",
            Path::new(env!("CARGO_MANIFEST_DIR")).join("python/drupe"),
        );
        command
    }

    /// An executable that answers the probe with `answer` and echoes every other command line.
    pub fn python(&self, name: &str, answer: &Value) -> String {
        let text = format!(
            "#!/bin/sh\ncase \"$1\" in\n*/probe.py) cat <<'END'\nnoise of a .pth file\n{answer}\nEND\n;;\n\
             *) echo \"second door: $*\" ;;\nesac\n"
        );
        self.executable(name, &text)
    }

    pub fn executable(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_executable(&path, text);
        path.to_str().unwrap().to_owned()
    }

    /// The answer of a Python without a shared library that has all that drupe needs.
    pub fn suitable(&self) -> Value {
        let module = |version: &str| json!({"version": version, "origin": null});
        json!({
            "executable": "", "implementation": "cpython", "version": "3.12.1", "version_info": [3, 12],
            "bits": usize::BITS, "prefix": self.path("env"), "base_prefix": self.path("env"), "has_pip": true,
            "modules": {
                "IPython": module("9.1.0"), "comm": module("0.2.2"), "matplotlib_inline": module("0.1.7"),
            },
        })
    }

    /// [`World::suitable`] with some of it changed.
    pub fn but(&self, changes: &Value) -> Value {
        let mut answer = self.suitable();
        for (key, value) in changes.as_object().unwrap() {
            answer[key] = value.clone();
        }
        answer
    }
}

/// Writes by way of `sh`: a file that this process had open for writing while another test's thread forked could not
/// be executed until that fork's own `exec` ("Text file busy").
pub fn write_executable(path: &Path, text: &str) {
    let script = "printf %s \"$2\" >\"$1\" && chmod 755 \"$1\"";
    let status = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(path)
        .arg(text)
        .status()
        .unwrap();
    assert!(status.success());
}

/// The real interpreter of the tests.
pub fn real_python() -> String {
    std::env::var("DRUPE_TEST_PYTHON")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/.venv/bin/python").to_owned())
}

#[track_caller]
pub fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// The command ends with `status`, says nothing on stdout, and one message, with each of `words`, on stderr.
#[track_caller]
pub fn refuses(command: &mut Command, status: i32, words: &[&str]) {
    let (code, stdout, stderr) = run(command);
    assert_eq!((code, stdout.as_str()), (Some(status), ""), "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "no {word:?} in: {stderr}");
    }
    let messages = stderr.lines().filter(|line| line.starts_with("drupe: ")).count();
    assert_eq!(messages, 1, "{stderr}");
    for word in ["panicked", "Traceback", "RUST_BACKTRACE"] {
        assert!(!stderr.contains(word), "{stderr}");
    }
}

#[track_caller]
pub fn succeeds(command: &mut Command) -> String {
    let (code, stdout, stderr) = run(command);
    assert_eq!(code, Some(0), "{stderr}");
    stdout
}
