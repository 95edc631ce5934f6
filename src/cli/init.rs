//! `sequor init` and `sequor env init`.

use std::path::Path;

use sequor_planner::did_you_mean;

use super::context::Context;
use super::templates::{STARTER, TEMPLATES};
use crate::error::{Error, ErrorKind, Exit, Result};

/// Makes a project with a flow and tests that pass: that of a template, or one to begin with.
pub fn project(folder: &Path, template: Option<&str>) -> Result<Exit> {
    let template = match template {
        None => &STARTER,
        Some(name) => TEMPLATES
            .iter()
            .find(|known| known.name == name)
            .ok_or_else(|| unknown(name))?,
    };
    if folder.join("project.yaml").exists() {
        return Err(Error::new(
            ErrorKind::Project,
            format!("{} is a project already", folder.display()),
        ));
    }
    if let Some((taken, _)) = template.files.iter().find(|(file, _)| folder.join(file).exists()) {
        let message = format!("{} exists already", folder.join(taken).display());
        return Err(Error::new(ErrorKind::Project, message).help("make the project in another folder"));
    }
    let name = project_name(folder)?;
    for (file, text) in template.files {
        let text = match *file {
            "project.yaml" => format!("name: {name}\nversion: \"1.0\"\n"),
            _ => (*text).to_string(),
        };
        write_new(&folder.join(file), &text)?;
    }
    let flow = template.flow;
    let run = match template.recording {
        Some(recording) => format!("run {flow} --dry-run --offline --replay {recording}"),
        None => format!("plan {flow}"),
    };
    crate::report::out(format!(
        "Made {}: {}.\nTry it:\n  cd {0}\n  sequor test\n  sequor {run}",
        folder.display(),
        template.what,
    ));
    Ok(Exit::Done)
}

fn unknown(name: &str) -> Error {
    let names: Vec<&str> = TEMPLATES.iter().map(|known| known.name).collect();
    let near = did_you_mean(name, "templates", names.iter().copied());
    let error = Error::new(ErrorKind::Project, format!("there is no template `{name}`"));
    error.help(near.unwrap_or_else(|| format!("there are {}", names.join(", "))))
}

/// The name of the project in a folder.
fn project_name(folder: &Path) -> Result<String> {
    let absolute = std::path::absolute(folder)?;
    let name = absolute
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    let fits = |c: char| if c.is_alphanumeric() || c == '-' { c } else { '_' };
    let name: String = name.chars().map(fits).collect();
    Ok(if name.is_empty() {
        "my_project".to_string()
    } else {
        name
    })
}

/// Makes an environment's file.
pub fn environment(context: &Context, name: &str) -> Result<Exit> {
    if name.is_empty() || name.contains(['/', '\\', '.']) {
        return Err(Error::new(
            ErrorKind::Project,
            format!("`{name}` can't be an environment's name"),
        ));
    }
    let path = context.location.env_file(name);
    write_new(
        &path,
        "# Variables of this environment: {{ var('name') }} in flows and sources.\nvariables:\n",
    )?;
    crate::report::out(format!(
        "Made {}.\nUse it with --env {name}, or `env: {name}` in the project's env.yaml.",
        path.display()
    ));
    Ok(Exit::Done)
}

/// Writes a file that is not there yet.
fn write_new(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    let failed = |e: std::io::Error| {
        let what = match e.kind() {
            std::io::ErrorKind::AlreadyExists => "exists already".to_string(),
            _ => format!("can't be written: {e}"),
        };
        Error::new(ErrorKind::Project, format!("{} {what}", path.display()))
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}
