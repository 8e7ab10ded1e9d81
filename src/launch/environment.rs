//! What one interpreter says about itself: the probe, and whether drupe can run in it.
//!
//! Called by [`super::choice`] and [`super::record`]. The question is asked by `probe.py`, which lies beside the
//! core and imports nothing of the user's. Must never import IPython or run user code to find out.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::error::{LaunchError, Missing};
use super::libpython;

/// The oldest Python that the core (`abi3-py310`) runs on.
pub const MIN_PYTHON: (u32, u32) = (3, 10);

/// The longest wait for the probe. It takes about 60 ms; a network drive that has gone to sleep takes seconds.
const PROBE_LIMIT: Duration = Duration::from_secs(30);

/// A distribution that the environment must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    /// The name to import, which is also the key in [`Environment::modules`].
    pub module: &'static str,
    /// The name to install.
    pub distribution: &'static str,
    /// The oldest version that will do, as (major, minor).
    pub minimum: (u32, u32),
}

/// 8.18 is the last IPython for Python 3.9 and the oldest that the shell is tested with; comm 0.2 has `create_comm`.
pub const REQUIREMENTS: [Requirement; 3] = [
    Requirement {
        module: "IPython",
        distribution: "ipython",
        minimum: (8, 18),
    },
    Requirement {
        module: "comm",
        distribution: "comm",
        minimum: (0, 2),
    },
    Requirement {
        module: "matplotlib_inline",
        distribution: "matplotlib-inline",
        minimum: (0, 1),
    },
];

impl Requirement {
    /// As `pip` takes it, such as `ipython>=8.18`.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}>={}.{}", self.distribution, self.minimum.0, self.minimum.1)
    }

    fn accepts(&self, version: &str) -> bool {
        let mut numbers = version.split('.').map(leading_number);
        let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        found >= self.minimum
    }
}

/// A module as the interpreter would find it, without having imported it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    pub version: Option<String>,
    /// The file that an import would read first.
    pub origin: Option<PathBuf>,
}

/// One interpreter's account of itself. Everything but the first fields may be missing from a Python that is too old.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// `sys.executable`: links not resolved, so that a virtual environment stays one.
    pub executable: PathBuf,
    /// `sys.implementation.name`, such as `cpython`.
    pub implementation: String,
    /// The first word of `sys.version`, such as `3.12.1`.
    pub version: String,
    /// `sys.version_info[:2]`.
    pub version_info: (u32, u32),
    #[serde(default)]
    pub prefix: PathBuf,
    #[serde(default)]
    pub base_prefix: PathBuf,
    /// The width of a pointer; the core's must be the same.
    #[serde(default)]
    pub bits: u32,
    /// A build without the GIL, whose ABI the core was not built for.
    #[serde(default)]
    pub free_threaded: bool,
    #[serde(default)]
    pub has_pip: bool,
    /// The distribution forbids `pip install` into it (PEP 668).
    #[serde(default)]
    pub externally_managed: bool,
    /// The variables of `sysconfig` that [`libpython`] reads.
    #[serde(default)]
    pub config: BTreeMap<String, Option<String>>,
    #[serde(default)]
    pub modules: BTreeMap<String, Module>,
    /// The shared library of this interpreter, when there is one.
    #[serde(default)]
    pub libpython: Option<PathBuf>,
}

impl Environment {
    /// Runs `python <package>/probe.py` and reads its answer.
    ///
    /// # Errors
    /// The interpreter does not run, does not answer within 30 s, or says something else.
    pub fn probe(python: &Path, package: &Path) -> Result<Self, LaunchError> {
        let failed = |reason: String| LaunchError::ProbeFailed {
            path: python.to_owned(),
            reason,
        };
        let script = package.join("probe.py");
        if !script.is_file() {
            return Err(LaunchError::NoPackage {
                looked: script.display().to_string(),
            });
        }
        let child = Command::new(python)
            .arg(&script)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let answer = wait(child, PROBE_LIMIT).map_err(failed)?;
        // A `.pth` file or sitecustomize may have printed before: the answer is the last line.
        let line = answer.stdout.trim_end().lines().next_back().unwrap_or_default();
        let mut environment: Self =
            serde_json::from_str(line).map_err(|_| failed(complaint(&answer.stderr)))?;
        if environment.executable.as_os_str().is_empty() {
            python.clone_into(&mut environment.executable);
        }
        environment.libpython = libpython::find(&environment);
        Ok(environment)
    }

