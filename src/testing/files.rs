//! The files of tests, found and read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sequor_planner::testing::{TestFile, read_tests};
use sequor_planner::{Diagnostics, did_you_mean};

use crate::engine::{Evaluator, Loaded, Project};
use crate::error::{Error, ErrorKind, Result};

/// The folder of tests, in the project.
pub const FOLDER: &str = "tests";

/// The tests of a project.
pub struct Suite {
    pub loaded: Loaded,
    pub files: Vec<TestFileText>,
    pub(super) evaluator: Arc<Evaluator>,
}

/// A file of tests, with its text.
pub struct TestFileText {
    /// Its path below `tests`, without `.yaml`.
    pub name: String,
    pub path: PathBuf,
    pub text: String,
    pub file: TestFile,
}

impl TestFileText {
    /// Returns the folder that it is in: paths in it begin there.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }
}

impl Suite {
    /// Reads the tests of a project: those of the files and folders with these names, or all. `d` gets what is wrong with them.
    ///
    /// # Errors
    /// Names that no file has; files that can't be read.
    pub fn read(loaded: &Loaded, names: &[String], d: &mut Diagnostics) -> Result<Suite> {
        let root = loaded.project.folder().join(FOLDER);
        let mut paths = Vec::new();
        Project::yaml_files(&root, &mut paths)?;
        paths.sort();
        let mut files = Vec::new();
        let mut known = Vec::new();
        let wanted: Vec<&str> = names.iter().map(|name| plain(name)).collect();
        let is_wanted = |name: &str, wanted: &str| {
            name == wanted
                || name
                    .strip_prefix(wanted)
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        for path in paths {
            let relative = path.strip_prefix(&root).unwrap_or(&path).with_extension("");
            let name = relative.to_string_lossy().replace('\\', "/");
            known.push(name.clone());
            if !wanted.is_empty() && !wanted.iter().any(|wanted| is_wanted(&name, wanted)) {
                continue;
            }
            let text = std::fs::read_to_string(&path).map_err(|e| {
                Error::new(
                    ErrorKind::Project,
                    format!("{} can't be read: {e}", path.display()),
                )
            })?;
            let shown = path.strip_prefix(loaded.project.folder()).unwrap_or(&path);
            let shown: Arc<str> = shown.to_string_lossy().replace('\\', "/").into();
            if let Some(file) = read_tests(&shown, &text, d) {
                files.push(TestFileText {
                    name,
                    path,
                    text,
                    file,
                });
            }
        }
        let unknown = wanted
            .iter()
            .find(|wanted| !known.iter().any(|name| is_wanted(name, wanted)));
        if let Some(unknown) = unknown {
            let near = did_you_mean(unknown, "files of tests", known.iter().map(String::as_str));
            let message = format!("there is no file of tests {FOLDER}/{unknown}.yaml");
            return Err(Error::new(ErrorKind::Project, message)
                .help(near.unwrap_or_else(|| "tests are picked by their names with -k".into())));
        }
        Ok(Suite {
            loaded: loaded.clone(),
            files,
            evaluator: Arc::default(),
        })
    }
}

/// A name as people complete it in shells: `tests/orders.yaml`.
fn plain(name: &str) -> &str {
    let name = name.trim_start_matches("./");
    let name = name.strip_prefix("tests/").unwrap_or(name);
    let name = name
        .strip_suffix(".yaml")
        .or_else(|| name.strip_suffix(".yml"))
        .unwrap_or(name);
    name.trim_end_matches('/')
}
