//! Golden tests of the compiler.
//!
//! `golden/<case>.yaml` is the flow `main` in the project `golden/project`. A line `# file: PATH` starts a further file
//! of the project, which takes the place of one with the same path. What must come out stands beside it in
//! `<case>.txt`: the diagnostics, and the plan when there is one. `UPDATE_GOLDEN=1 cargo test -p sequor-planner` writes
//! these files anew.

#![allow(clippy::unwrap_used, clippy::panic)]

mod options;
mod schema;
mod walk;
mod yaml;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sequor_planner::expr::EachProp;
use sequor_planner::{Code, Compiler, Diagnostic, File, ProjectFiles, compile, explain, plan::Plan};

const FLOW: &str = "main";

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Files below `folder` that end in `.yaml`, sorted, with their path in it.
fn yaml_files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "yaml") {
                let name = path
                    .strip_prefix(folder)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .replace('\\', "/");
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// Puts a file where its path says it belongs.
fn add(files: &mut ProjectFiles, path: &str, text: &str) {
    let file = File {
        path: Arc::from(path),
        text: text.to_string(),
    };
    let plain = path.strip_suffix(".yaml").unwrap_or(path);
    if let Some(name) = plain.strip_prefix("flows/") {
        files.flows.insert(name.to_string(), file);
    } else if let Some(name) = plain.strip_prefix("sources/") {
        files.sources.insert(name.to_string(), file);
    } else if path == "project.yaml" {
        files.project = Some(file);
    } else if path == "env.yaml" {
        files.environment = Some(file);
    } else {
        panic!("{path} is no file of a project");
    }
}

/// The project of a case's text.
fn project(case: &str) -> ProjectFiles {
    let mut files = ProjectFiles::default();
    for (path, text) in yaml_files(&golden().join("project")) {
        add(&mut files, &path, &text);
    }
    let mut parts = format!("# file: flows/{FLOW}.yaml\n{case}");
    parts.insert(0, '\n');
    for part in parts.split("\n# file: ").skip(1) {
        let (path, text) = part.split_once('\n').unwrap_or((part, ""));
        add(&mut files, path.trim(), text);
    }
    files
}

/// The cases of the folder: name and text.
fn cases() -> Vec<(String, String)> {
    let mut cases = yaml_files(&golden());
    cases.retain(|(name, _)| !name.contains('/'));
    assert!(cases.len() > 20, "the cases are there");
    cases
        .into_iter()
        .map(|(name, text)| (name.trim_end_matches(".yaml").to_string(), text))
        .collect()
}

type Compiled = (Option<(Compiler, Plan)>, Vec<Diagnostic>);

fn compiled(files: &ProjectFiles, flow: &str) -> Compiled {
    let compiled = compile(files, flow, &BTreeSet::new());
    if let (Some((_, plan)), _) = &compiled {
        reads_back(plan);
    }
    compiled
}

/// A plan that was written and read is the same plan: it is written the same, and its code uses the same.
pub fn reads_back(plan: &Plan) {
    let written = serde_json::to_value(plan).unwrap();
    let mut read = Plan::from_json(written.clone()).unwrap_or_else(|e| panic!("{e}: {written:#}"));
    assert_eq!(serde_json::to_value(&read).unwrap(), written);
    let mut uses = Vec::new();
    plan.root
        .each(&mut |step| step.each_prop(&mut |prop| uses.push(format!("{:?}", prop.uses()))));
    let mut uses_read = Vec::new();
    read.root
        .each_mut(&mut |step| step.each_prop(&mut |prop| uses_read.push(format!("{:?}", prop.uses()))));
    assert_eq!(uses_read, uses);
}

/// Diagnostics and plan as a person reads them.
fn shown(files: &ProjectFiles, (plan, diagnostics): &Compiled) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        let source = diagnostic.place.as_ref().and_then(|p| files.text(&p.file));
        out.push_str(diagnostic.render(source, false).trim_end());
        out.push_str("\n\n");
    }
    if let Some((_, plan)) = plan {
        out.push_str(&explain::text(plan));
    }
    format!("{}\n", out.trim_end())
}

/// Compares with the file, or writes it. Returns what differs.
fn check(file: &str, got: &str) -> Option<String> {
    let path = golden().join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, got).unwrap();
        return None;
    }
    let expected = fs::read_to_string(&path)
        .unwrap_or_default()
        .replace("\r\n", "\n");
    if expected == got {
        return None;
    }
    let line = expected
        .lines()
        .zip(got.lines())
        .take_while(|(a, b)| a == b)
        .count();
    let at = |text: &str| text.lines().nth(line).unwrap_or("(the end)").to_string();
    Some(format!(
        "{file}:{}\n  expected: {}\n  got:      {}\n\n{got}",
        line + 1,
        at(&expected),
        at(got)
    ))
}

fn report(differences: Vec<String>) {
    assert!(
        differences.is_empty(),
        "UPDATE_GOLDEN=1 accepts what differs:\n\n{}",
        differences.join("\n")
    );
}

#[test]
fn flows_compile_to_their_plans() {
    let check_case = |(name, text): (String, String)| {
        let files = project(&text);
        let result = compiled(&files, FLOW);
        assert_eq!(
            result.0.is_none(),
            name.starts_with("error_"),
            "{name}: {}",
            shown(&files, &result)
        );
        check(&format!("{name}.txt"), &shown(&files, &result))
    };
    report(cases().into_iter().filter_map(check_case).collect());
}

