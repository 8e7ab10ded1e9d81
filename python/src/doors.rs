//! The two doors. The launcher loads this library and calls [`drupe_core_main`], which starts the io thread and then runs
//! Python on the main thread; `python -m drupe` imports it as a module and calls `start`. Either way the io thread is first.

use std::ffi::{CString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use drupe::cli::flags;
use drupe::launch::LaunchConfig;
use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;

use crate::boot::{self, Known, complain, end, start_io};

/// The exit status for a wrong environment or wrong usage.
const USAGE: c_int = 2;

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
        debugger: config.debugger,
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

fn run_python(python: &Path, package: &Path) -> c_int {
    let mut arguments: Vec<PathBuf> = vec![python.to_owned(), package.join("__main__.py")];
    if let Some(file) = boot::options().and_then(|options| options.connection_file.clone()) {
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
    if boot::options().is_some() {
        return Ok(());
    }
    let started = flags::parse(&argv)
        .map_err(|error| error.to_string())
        .and_then(|options| {
            let version = Python::version_str().split_whitespace().next().map(str::to_owned);
            let known = Known {
                version,
                ipython: None,
                debugger: false,
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

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(start, module)?)
}
