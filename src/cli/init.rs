//! `sequor init` and `sequor env init`.

use std::path::Path;

use super::context::Context;
use crate::error::{Error, ErrorKind, Exit, Result};

const FLOW: &str = r#"# A flow is a list of steps. Run it: sequor run hello
- op: print
  message: "Hello from {{ var('who') }}"

- op: execute
  id: fill
  source: stage
  statement: |
    create or replace table greetings as select 'hello' as word, 1 as times

- op: print
  message_expression: |
    word = query('stage', 'select word, times from greetings')[0]
    return f"staging says {word['word']}"
"#;

/// Makes a project that runs as it is.
pub fn project(folder: &Path) -> Result<Exit> {
    if folder.join("project.yaml").exists() {
        return Err(Error::new(
            ErrorKind::Project,
            format!("{} is a project already", folder.display()),
        ));
    }
    let absolute = std::path::absolute(folder)?;
    let name = absolute
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    let name: String = name
        .chars()
        .map(|c| if c.is_alphanumeric() || c == '-' { c } else { '_' })
        .collect();
    let name = if name.is_empty() {
        "my_project".to_string()
    } else {
        name
    };
    for (file, text) in [
        ("project.yaml", format!("name: {name}\nversion: \"1.0\"\n")),
        (
            "flows/hello.yaml",
            FLOW.replace("var('who')", "env_var('USER', 'sequor')"),
        ),
        (
            "sources/stage.yaml",
            "# The embedded database: needs no server.\ntype: staging\n".to_string(),
        ),
    ] {
        write_new(&folder.join(file), &text)?;
    }
    crate::report::out(format!(
        "Made {}.\nTry it:\n  cd {0}\n  sequor plan hello\n  sequor run hello",
        folder.display()
    ));
    Ok(Exit::Done)
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
