//! Loads an interpreter's library and the core into this process, or becomes the interpreter.
//!
//! Called by [`super::run`], and by `drupe doctor` to see whether it would work. Nothing here initialises Python:
//! that is the core's doing. What was loaded is never unloaded, since threads may run in it until the process ends.

use std::error::Error;
use std::ffi::{CStr, c_char, c_int};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_LOCAL, RTLD_NOW};

use super::LaunchConfig;
use super::error::LaunchError;
use super::package::CORE;

/// The core's C entry: JSON bytes in, exit status out. Returns only when it gave up before Python ran.
type CoreMain = unsafe extern "C" fn(config: *const u8, len: usize) -> c_int;

/// A core that has been loaded and is ready to be called.
#[derive(Debug)]
pub struct Core {
    main: CoreMain,
}

impl Core {
    /// Hands this thread, which must be the process's main thread, over to the core.
    ///
    /// # Errors
    /// The configuration holds a path that JSON cannot carry.
    pub fn run(&self, config: &LaunchConfig) -> Result<c_int, LaunchError> {
        let bytes = serde_json::to_vec(config).map_err(|_| LaunchError::NotUtf8 {
            path: config.python.clone(),
        })?;
        // SAFETY: the symbol has this signature in every core (it is checked by name, and the core comes from the
        // folder that belongs to this binary); the bytes live until the call returns and the core only reads them.
        Ok(unsafe { (self.main)(bytes.as_ptr(), bytes.len()) })
    }
}

/// Loads `libpython`, checks that it is the library of `version`, and loads the core of `package`.
///
/// # Errors
/// A file that is missing or that the dynamic linker refuses, or a library of another Python.
pub fn open(libpython: &Path, package: &Path, version: &str) -> Result<Core, LaunchError> {
    let core_path = package.join(CORE);
    if !core_path.is_file() {
        return Err(LaunchError::NoCore { path: core_path });
    }
    // RTLD_GLOBAL: the core and every extension module take Python's symbols from the global scope, as they do in
    // a `python` that is linked statically.
    let found = library(libpython, RTLD_NOW | RTLD_GLOBAL)
        .and_then(version_of)
        .map_err(|reason| LaunchError::Libpython {
            path: libpython.to_owned(),
            reason,
        })?;
    if found != version {
        return Err(LaunchError::OtherLibpython {
            path: libpython.to_owned(),
            found,
            expected: version.to_owned(),
        });
    }
    let main = library(&core_path, RTLD_NOW | RTLD_LOCAL).and_then(|core| {
        // SAFETY: the core exports a function of this type under this name; both are built from one workspace.
        let main = unsafe { core.get(c"drupe_core_main") };
        main.map(|main| *main).map_err(reason)
    });
    match main {
        Ok(main) => Ok(Core { main }),
        Err(reason) => Err(LaunchError::Load {
            path: core_path,
            reason,
        }),
    }
}

/// Turns this process into `python <package>/__main__.py ARGS…`; returns only when that failed.
#[must_use]
pub fn exec_python(python: &Path, package: &Path, args: &[String]) -> LaunchError {
    let core = package.join(CORE);
    if !core.is_file() {
        return LaunchError::NoCore { path: core };
    }
    let error = Command::new(python)
        .arg(package.join("__main__.py"))
        .args(args)
        .exec();
    LaunchError::Exec {
        path: python.to_owned(),
        reason: error.to_string(),
    }
}

/// A library that stays until the process ends; or why there is none.
fn library(path: &Path, flags: c_int) -> Result<&'static Library, String> {
    // SAFETY: the library's constructors run, as they would in `python` itself; its destructors never do.
    let library = unsafe { Library::open(Some(path), flags) }.map_err(reason)?;
    Ok(Box::leak(Box::new(library)))
}

/// The first word of what `Py_GetVersion` says, which is allowed before Python is initialised.
fn version_of(library: &'static Library) -> Result<String, String> {
    type GetVersion = unsafe extern "C" fn() -> *const c_char;
    // SAFETY: `Py_GetVersion` takes nothing and returns a C string in every Python 3; it is in the stable ABI.
    let get_version = unsafe { library.get::<GetVersion>(c"Py_GetVersion") }.map_err(reason)?;
    // SAFETY: the documentation allows the call before initialisation.
    let text = unsafe { get_version() };
    if text.is_null() {
        return Err("Py_GetVersion said nothing".to_owned());
    }
    // SAFETY: not null, ends in NUL, and lies in static storage of a library that is never unloaded.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    Ok(text.split_whitespace().next().unwrap_or_default().to_owned())
}

/// What the dynamic linker has against a library or a symbol of it.
fn reason(error: libloading::Error) -> String {
    error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string)
}