    /// Whether there is debugpy. It is looked for beside IPython, too: it may have come since the interpreter was asked.
    #[must_use]
    pub fn has_debugger(&self) -> bool {
        let beside = || {
            let ipython = self.modules.get("IPython")?.origin.as_ref()?;
            Some(ipython.parent()?.parent()?.join("debugpy/__init__.py"))
        };
        let known = self
            .modules
            .get("debugpy")
            .and_then(|module| module.origin.clone());
        known.or_else(beside).is_some_and(|file| file.is_file())
    }

    /// The version of a module, when both are known.
    #[must_use]
    pub fn module_version(&self, module: &str) -> Option<&str> {
        self.modules.get(module)?.version.as_deref()
    }

    /// Whether drupe can run here.
    ///
    /// # Errors
    /// Not CPython, too old, a build that the core does not fit, or a module that is missing or too old.
    pub fn require_suitable(&self) -> Result<(), LaunchError> {
        let is_cpython = self.implementation == "cpython";
        if is_cpython && self.free_threaded {
            let (major, minor) = self.version_info;
            return Err(LaunchError::FreeThreaded {
                path: self.executable.clone(),
                version: self.version.clone(),
                with_gil: format!("python{major}.{minor}"),
            });
        }
        let fits = is_cpython && self.version_info >= MIN_PYTHON && self.bits == usize::BITS;
        if !fits {
            return Err(LaunchError::Unsuitable {
                path: self.executable.clone(),
                implementation: self.build_name(),
                version: self.version.clone(),
            });
        }
        let missing: Vec<Missing> = REQUIREMENTS
            .into_iter()
            .filter_map(|one| self.missing(one))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(LaunchError::MissingModules {
            path: self.executable.clone(),
            version: self.version.clone(),
            install: self.install_command(&missing),
            missing,
        })
    }

    /// `None` when the requirement is met. A module whose version nobody recorded is taken for good.
    fn missing(&self, requirement: Requirement) -> Option<Missing> {
        let found = self
            .modules
            .get(requirement.module)
            .map(|module| module.version.clone());
        match found {
            Some(None) => None,
            Some(Some(version)) if requirement.accepts(&version) => None,
            Some(found) => Some(Missing { requirement, found }),
            None => Some(Missing {
                requirement,
                found: None,
            }),
        }
    }

    fn build_name(&self) -> String {
        let name = if self.implementation == "cpython" {
            "Python"
        } else {
            &self.implementation
        };
        match self.bits {
            bits if bits != 0 && bits != usize::BITS => format!("{bits}-bit {name}"),
            _ => name.to_owned(),
        }
    }

    /// The command that brings what is missing, as it is typed.
    fn install_command(&self, missing: &[Missing]) -> String {
        let Some(words) = self.installer(missing) else {
            let wanted: Vec<String> = missing
                .iter()
                .map(|one| quoted(&one.requirement.text()))
                .collect();
            return format!(
                "this Python is its distribution's own, so make an environment: \
                 {python} -m venv ENV && ENV/bin/python -m pip install {wanted} && \
                 drupe install --replace --python ENV/bin/python",
                python = self.executable.display(),
                wanted = wanted.join(" ")
            );
        };
        let words: Vec<String> = words.iter().map(|word| quoted(&word.to_string_lossy())).collect();
        words.join(" ")
    }

