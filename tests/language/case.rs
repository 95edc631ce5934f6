//! A case: a Markdown file, its fences taken apart.

use std::path::{Path, PathBuf};

use super::folder;

pub struct Case {
    pub path: PathBuf,
    pub title: String,
    /// What stands between the title and the first fence.
    pub text: String,
    /// Files of the project: path and text.
    pub files: Vec<(String, String)>,
    /// What the API answers.
    pub api: String,
    /// Command lines.
    pub runs: Vec<String>,
    /// How requests are shown: `sorted`, and names of headers.
    pub show: Vec<String>,
    pub result: String,
    /// Kinds of databases that something else comes out of, with the reason.
    pub except: Vec<(String, String)>,
    source: String,
}

impl Case {
    pub fn read(path: &Path) -> Case {
        let source = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut case = Case {
            path: path.to_path_buf(),
            title: String::new(),
            text: String::new(),
            files: Vec::new(),
            api: String::new(),
            runs: Vec::new(),
            show: Vec::new(),
            result: String::new(),
            except: Vec::new(),
            source: source.clone(),
        };
        let mut fence: Option<(String, String)> = None;
        for line in source.lines() {
            match (&mut fence, line.strip_prefix("```")) {
                (None, Some(info)) => fence = Some((info.trim().to_string(), String::new())),
                (Some(_), Some("")) => {
                    if let Some((info, text)) = fence.take() {
                        case.take(&info, text);
                    }
                }
                (Some((_, text)), _) => {
                    text.push_str(line);
                    text.push('\n');
                }
                (None, None) => match line.strip_prefix("# ") {
                    Some(title) if case.title.is_empty() => case.title = title.to_string(),
                    _ => {
                        case.text.push_str(line);
                        case.text.push('\n');
                    }
                },
            }
        }
        assert!(fence.is_none(), "{}: a fence is open", path.display());
        assert!(!case.files.is_empty(), "{}: no file", path.display());
        case.text = case.text.trim().to_string();
        if case.runs.is_empty() {
            case.runs.push("run main".into());
        }
        case
    }

    fn take(&mut self, info: &str, text: String) {
        match info.split_once(' ') {
            Some(("yaml", "api")) => self.api = text,
            Some(("sh", "run")) => self.runs = text.lines().map(str::to_string).collect(),
            Some(("text", "show")) => self.show = text.lines().map(|l| l.trim().to_string()).collect(),
            Some(("text", "result")) => self.result = text,
            Some(("text", "except")) => {
                let told = |line: &str| {
                    line.split_once(": ")
                        .map(|(kind, why)| (kind.to_string(), why.to_string()))
                };
                self.except = text.lines().filter_map(told).collect();
            }
            Some(("yaml", path)) => self.files.push((path.to_string(), text)),
            _ => panic!("{}: a fence `{info}` means nothing", self.path.display()),
        }
    }

    /// Its path in the corpus.
    pub fn name(&self) -> String {
        let path = self.path.strip_prefix(folder()).expect("in the corpus");
        path.to_string_lossy().replace('\\', "/")
    }

    /// Writes what came out into the file.
    pub fn write_result(&self, result: &str) {
        let fence = "```text result\n";
        let start = self
            .source
            .find(fence)
            .map_or(self.source.len(), |at| at + fence.len());
        let (before, rest) = self.source.split_at(start);
        let after = rest.find("```").map_or("```\n", |at| &rest[at..]);
        let before = match before.ends_with(fence) {
            true => before.to_string(),
            false => format!("{}\n\n{fence}", before.trim_end()),
        };
        let text = format!("{before}{result}{after}");
        if text != self.source {
            std::fs::write(&self.path, text).expect("the case");
        }
    }
}
