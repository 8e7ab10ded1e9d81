//! Loads an interpreter's library and the core into this process, or becomes the interpreter.
//!
//! Called by [`super::run`], and by `drupe doctor` to see whether it would work. Nothing here initialises Python:
//! that is the core's doing. What was loaded is never unloaded, since threads may run in it until the process ends.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

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
    let python = dlopen(libpython, libc::RTLD_NOW | libc::RTLD_GLOBAL)?;
    let found = library_version(libpython, python)?;
    if found != version {
        return Err(LaunchError::OtherLibpython {
            path: libpython.to_owned(),
            found,
            expected: version.to_owned(),
        });
    }
    let core = dlopen(&core_path, libc::RTLD_NOW | libc::RTLD_LOCAL)?;
    let symbol = dlsym(&core_path, core, c"drupe_core_main")?;
    // SAFETY: the core exports a function of this type under this name; both are built from one workspace.
    let main = unsafe { std::mem::transmute::<*mut c_void, CoreMain>(symbol) };
    Ok(Core { main })
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

/// The first word of what `Py_GetVersion` says, which is allowed before Python is initialised.
fn library_version(path: &Path, library: *mut c_void) -> Result<String, LaunchError> {
    type GetVersion = unsafe extern "C" fn() -> *const c_char;
    let symbol = dlsym(path, library, c"Py_GetVersion")?;
    // SAFETY: `Py_GetVersion` takes nothing and returns a C string in every Python 3; it is in the stable ABI.
    let get_version = unsafe { std::mem::transmute::<*mut c_void, GetVersion>(symbol) };
    // SAFETY: the documentation allows the call before initialisation.
    let text = unsafe { get_version() };
    if text.is_null() {
        let reason = "Py_GetVersion said nothing".to_owned();
        return Err(LaunchError::Load {
            path: path.to_owned(),
            reason,
        });
    }
    // SAFETY: not null, ends in NUL, and lies in static storage of a library that is never unloaded.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    Ok(text.split_whitespace().next().unwrap_or_default().to_owned())
}

fn dlopen(path: &Path, flags: c_int) -> Result<*mut c_void, LaunchError> {
    let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| LaunchError::Load {
        path: path.to_owned(),
        reason: "its path holds a NUL byte".to_owned(),
    })?;
    // SAFETY: the name is a C string. The library's constructors run, as they would in `python` itself.
    let library = unsafe { libc::dlopen(name.as_ptr(), flags) };
    if library.is_null() {
        return Err(LaunchError::Load {
            path: path.to_owned(),
            reason: last_error(),
        });
    }
    Ok(library)
}

fn dlsym(path: &Path, library: *mut c_void, name: &CStr) -> Result<*mut c_void, LaunchError> {
    // SAFETY: `library` came from `dlopen` and was never closed; the name is a C string.
    let symbol = unsafe { libc::dlsym(library, name.as_ptr()) };
    if symbol.is_null() {
        return Err(LaunchError::Load {
            path: path.to_owned(),
            reason: last_error(),
        });
    }
    Ok(symbol)
}

/// What the dynamic linker says about its last refusal, in this thread.
fn last_error() -> String {
    // SAFETY: returns a C string or null, valid until the next call of this family in this thread.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return "the dynamic linker gave no reason".to_owned();
    }
    // SAFETY: checked for null; it is a C string, and it is copied before anything else is called.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
