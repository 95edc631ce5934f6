//! Runs a case and writes down what came out.

use std::fmt::Write;
use std::process::Command;

use super::api;
use super::case::Case;
use crate::support::program::Project;
use crate::support::server::{Asked, Server};
use crate::support::state::{Stage, tables, variables};

/// What comes out of a case.
pub fn of(case: &Case, stage: &Stage) -> String {
    let server = api::start(&case.api);
    let source = stage.source();
    let project = Project::new()
        .file("project.yaml", "name: corpus\n")
        .file("sources/stage.yaml", &source)
        .file(
            "sources/api.yaml",
            "type: http\nbase_url: $API\n"
                .replace("$API", &server.url)
                .as_str(),
        );
    for (path, text) in &case.files {
        project.write(path, &text.replace("$API", &server.url));
    }
    let mut out = String::new();
    for line in &case.runs {
        run(&project, line, case.show.iter().any(|s| s == "brief"), &mut out);
    }
    requests(case, &server, &mut out);
    tables(&project, stage, &mut out);
    variables(&project, &mut out);
    let folder = project.path();
    let folder = folder.to_string_lossy();
    let kind = source.lines().next().unwrap_or_default().replace("type: ", "");
    out.replace(&format!("stage ({kind})"), "stage (staging)")
        .replace(&server.url, "$API")
        .replace(&*folder, "$PROJECT")
        .lines()
        .map(|line| line.split(" | ").map(moment).collect::<Vec<_>>().join(" | ") + "\n")
        .collect::<String>()
        .split_inclusive(char::is_whitespace)
        .map(|word| match uuid::Uuid::parse_str(word.trim_end()) {
            Ok(_) => word.replace(word.trim_end(), "$RUN"),
            Err(_) => word.to_string(),
        })
        .collect()
}

/// A value of a table; a moment of this run has no place in what comes out of it.
fn moment(value: &str) -> &str {
    let text = value.trim_end_matches('Z').replacen('T', " ", 1);
    let text = text.split_once('+').map_or(text.as_str(), |(time, _)| time);
    match chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f") {
        Ok(time) if (chrono::Utc::now().naive_utc() - time).num_hours().abs() < 1 => "$NOW",
        _ => value,
    }
}

/// `brief`: of what failed only the step is told, since databases say it in different words.
fn run(project: &Project, line: &str, brief: bool, out: &mut String) {
    let settings = line
        .split(' ')
        .take_while(|word| {
            let name = word.split_once('=').map(|(name, _)| name);
            name.is_some_and(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        })
        .count();
    let words: Vec<&str> = line.split(' ').collect();
    let (settings, rest) = words.split_at(settings);
    let home = if line.contains("--home-dir") {
        ""
    } else {
        "--home-dir home"
    };
    let shell = format!("{} \"$SEQUOR\" {home} {}", settings.join(" "), rest.join(" "));
    let ran = Command::new("sh")
        .args(["-c", &shell])
        .current_dir(project.path())
        .env("SEQUOR", env!("CARGO_BIN_EXE_sequor"))
        .env("HOME", project.path())
        .env_remove("SEQUOR_ENV")
        .output()
        .expect("sh runs");
    let _ = writeln!(out, "exit {}", ran.status.code().unwrap_or(-1));
    for line in String::from_utf8_lossy(&ran.stdout).lines() {
        let _ = writeln!(out, "{}", format!("out: {line}").trim_end());
    }
    for line in String::from_utf8_lossy(&ran.stderr).lines() {
        let told = ["error", "warning"].iter().any(|kind| {
            let rest = line.strip_prefix(kind);
            rest.is_some_and(|rest| rest.starts_with(": ") || rest.starts_with("[SQ"))
        });
        let step = line.split_once(": step ").and_then(|(kind, rest)| {
            let (step, _) = rest.split_once(": ")?;
            Some(format!("{kind}: step {step}"))
        });
        match step.filter(|_| brief) {
            Some(step) if told => {
                let _ = writeln!(out, "{step}");
            }
            _ if told => {
                let _ = writeln!(out, "{line}");
            }
            _ => {}
        }
    }
}

fn requests(case: &Case, server: &Server, out: &mut String) {
    let show = |asked: &Asked| {
        let mut line = format!("sent: {} {}", asked.method, asked.path);
        if !asked.query.is_empty() {
            let _ = write!(line, "?{}", asked.query);
        }
        if !asked.body.is_empty() {
            let _ = write!(line, " {}", asked.body.replace('\r', "\\r").replace('\n', "\\n"));
        }
        for name in case
            .show
            .iter()
            .filter(|name| !["sorted", "brief"].contains(&name.as_str()))
        {
            if asked.headers.contains_key(name) {
                let _ = write!(line, " [{name}: {}]", asked.header(name));
            }
        }
        line
    };
    let mut lines: Vec<String> = server.asked().iter().map(show).collect();
    if case.show.iter().any(|s| s == "sorted") {
        lines.sort();
    }
    lines.iter().for_each(|line| {
        let _ = writeln!(out, "{line}");
    });
}
