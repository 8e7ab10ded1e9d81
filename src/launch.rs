//! From a chosen interpreter to a running core: probe or record, `dlopen`, hand over.
//!
//! Called by `drupe run` and, for what they report, by `drupe install` and `drupe doctor`. Knows nothing of
//! kernels, sockets or messages. Must never set `PYTHONHOME` or `LD_LIBRARY_PATH` (they would leak into the
//! subprocesses of the user's code), never resolve the symbolic link of a virtual environment's `python` (the link
//! is what tells Python which environment it is), and never end the process itself.

mod cache;
pub mod choice;
pub mod environment;
pub mod error;
pub mod fingerprint;
pub mod libpython;
#[expect(unsafe_code, reason = "loads Python's library and the core, and calls them")]
pub mod load;
pub mod package;
pub mod record;

use std::ffi::c_int;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::options::RunOptions;
use choice::Asked;
pub use environment::Environment;
pub use error::LaunchError;
pub use record::Record;

/// What the launcher tells the core, as JSON, when it calls `drupe_core_main`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaunchConfig {
    /// The version of the `drupe` that loaded the core.
    pub launcher: String,
    /// The interpreter, its symbolic link not resolved: `argv[0]` for `Py_BytesMain`.
    pub python: PathBuf,
    /// The folder of the Python package, which holds `__main__.py` and the core.
    pub package: PathBuf,
    /// The library that was loaded for it.
    pub libpython: PathBuf,
    /// Python's version, such as `3.12.1`.
    pub version: String,
    /// IPython's version, from its metadata: IPython has not been imported.
    pub ipython_version: Option<String>,
    /// Whether the environment has debugpy, which has not been imported.
    pub debugger: bool,
    /// The kernel's arguments as they were given.
    pub args: Vec<String>,
    /// The same, parsed.
    pub options: RunOptions,
}

/// Runs the kernel in this process, and so mostly does not return.
///
/// Without a shared libpython, or with one that cannot be loaded or is not the interpreter's own, the process becomes
/// `python <package>/__main__.py ARGS…`, which runs the same core.
///
/// # Errors
/// No suitable Python, no package, or a core that cannot be loaded. `Ok` is the status of a core that gave up early.
pub fn run(args: &[String], options: RunOptions) -> Result<c_int, LaunchError> {
    let package = package::find()?;
    let choice = choice::choose(Asked {
        python: options.python.as_deref(),
        record: options.environment.as_deref(),
        prefix: options.prefix.as_deref(),
    })?;
    let environment = choice.resolve(&package)?;
    environment.require_suitable()?;
    let Some(libpython) = environment.libpython.clone() else {
        return Err(load::exec_python(&environment.executable, &package, args));
    };
    let config = LaunchConfig {
        launcher: env!("CARGO_PKG_VERSION").to_owned(),
        python: environment.executable.clone(),
        libpython: libpython.clone(),
        version: environment.version.clone(),
        ipython_version: environment.module_version("IPython").map(str::to_owned),
        debugger: environment.has_debugger(),
        args: args.to_vec(),
        options,
        package,
    };
    match load::open(&libpython, &config.package, &config.version) {
        Ok(core) => core.run(&config),
        Err(error) if error.leaves_the_second_door() => {
            Err(load::exec_python(&config.python, &config.package, args))
        }
        Err(error) => Err(error),
    }
}