    /// The program and its arguments that bring what is missing: pip where there is one, uv where not. `None` where the distribution
    /// forbids both.
    #[must_use]
    pub fn installer(&self, missing: &[Missing]) -> Option<Vec<OsString>> {
        if self.externally_managed && self.prefix == self.base_prefix {
            return None;
        }
        let python = self.executable.clone().into_os_string();
        let mut words: Vec<OsString> = if self.has_pip {
            vec![python, "-m".into(), "pip".into(), "install".into()]
        } else {
            ["uv", "pip", "install", "--python"]
                .into_iter()
                .map(OsString::from)
                .chain([python])
                .collect()
        };
        words.extend(missing.iter().map(|one| one.requirement.text().into()));
        Some(words)
    }

    /// Whether it is one of those that `uv run --with` makes for the time of a command.
    #[must_use]
    pub fn is_overlay(&self) -> bool {
        let about = std::fs::read_to_string(self.prefix.join("pyvenv.cfg")).unwrap_or_default();
        about.lines().any(|line| {
            line.split_once('=')
                .is_some_and(|(key, _)| key.trim() == "extends-environment")
        })
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

struct Answer {
    stdout: String,
    stderr: String,
}

/// Waits for the probe, for `at_most` in all.
fn wait(mut child: Child, at_most: Duration) -> Result<Answer, String> {
    let until = Instant::now() + at_most;
    let mut stderr = child.stderr.take();
    let mut stdout = child.stdout.take();
    let (sender, receiver) = mpsc::channel();
    // Two pipes, two readers: a full one must not stop the other. They end with the probe, nobody joins them.
    let errors = sender.clone();
    std::thread::spawn(move || {
        let text = stderr.as_mut().map(read_all).unwrap_or_default();
        let _ = errors.send((false, text));
    });
    std::thread::spawn(move || {
        let text = stdout.as_mut().map(read_all).unwrap_or_default();
        let _ = sender.send((true, text));
    });
    let mut answer = Answer {
        stdout: String::new(),
        stderr: String::new(),
    };
    for _ in 0..2 {
        match receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok((true, text)) => answer.stdout = text,
            Ok((false, text)) => answer.stderr = text,
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("it did not answer within {} s", at_most.as_secs()));
            }
        }
    }
    let _ = child.wait();
    Ok(answer)
}

/// PYTHONHOME, which leads an interpreter to another standard library than its own, or to none: what a record says of it
/// need not hold any more.
pub(super) fn python_home() -> Option<OsString> {
    std::env::var_os("PYTHONHOME").filter(|home| !home.is_empty())
}

/// The one line of a failed program's stderr that says most: CPython's own last words, the last of a traceback, else the first.
fn complaint(stderr: &str) -> String {
    let mut lines = stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let fatal = stderr
        .find("Fatal Python error")
        .and_then(|at| stderr[at..].lines().next());
    let line = if fatal.is_some() {
        fatal
    } else if stderr.contains("Traceback") {
        lines.next_back()
    } else {
        lines.next()
    };
    line.unwrap_or("its answer makes no sense").to_owned()
}

fn read_all(pipe: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    let _ = pipe.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The digits that `text` begins with: 0 for `dev`, 2 for `2rc1`.
fn leading_number(text: &str) -> u32 {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    text.get(..digits)
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_for_both_pipes_together() {
        let script = "sleep 0.8; exec >&-; exec sleep 10";
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let began = Instant::now();
        let answer = wait(command.spawn().expect("a shell"), Duration::from_secs(1));
        let took = began.elapsed();
        assert_eq!(answer.err().as_deref(), Some("it did not answer within 1 s"));
        assert!(took < Duration::from_millis(1500), "{took:?}");
    }

    #[test]
    fn versions_are_numbers_not_text() {
        let ipython = REQUIREMENTS[0];
        for version in ["8.18", "8.18.1", "8.37.0", "9.0.0b1", "10"] {
            assert!(ipython.accepts(version), "{version}");
        }
        for version in ["8.9.0", "7.34.0", "8.17.2", "", "unknown"] {
            assert!(!ipython.accepts(version), "{version}");
        }
    }
}
