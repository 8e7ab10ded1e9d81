//! The kernel of this process: its start, which needs no Python, and the handle that the rest of this crate finds it by. Both
//! doors (`doors.rs`) come here.

use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use drupe::kernel::{self, Handle, KernelConfig};
use drupe::options::RunOptions;
use pyo3::PyErr;
use pyo3::exceptions::PyRuntimeError;

use crate::interpreter::Cpython;
use crate::{capture, fork, interrupt, ladder, log};

/// The kernel of this process.
struct Core {
    handle: Arc<Handle>,
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

/// Its options as given, with the connection file that is really used; once it is started.
pub fn options() -> Option<&'static RunOptions> {
    CORE.get().map(|core| &core.options)
}

/// What is known before Python is up.
pub struct Known {
    pub version: Option<String>,
    pub ipython: Option<String>,
    /// The environment has debugpy, as far as is known.
    pub debugger: bool,
    /// The interpreter's executable.
    pub python: PathBuf,
    pub before_python: bool,
}

/// Start the io thread: from here on the kernel answers.
pub fn start_io(mut options: RunOptions, known: Known) -> Result<(), String> {
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
    let interpreter = Cpython::new()?;
    let config = KernelConfig {
        connection_file: options.connection_file.clone(),
        ip: options.ip.clone(),
        transport: options.transport.clone(),
        shutdown_timeout: options.shutdown_timeout,
        language_version: known.version,
        ipython_version: known.ipython,
        debugger: known.debugger,
        subshells: (!options.no_subshells).then(|| options.comms.unwrap_or_default()),
        types: options.lsp_types.unwrap_or_default(),
        tools: known.python.parent().map(Path::to_owned).into_iter().collect(),
    };
    let started = kernel::start(config, Arc::new(interpreter)).map_err(|error| error.to_string())?;
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

/// One line on the real stderr.
pub fn complain(message: &str) {
    let [_, stderr] = capture::keep_real();
    fork::write_all(stderr, format!("drupe: {message}\n").as_bytes());
}

/// Have the io thread end the process with this status, after it has answered whom it must.
pub fn end(status: c_int) -> ! {
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
