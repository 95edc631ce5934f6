//! A project on disk, and its home: the files the compiler reads, the variables kept between runs.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use sequor_planner::{Compiler, Diagnostics, File, ProjectFiles, did_you_mean};

use crate::error::{Error, ErrorKind, Result};
use crate::state::read_file;
use crate::value::Value;

/// Where a project and its state are.
#[derive(Debug, Clone)]
pub struct Location {
    pub project: PathBuf,
    pub home: PathBuf,
    /// The environment asked for on the command line.
    pub env: Option<String>,
}

/// A project's files, read.
pub struct Project {
    pub files: ProjectFiles,
    /// The environment in use.
    pub env: Option<String>,
    location: Location,
}

impl Location {
    /// Returns a project in a folder, with the home `~/.sequor`.
    pub fn of(project: impl Into<PathBuf>) -> Location {
        Location {
            project: project.into(),
            home: std::env::home_dir().unwrap_or_default().join(".sequor"),
            env: None,
        }
    }

    /// Returns the file of an environment.
    pub fn env_file(&self, env: &str) -> PathBuf {
        self.home.join("envs").join(format!("{env}.yaml"))
    }

    fn file(&self, relative: &str) -> Result<File> {
        let path = self.project.join(relative);
        let text = std::fs::read_to_string(&path).map_err(|e| unreadable(&path, &e))?;
        Ok(File {
            path: relative.into(),
            text,
        })
    }

    /// `--env`, else the project's `env.yaml`, else `SEQUOR_ENV`, else none.
    fn environment(&self) -> Result<Option<String>> {
        if self.env.is_some() {
            return Ok(self.env.clone());
        }
        let path = self.project.join("env.yaml");
        if path.is_file() {
            let file = self.file("env.yaml")?;
            let mut d = Diagnostics::default();
            let env = sequor_planner::syntax::read_default_env(&file.path, &file.text, &mut d);
            if let Some(found) = d.into_sorted().first() {
                let error = Error::new(ErrorKind::Project, format!("env.yaml: {}", found.message));
                return Err(match &found.place {
                    Some(place) => error.at(place),
                    None => error,
                });
            }
            if env.is_some() {
                return Ok(env);
            }
        }
        Ok(std::env::var("SEQUOR_ENV").ok().filter(|env| !env.is_empty()))
    }

    fn no_environment(&self, env: &str, path: &Path, error: &std::io::Error) -> Error {
        if error.kind() != std::io::ErrorKind::NotFound {
            return unreadable(path, error);
        }
        let mut names = Vec::new();
        let _ = yaml_files(&self.home.join("envs"), &mut names);
        let names: Vec<String> = names
            .iter()
            .filter_map(|p| Some(p.file_stem()?.to_string_lossy().into_owned()))
            .collect();
        let near = did_you_mean(env, "environments", names.iter().map(String::as_str));
        let message = format!(
            "there is no environment `{env}` ({} does not exist)",
            path.display()
        );
        Error::new(ErrorKind::Project, message)
            .help(near.unwrap_or_else(|| format!("make it: sequor env init {env}")))
    }
}

impl Project {
    /// Reads all files of a project. Mistakes in them are the compiler's to tell.
    ///
    /// # Errors
    /// No project in the folder, no such environment, files that can't be read.
    pub fn open(location: &Location) -> Result<Project> {
        let mut project = Project::open_bare(location)?;
        project.env = location.environment()?;
        if let Some(env) = &project.env {
            let path = location.env_file(env);
            let text = std::fs::read_to_string(&path).map_err(|e| location.no_environment(env, &path, &e))?;
            project.files.environment = Some(File {
                path: path.to_string_lossy().into(),
                text,
            });
        }
        Ok(project)
    }

    /// Reads all files of a project for a dry run: an environment that is not there is none. The second is its name.
    ///
    /// # Errors
    /// As [`Project::open`]; an environment of the command line that is not there.
    pub fn open_dry(location: &Location) -> Result<(Project, Option<String>)> {
        let missing = location
            .environment()?
            .filter(|env| !location.env_file(env).exists());
        match missing.filter(|_| location.env.is_none()) {
            Some(missing) => Ok((Project::open_bare(location)?, Some(missing))),
            None => Ok((Project::open(location)?, None)),
        }
    }

