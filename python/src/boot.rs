//! The two doors, and what stands behind both: the io thread first, Python second.

use std::ffi::{CString, c_char, c_int};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use drupe::cli::flags;
use drupe::interpreter::Interpreter;
use drupe::kernel::{self, Handle, KernelConfig};
use drupe::launch::LaunchConfig;
use drupe::lifecycle::Turn;
use drupe::options::RunOptions;
use drupe::os::descriptor;
use pyo3::exceptions::{PyRuntimeError, PySystemExit, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::{capture, fork, inspect, interrupt, ladder, log};

/// The kernel of this process.
struct Core {
    handle: Arc<Handle>,
    /// As given, with the connection file that is really used.
    options: RunOptions,
}

static CORE: OnceLock<Core> = OnceLock::new();

/// The kernel of this process, once it is started.
pub fn handle() -> Option<&'static Arc<Handle>> {
    CORE.get().map(|core| &core.handle)
}

/// For calls that need the kernel and find none.
pub fn not_started() -> PyErr {
    PyRuntimeError::new_err(
        "the kernel is not started in this process: run `drupe -f` or `python -m drupe -f`",
    )
}

/// The exit status for a wrong environment or wrong usage.
const USAGE: c_int = 2;

/// The interpreter as the io thread sees it: signals and helper threads, never the GIL.
struct Cpython {
    /// A file in memory that `faulthandler` writes the stacks to.
    stacks: File,
}

static STACKS_FD: OnceLock<i32> = OnceLock::new();
/// Set when the stack signal has a handler; before that it would end the process.
static STACKS_READY: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

impl Interpreter for Cpython {
    fn interrupt(&self) {
        interrupt::interrupt();
    }

    fn wake_main(&self) {
        interrupt::wake_main();
    }

    fn interrupt_main(&self) {
        interrupt::interrupt_main();
    }

    fn teardown_from_helper(&self, turn: Turn) {
        ladder::spawn_helper(turn);
    }

    fn request_stacks(&self) {
        if STACKS_READY.load(std::sync::atomic::Ordering::Acquire) {
            interrupt::request_stacks();
        }
    }

    fn ask(&self, question: &[u8]) -> Option<Vec<u8>> {
        inspect::ask(question)
    }

    fn stacks(&self) -> String {
        let mut text = vec![0; 64 << 10];
        let count = self.stacks.read_at(&mut text, 0).unwrap_or(0);
        text.truncate(count);
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// What is known before Python is up.
struct Known {
    version: Option<String>,
    ipython: Option<String>,
    /// The interpreter's executable.
    python: PathBuf,
    before_python: bool,
}

/// Start the io thread: from here on the kernel answers.
fn start_io(mut options: RunOptions, known: Known) -> Result<(), String> {
    let [_, real_stderr] = capture::keep_real();
    log::start(
        options.logfile.as_deref(),
        options.log_level.as_deref(),
        real_stderr,
    );
    for argument in &options.unknown {
        tracing::info!("the argument {argument:?} means nothing to drupe and is ignored");
    }
    log_panics();
    interrupt::prepare(known.before_python);
    fork::watch();
    let stacks = descriptor::memory_file("drupe-stacks");
    let stacks = stacks.map_err(|error| format!("no memory for a file of stacks: {error}"))?;
    let _ = STACKS_FD.set(stacks.as_raw_fd());
    let config = KernelConfig {
        connection_file: options.connection_file.clone(),
        ip: options.ip.clone(),
        transport: options.transport.clone(),
        shutdown_timeout: options.shutdown_timeout,
        language_version: known.version,
        ipython_version: known.ipython,
        types: options.lsp_types,
        tools: known.python.parent().map(Path::to_owned).into_iter().collect(),
    };
    let started = kernel::start(config, Arc::new(Cpython { stacks })).map_err(|error| error.to_string())?;
    if options.connection_file.is_none() && !options.quiet {
        let name = started
            .connection_file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        complain(&format!(
            "a kernel is running; to connect another client: jupyter console --existing {name}"
        ));
    }
    options.connection_file = Some(started.connection_file);
    let _ = CORE.set(Core {
        handle: started.handle,
        options,
    });
    Ok(())
}

/// A panic is a line in the log. The usual hook writes to fd 2, which is a cell's output.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        tracing::error!(
            "the thread {} panicked: {panic}",
            thread.name().unwrap_or("without a name")
        );
    }));
}

/// The launcher's door. `config` points to `len` bytes of JSON, a [`LaunchConfig`]. Returns an exit status, and only
/// where the kernel could not be started.
///
/// # Safety
/// `config` must be readable for `len` bytes. Call it once, on the process's main thread, with libpython loaded and
/// not initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drupe_core_main(config: *const u8, len: usize) -> c_int {
    // SAFETY: the caller's promise.
    let config = unsafe { std::slice::from_raw_parts(config, len) };
    std::panic::catch_unwind(|| core_main(config)).unwrap_or(1)
}

fn core_main(config: &[u8]) -> c_int {
    let config: LaunchConfig = match serde_json::from_slice(config) {
        Ok(config) => config,
        Err(error) => return usage(&format!("the launcher and the core do not fit together: {error}")),
    };
    let known = Known {
        version: Some(config.version.clone()),
        ipython: config.ipython_version.clone(),
        python: config.python.clone(),
        before_python: true,
    };
    if let Err(message) = start_io(config.options, known) {
        return usage(&message);
    }
    let status = run_python(&config.python, &config.package);
    // Python came back: it could not start, and has said why.
    end(status)
}

fn usage(message: &str) -> c_int {
    complain(message);
    USAGE
}

/// One line on the real stderr.
fn complain(message: &str) {
    let [_, stderr] = capture::keep_real();
    fork::write_all(stderr, format!("drupe: {message}\n").as_bytes());
}