#[test]
fn the_example_in_every_form() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/shopify_mailchimp");
    let mut files = ProjectFiles::default();
    for folder in ["flows", "sources"] {
        for (path, text) in yaml_files(&root.join(folder)) {
            add(&mut files, &format!("{folder}/{path}"), &text);
        }
    }
    add(
        &mut files,
        "project.yaml",
        &fs::read_to_string(root.join("project.yaml")).unwrap(),
    );
    add(
        &mut files,
        "env.yaml",
        &fs::read_to_string(root.join("home/envs/demo.yaml")).unwrap(),
    );
    let result = compiled(&files, "shopify_mailchimp");
    let Some((_, plan)) = &result.0 else {
        panic!("{}", shown(&files, &result))
    };
    let forms = [
        ("txt", shown(&files, &result)),
        ("dot", explain::dot(plan)),
        ("mmd", explain::mermaid(plan)),
        (
            "json",
            format!("{}\n", serde_json::to_string_pretty(plan).unwrap()),
        ),
    ];
    report(
        forms
            .into_iter()
            .filter_map(|(e, text)| check(&format!("shopify_mailchimp.{e}"), &text))
            .collect(),
    );
}

#[test]
fn a_project_without_the_file_or_the_flow() {
    let mut files = project("- op: print\n  message: a\n");
    let unknown = compiled(&files, "mian");
    assert!(
        shown(&files, &unknown).contains("did you mean `main`?"),
        "{}",
        shown(&files, &unknown)
    );
    files.project = None;
    let none = compiled(&files, FLOW);
    assert!(none.0.is_none());
    assert!(shown(&files, &none).contains("there is no project.yaml here"));
}

/// What no file of a project shows, but only what was run of it before: the engine finds these.
const OF_HISTORY: [Code; 1] = [Code::OtherRequest];

#[test]
fn every_code_has_a_case() {
    let seen: Vec<Code> = cases()
        .iter()
        .flat_map(|(_, text)| compiled(&project(text), FLOW).1)
        .map(|d| d.code)
        .collect();
    let own = |code: &&Code| !OF_HISTORY.contains(code);
    let missing: Vec<&Code> = Code::ALL
        .iter()
        .filter(own)
        .filter(|c| !seen.contains(c))
        .collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

/// Marsaglia's xorshift: the same numbers on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n.max(1) as u64).unwrap()
    }
}

/// Text broken in one place, or in a few.
fn broken(text: &str, random: &mut Random) -> String {
    const BITS: [&str; 28] = [
        "{{",
        "}}",
        "{%",
        "%}",
        "\"",
        "'",
        ":",
        "- ",
        "\n",
        "\t",
        "[",
        "]",
        "{",
        "}",
        "&a",
        "*a",
        "<<: ",
        "|",
        "#",
        "%",
        "ü",
        "\u{1f600}",
        "\r\n",
        "\0",
        "(",
        ";\ngo\n",
        "_expression",
        "$$",
    ];
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(3) {
        let at = random.below(chars.len() + 1);
        match random.below(4) {
            0 => chars.truncate(at),
            1 => drop(chars.drain(at..(at + random.below(12)).min(chars.len()))),
            2 => drop(chars.splice(at..at, BITS[random.below(BITS.len())].chars())),
            _ => {
                let end = (at + random.below(40)).min(chars.len());
                let copy = chars[at..end].to_vec();
                let to = random.below(chars.len() + 1);
                chars.splice(to..to, copy);
            }
        }
    }
    chars.into_iter().collect()
}

#[test]
fn broken_flows_give_diagnostics_and_never_a_panic() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for (name, text) in cases() {
        for round in 0..60 {
            let mut files = project(&text);
            // One file is broken: the flow, or any other of the project.
            let (flows, sources) = (files.flows.len(), files.sources.len());
            let file = match random.below(flows + sources + 4) {
                i if i < flows => &mut files.flows[i],
                i if i < flows + sources => &mut files.sources[i - flows],
                _ => &mut files.flows[0],
            };
            file.text = broken(&file.text, &mut random);
            let text = file.text.clone();
            let run = std::panic::catch_unwind(|| {
                let result = compiled(&files, FLOW);
                let out = shown(&files, &result);
                if let Some((_, plan)) = &result.0 {
                    explain::dot(plan);
                    explain::mermaid(plan);
                    serde_json::to_string(plan).unwrap();
                } else {
                    assert!(!result.1.is_empty(), "no plan, and nothing is said about it");
                }
                out
            });
            assert!(run.is_ok(), "{name}, round {round}:\n{text}");
        }
    }
}

/// The YAML of a code's explanation, in order.
fn examples(code: Code) -> Vec<&'static str> {
    let parts = code.explanation().split("```yaml\n").skip(1);
    parts.map(|part| part.split("```").next().unwrap()).collect()
}

#[test]
fn explanations_show_what_they_explain() {
    for code in Code::ALL {
        let examples = examples(*code);
        assert!(!examples.is_empty(), "{} has an example", code.as_str());
        for (at, example) in examples.iter().enumerate() {
            let files = project(example);
            let (_, found) = compiled(&files, FLOW);
            let has = found.iter().any(|d| d.code == *code);
            let shown = found
                .iter()
                .map(|d| d.render(None, false))
                .collect::<Vec<_>>()
                .join("\n");
            match at {
                0 => assert!(
                    has || OF_HISTORY.contains(code),
                    "{}: the first example does not give it:\n{shown}",
                    code.as_str()
                ),
                _ => assert!(
                    found.is_empty(),
                    "{}: the second example:\n{shown}",
                    code.as_str()
                ),
            }
        }
    }
}
