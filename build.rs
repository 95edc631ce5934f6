//! Makes the binary find, when it runs, the Python library it was linked with.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    pyo3_build_config::use_pyo3_cfgs();
    if std::env::var_os("CARGO_FEATURE_EMBED").is_none() {
        // The interpreter is the process's own.
        return;
    }
    // The rpath goes into every artefact of this package: binary, tests and benches.
    pyo3_build_config::add_libpython_rpath_link_args();
    let config = pyo3_build_config::get();
    println!(
        "cargo:rustc-env=SEQUOR_PYTHON_VERSION={}.{}",
        config.version().major,
        config.version().minor
    );
    if let Some(python) = config.executable() {
        println!("cargo:rustc-env=SEQUOR_BUILD_PYTHON={python}");
    }
}