    /// Reads all files of a project, and no environment.
    ///
    /// # Errors
    /// As [`Project::open`].
    pub fn open_bare(location: &Location) -> Result<Project> {
        if !location.project.join("project.yaml").is_file() {
            return Err(Error::new(
                ErrorKind::Project,
                format!("there is no project.yaml in {}", location.project.display()),
            )
            .help("run in a project's folder, name it with --project-dir, or make one: sequor init DIR"));
        }
        let mut files = ProjectFiles {
            project: Some(location.file("project.yaml")?),
            ..ProjectFiles::default()
        };
        for (folder, into) in [("flows", &mut files.flows), ("sources", &mut files.sources)] {
            let root = location.project.join(folder);
            let mut found = Vec::new();
            yaml_files(&root, &mut found).map_err(|e| unreadable(&root, &e))?;
            found.sort();
            for path in found {
                let relative = path.strip_prefix(&root).unwrap_or(&path).with_extension("");
                let name: Vec<String> = relative
                    .components()
                    .map(|c| c.as_os_str().to_string_lossy().into_owned())
                    .collect();
                let shown = path
                    .strip_prefix(&location.project)
                    .unwrap_or(&path)
                    .to_string_lossy()
                    .replace('\\', "/");
                into.insert(name.join("/"), location.file(&shown)?);
            }
        }
        Ok(Project {
            files,
            env: None,
            location: location.clone(),
        })
    }

    /// Returns the project with one more flow, which no file holds.
    pub fn with_flow(&self, name: &str, text: &str) -> Project {
        let mut files = self.files.clone();
        let file = File {
            path: format!("flows/{name}.yaml").into(),
            text: text.to_string(),
        };
        files.flows.insert(name.to_string(), file);
        Project {
            files,
            env: self.env.clone(),
            location: self.location.clone(),
        }
    }

    /// Adds the YAML files below a folder; one that is not there has none.
    ///
    /// # Errors
    /// A folder that can't be read.
    pub fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
        yaml_files(folder, found).map_err(|e| unreadable(folder, &e))
    }

    /// Returns the project's folder: paths in its files are relative to it.
    pub fn folder(&self) -> &Path {
        &self.location.project
    }

    /// Returns the folder of a project's state.
    pub fn state(&self, name: &str) -> PathBuf {
        self.location.home.join("project_state").join(name)
    }

    /// Returns the log file.
    pub fn log(&self) -> PathBuf {
        self.location.home.join("logs").join("sequor.log")
    }

    /// Returns the variables kept from earlier runs; none where a database keeps them.
    pub fn kept_variables(&self, compiler: &Compiler) -> Result<IndexMap<String, Value>> {
        match compiler.project.state.source {
            Some(_) => Ok(IndexMap::new()),
            None => read_file(&self.variables_file(compiler)),
        }
    }

    /// Returns the file of the variables that are kept.
    pub fn variables_file(&self, compiler: &Compiler) -> PathBuf {
        self.state(&compiler.project.name).join("variables.yaml")
    }
}

fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            yaml_files(&path, found)?;
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            found.push(path);
        }
    }
    Ok(())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::new(
        ErrorKind::Project,
        format!("{} can't be read: {error}", path.display()),
    )
}

/// Writes a file as a whole or not at all: a crash leaves the old or the new one.
pub fn replace_file(path: &Path, text: &str) -> Result<()> {
    let mut draft = path.as_os_str().to_os_string();
    draft.push(format!(".{}", std::process::id()));
    let draft = PathBuf::from(draft);
    std::fs::write(&draft, text).map_err(|e| unwritable(path, &e))?;
    std::fs::rename(&draft, path).map_err(|e| unwritable(path, &e))
}

fn unwritable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Io,
        format!("{} can't be written: {error}", path.display()),
    )
}
