//! Blocks of the guides and recipes, run in the order of a page, in a folder of its own: YAML whose first line is a comment with a
//! path is that file, `sh` is run, `console` has to print what it shows.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::pages;

/// Pages whose blocks are run: those below, and these.
const RUN: &[&str] = &[
    "docs/guides/",
    "docs/recipes/",
    "docs/install.md",
    "docs/quickstart.md",
    "docs/concepts.md",
];

/// What blocks that are not run may begin with: they install, or need what a test has not.
const IGNORED: &[&str] = &[
    "pip ",
    "cargo ",
    "docker ",
    "curl ",
    "git ",
    "brew ",
    "sequor completions ",
    "sequor man ",
];

#[derive(Debug)]
pub struct Block {
    /// The word behind the fence, and what follows it.
    pub kind: String,
    pub text: String,
    line: usize,
}

pub fn blocks(page: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for (at, line) in page.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(kind) if !open => {
                found.push(Block {
                    kind: kind.to_string(),
                    text: String::new(),
                    line: at + 1,
                });
                open = true;
            }
            Some(_) => open = false,
            None if open => {
                let block = found.last_mut().unwrap();
                block.text.push_str(line);
                block.text.push('\n');
            }
            None => {}
        }
    }
    assert!(!open, "a block is not closed");
    found
}

/// A page's folder, and where its shell is.
struct Shell {
    root: TempDir,
    at: PathBuf,
}

impl Shell {
    fn new() -> Shell {
        let root = TempDir::new().unwrap();
        std::fs::create_dir_all(root.path().join("home")).unwrap();
        let at = root.path().join("work");
        std::fs::create_dir_all(&at).unwrap();
        Shell { root, at }
    }

    /// Runs a script; whether it was good, and all that it printed.
    fn run(&mut self, script: &str) -> (bool, String) {
        let program = Path::new(env!("CARGO_BIN_EXE_sequor")).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let ends = self.root.path().join("ends");
        let script = format!("set -euo pipefail\n{script}\npwd > '{}'\n", ends.display());
        let ran = Command::new("bash")
            .args(["-c", &format!("exec 2>&1; {script}")])
            .current_dir(&self.at)
            .env_clear()
            .env("PATH", format!("{}:{path}", program.display()))
            .env("HOME", self.root.path().join("home"))
            .env("PYTHONPATH", crate::support::installed::jinja2())
            .output()
            .unwrap();
        if let Ok(ended) = std::fs::read_to_string(&ends) {
            self.at = PathBuf::from(ended.trim());
        }
        (
            ran.status.success(),
            String::from_utf8_lossy(&ran.stdout).into_owned(),
        )
    }
}

/// Times and ids are others each time.
fn steady(line: &str) -> String {
    let mut out = String::new();
    for word in line.trim_end().split(' ') {
        let number = word.trim_end_matches(['s', ',', ':']);
        let is_time = number.contains('.') && number.parse::<f64>().is_ok();
        out.push_str(if is_time { "T" } else { word });
        out.push(' ');
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether lines are as they are shown; `...` stands for any.
fn fits(shown: &[&str], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((&"...", rest)) => (0..=printed.len()).any(|skip| fits(rest, &printed[skip..])),
        Some((line, rest)) => {
            printed.first().is_some_and(|first| steady(first) == steady(line)) && fits(rest, &printed[1..])
        }
    }
}

fn console(shell: &mut Shell, block: &Block) -> Result<(), String> {
    let mut command: Option<(&str, Vec<&str>)> = None;
    let mut all = Vec::new();
    for line in block.text.lines() {
        match line.strip_prefix("$ ") {
            Some(next) => all.extend(command.replace((next, Vec::new()))),
            None => command.as_mut().ok_or("it begins with no `$ `")?.1.push(line),
        }
    }
    all.extend(command);
    for (command, shown) in all {
        let (_, printed) = shell.run(command);
        let lines: Vec<&str> = printed.trim_end().lines().collect();
        if !fits(&shown, &lines) {
            return Err(format!(
                "`{command}` prints\n{printed}\nand not\n{}",
                shown.join("\n")
            ));
        }
    }
    Ok(())
}

fn run(shell: &mut Shell, block: &Block) -> Result<(), String> {
    let (kind, ignored) = match block.kind.split_once(',') {
        Some((kind, "ignore")) => (kind, true),
        Some((_, other)) => return Err(format!("`{other}` says nothing")),
        None => (block.kind.as_str(), false),
    };
    if ignored {
        let lines = block.text.lines().map(|line| line.trim_start_matches("$ "));
        let strange = lines
            .clone()
            .find(|line| !IGNORED.iter().any(|begin| line.starts_with(begin)) && !line.is_empty());
        return strange.map_or(Ok(()), |line| Err(format!("`{line}` can be run: it has to be")));
    }
    match kind {
        "sh" => match shell.run(&block.text) {
            (true, _) => Ok(()),
            (false, printed) => Err(printed),
        },
        "console" => console(shell, block),
        "yaml" | "csv" | "jsonl" | "sql" | "python" => {
            let first = block.text.lines().next().unwrap_or_default();
            let path = first.strip_prefix("# ").or_else(|| first.strip_prefix("-- "));
            let path = path.filter(|path| !path.contains(' ') && path.contains('.'));
            let Some(path) = path else {
                return Err("its first line is no comment with the path of its file".to_string());
            };
            let path = shell.at.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let text = match kind {
                // These have no comments.
                "csv" | "jsonl" => block.text.split_once('\n').map(|(_, rest)| rest.to_string()),
                _ => Some(block.text.clone()),
            };
            std::fs::write(path, text.unwrap_or_default()).unwrap();
            Ok(())
        }
        "text" | "mermaid" => Ok(()),
        other => Err(format!("a block of `{other}` is neither run nor text")),
    }
}

#[test]
fn what_pages_show_is_run() {
    let mut wrong = Vec::new();
    for (name, text) in pages() {
        if !RUN.iter().any(|run| name.starts_with(run)) {
            continue;
        }
        let mut shell = Shell::new();
        for block in blocks(&text) {
            if let Err(why) = run(&mut shell, &block) {
                wrong.push(format!("{name}:{}: {why}", block.line));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn shown_lines_are_compared_without_times() {
    assert!(fits(&["done  a  3 rows, 0.02 s"], &["done  a  3 rows, 1.40 s"]));
    assert!(!fits(&["done  a  3 rows"], &["done  a  4 rows"]));
    assert!(fits(&["a", "...", "z"], &["a", "b", "c", "z"]) && fits(&["...", "z"], &["z"]));
    assert!(!fits(&["a", "..."], &["b"]) && !fits(&["a"], &["a", "b"]));
}