/// Have the io thread end the process with this status, after it has answered whom it must.
fn end(status: c_int) -> ! {
    if let Some(handle) = handle() {
        handle.start_failed(
            u8::try_from(status)
                .ok()
                .filter(|status| *status != 0)
                .unwrap_or(1),
        );
    }
    ladder::park()
}

fn run_python(python: &Path, package: &Path) -> c_int {
    let mut arguments: Vec<PathBuf> = vec![python.to_owned(), package.join("__main__.py")];
    if let Some(file) = CORE.get().and_then(|core| core.options.connection_file.clone()) {
        arguments.extend(["-f".into(), file]);
    }
    let strings: Result<Vec<CString>, _> = arguments
        .iter()
        .map(|argument| CString::new(argument.as_os_str().as_bytes()))
        .collect();
    let Ok(strings) = strings else {
        complain("a path contains a zero byte");
        return USAGE;
    };
    let mut argv: Vec<*mut c_char> = strings.iter().map(|string| string.as_ptr().cast_mut()).collect();
    argv.push(std::ptr::null_mut());
    let argc = c_int::try_from(strings.len()).unwrap_or(c_int::MAX);
    // SAFETY: a C argument vector that lives through the call, as a program's own main would pass it.
    unsafe { pyo3::ffi::Py_BytesMain(argc, argv.as_mut_ptr()) }
}

/// The other door: `python -m drupe`. Does nothing where the launcher has started the kernel already. Wrong usage
/// is said in one message, and the exit status is 2.
#[pyfunction]
fn start(py: Python<'_>, argv: Vec<String>) -> PyResult<()> {
    if CORE.get().is_some() {
        return Ok(());
    }
    let started = flags::parse(&argv)
        .map_err(|error| error.to_string())
        .and_then(|options| {
            let version = Python::version_str().split_whitespace().next().map(str::to_owned);
            let known = Known {
                version,
                ipython: None,
                python: executable(py),
                before_python: false,
            };
            py.detach(|| start_io(options, known))
        });
    started.map_err(|message| PySystemExit::new_err(usage(&message)))
}

fn executable(py: Python<'_>) -> PathBuf {
    let path = py
        .import("sys")
        .and_then(|sys| sys.getattr("executable")?.extract());
    path.unwrap_or_default()
}

/// The options as JSON.
#[pyfunction]
fn config(py: Python<'_>) -> PyResult<Bound<'_, PyBytes>> {
    let core = CORE.get().ok_or_else(not_started)?;
    let json = serde_json::to_vec(&core.options).map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(PyBytes::new(py, &json))
}

/// Python is up: requests are handed over from now on. `info` is a JSON object with any of `banner`,
/// `language_version` and `ipython_version`.
#[pyfunction]
fn ready(py: Python<'_>, info: &[u8]) -> PyResult<()> {
    let core = CORE.get().ok_or_else(not_started)?;
    let info: serde_json::Value =
        serde_json::from_slice(info).map_err(|error| PyValueError::new_err(error.to_string()))?;
    watch_stacks(py)?;
    if !(core.options.no_stdout || core.options.no_stderr) {
        capture::start(&core.handle)?;
    }
    core.handle.ready(|known| known.update(&info));
    Ok(())
}

/// User code has just set SIGTERM by `signal.signal`, to a handler of its own or to none: the kernel hears of the signal
/// all the same. See `drupe/sigterm.py`.
#[pyfunction]
fn share_sigterm(py: Python<'_>, users: bool) -> PyResult<()> {
    let core = CORE.get().ok_or_else(not_started)?;
    py.detach(|| core.handle.share_sigterm(users));
    Ok(())
}

/// From now on the stack signal makes `faulthandler` write all stacks, with or without the GIL.
fn watch_stacks(py: Python<'_>) -> PyResult<()> {
    let kwargs = pyo3::types::PyDict::new(py);
    kwargs.set_item("file", STACKS_FD.get().copied().unwrap_or(2))?;
    kwargs.set_item("all_threads", true)?;
    py.import("faulthandler")?
        .call_method("register", (interrupt::stack_signal(),), Some(&kwargs))?;
    STACKS_READY.store(true, std::sync::atomic::Ordering::Release);
    Ok(())
}

/// Python could not be made ready: say why, once, and end with a status that says so.
#[pyfunction]
#[pyo3(signature = (message, status=2))]
fn failed(py: Python<'_>, message: &str, status: u8) -> PyResult<()> {
    complain(message);
    py.detach(|| end(c_int::from(status)))
}

/// Duplicates of the descriptors 1 and 2 that the process was started with.
#[pyfunction]
fn stdio_fds() -> (i32, i32) {
    let [out, err] = capture::keep_real();
    (out, err)
}

/// A line for drupe's log.
#[pyfunction]
#[pyo3(name = "log")]
fn log_line(level: &str, message: &str) {
    match level {
        "error" | "critical" => tracing::error!(target: "drupe::python", "{message}"),
        "warning" => tracing::warn!(target: "drupe::python", "{message}"),
        "info" => tracing::info!(target: "drupe::python", "{message}"),
        _ => tracing::debug!(target: "drupe::python", "{message}"),
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(start, module)?)?;
    module.add_function(wrap_pyfunction!(config, module)?)?;
    module.add_function(wrap_pyfunction!(ready, module)?)?;
    module.add_function(wrap_pyfunction!(failed, module)?)?;
    module.add_function(wrap_pyfunction!(share_sigterm, module)?)?;
    module.add_function(wrap_pyfunction!(stdio_fds, module)?)?;
    module.add_function(wrap_pyfunction!(log_line, module)?)
}
