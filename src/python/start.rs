//! Starts the interpreter that the binary is linked with, with the packages of the user's virtualenv.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use pyo3::ffi;

use crate::error::{Error, ErrorKind, Result};

/// The interpreter at build time: its library is the one linked.
const BUILD_PYTHON: Option<&str> = option_env!("SEQUOR_BUILD_PYTHON");
const VERSION: &str = env!("SEQUOR_PYTHON_VERSION");

/// The program that the interpreter takes itself for: its standard library and site-packages are found from there.
/// An active virtualenv of the same version wins; a `python3` that just happens to be first in PATH does not.
fn program() -> Option<PathBuf> {
    let environment = std::env::var_os("VIRTUAL_ENV").map(PathBuf::from).filter(|env| {
        let versioned = env.join("lib").join(format!("python{VERSION}"));
        versioned.is_dir()
    });
    environment
        .map(|env| env.join("bin").join("python3"))
        .filter(|python| python.exists())
        .or_else(|| BUILD_PYTHON.map(PathBuf::from).filter(|p| Path::new(p).exists()))
}

/// Held while the interpreter starts: the process has one, and several sessions may want it at the same time.
static STARTING: Mutex<()> = Mutex::new(());

/// Initializes the interpreter, once per process.
///
/// Signals stay ours: an interrupt must stop the run in order, not raise in whatever Python does.
#[allow(unsafe_code)]
pub fn initialize() -> Result<()> {
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: one thread at a time starts the interpreter, before anything else of Python is called; the
    // configuration is initialized by PyConfig_InitPythonConfig and cleared after use, as the C API asks for.
    unsafe {
        if ffi::Py_IsInitialized() != 0 {
            return Ok(());
        }
        let mut config = std::mem::MaybeUninit::<ffi::PyConfig>::zeroed();
        ffi::PyConfig_InitPythonConfig(config.as_mut_ptr());
        let config = config.as_mut_ptr();
        (*config).install_signal_handlers = 0;
        (*config).parse_argv = 0;
        let mut status = ffi::PyStatus_Ok();
        if let Some(program) = program()
            && let Ok(program) = CString::new(program.as_os_str().as_encoded_bytes())
        {
            status = ffi::PyConfig_SetBytesString(config, &raw mut (*config).program_name, program.as_ptr());
        }
        if ffi::PyStatus_Exception(status) == 0 {
            status = ffi::Py_InitializeFromConfig(config);
        }
        ffi::PyConfig_Clear(config);
        if ffi::PyStatus_Exception(status) != 0 {
            return Err(Error::new(
                ErrorKind::Python,
                format!("the Python interpreter (version {VERSION}) can't be started"),
            )
            .help("check PYTHONHOME and VIRTUAL_ENV, and that the Python used to build sequor is still installed"));
        }
        // The interpreter starts with its lock held; from here on it is taken for each visit.
        ffi::PyEval_SaveThread();
    }
    Ok(())
}
