//! Pages that are made of the program: its keys, commands and codes.

use std::fmt::Write;

use serde_json::Value;

use super::examples::Examples;
use super::sequor;

/// Compares a page with what it has to be, or writes it.
fn compare(name: &str, page: &str) {
    let path = super::folder().join("reference").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, page).unwrap();
        return;
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == page,
        "docs/reference/{name} is stale: UPDATE_DOCS=1 cargo test --test it docs::reference"
    );
}

/// What kind of value a key takes. `headings`: the definitions that the page has.
fn kind(schema: &Value, headings: &[&str]) -> String {
    let mut kinds: Vec<String> = Vec::new();
    add_kinds(schema, headings, &mut kinds);
    kinds.retain(|kind| kind != "null" && !kind.is_empty());
    kinds.dedup();
    kinds.join(" or ")
}

fn add_kinds(schema: &Value, headings: &[&str], kinds: &mut Vec<String>) {
    let mut add = |kind: String| {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    };
    if let Some(to) = schema["$ref"].as_str() {
        let name = to.trim_start_matches("#/definitions/");
        return add(match name {
            "python" => "Python".to_string(),
            "text" | "name" => "text".to_string(),
            "steps" => "steps".to_string(),
            name if !headings.contains(&name) => "map".to_string(),
            name => format!("[{}](#{})", titled(name), link(name)),
        });
    }
    match &schema["type"] {
        Value::String(_) if schema["pattern"].as_str().is_some_and(|p| p.contains(r"\{\{")) => {}
        Value::String(_) if schema["pattern"].as_str().is_some_and(|p| p.contains("hours")) => {
            add("duration".into())
        }
        Value::String(kind) if kind == "array" => {
            let inner = super::reference::kind(&schema["items"], headings);
            add(match inner.as_str() {
                "" => "list".to_string(),
                inner => format!("list of {inner}"),
            });
        }
        Value::String(kind) => add(word(kind)),
        Value::Array(all) => {
            let known: Vec<String> = all
                .iter()
                .filter_map(Value::as_str)
                .filter(|k| *k != "null")
                .map(word)
                .collect();
            // What is written as a number or a text, whichever comes.
            add(match known.iter().any(|kind| kind == "text") && known.len() > 1 {
                true => "text".to_string(),
                false => known.join(" or "),
            });
        }
        _ => {}
    }
    if let Some(only) = schema.get("const") {
        add(format!(
            "`{}`",
            only.as_str().map_or_else(|| only.to_string(), str::to_string)
        ));
    }
    for all in ["anyOf", "oneOf", "allOf", "enum"] {
        for part in schema[all].as_array().into_iter().flatten() {
            match part {
                Value::Object(_) => add_kinds(part, headings, kinds),
                Value::String(text) => kinds.push(format!("`{text}`")),
                _ => {}
            }
        }
    }
}

fn word(kind: &str) -> String {
    match kind {
        "array" => "list",
        "string" => "text",
        "object" => "map",
        "boolean" => "true or false",
        "integer" => "whole number",
        other => other,
    }
    .to_string()
}

fn titled(name: &str) -> String {
    name.replace('_', " ")
}

fn link(name: &str) -> String {
    titled(name).replace(' ', "-").replace('.', "")
}

#[test]
fn keys() {
    let schema: Value = serde_json::from_str(&sequor(&["schema"])).unwrap();
    let mut page = String::from(
        "# Keys\n\nEach kind of file, step and part of one, with its keys. A key that is marked † may be computed by Python, as \
         `key_expression`; the texts of most keys may hold Jinja. The column \
         \"left out\" says what holds where a key is not written, and is empty where that is nothing. The examples stand in flows that tests run.\n\nThis page is made from the definitions that read the files. `sequor schema` prints them for editors.\n",
    );
    let definitions = schema["definitions"].as_object().unwrap();
    let examples = Examples::read(&schema);
    let mut without: Vec<String> = Vec::new();
    let with_keys: Vec<_> = definitions
        .iter()
        .filter_map(|(name, definition)| {
            let keys = definition["properties"]
                .as_object()
                .filter(|keys| !keys.is_empty())?;
            Some((name.as_str(), definition, keys))
        })
        .collect();
    let headings: Vec<&str> = with_keys.iter().map(|(name, ..)| *name).collect();
    for (name, definition, properties) in with_keys {
        let about = definition["description"].as_str().unwrap_or_default();
        let _ = write!(page, "\n## {}\n\n", titled(name));
        if !about.is_empty() {
            let _ = write!(page, "{about}\n\n");
        }
        let needed: Vec<&str> = definition["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        page.push_str("| key | value | left out | what it is for |\n|---|---|---|---|\n");
        for (key, value) in properties {
            let plain = key.strip_suffix("_expression");
            if plain.is_some_and(|plain| properties.contains_key(plain)) {
                continue;
            }
            let computed = properties.contains_key(&format!("{key}_expression"));
            let about = value["description"].as_str().unwrap_or_default();
            let (about, left_out) = match about.split_once(" Left out: ") {
                Some((about, left_out)) => (about, left_out.trim_end_matches('.')),
                None => (about, ""),
            };
            let kind = kind(value, &headings).replace('|', "\\|");
            let example = match examples.of(name, key) {
                Some(example) => format!(" Example: `{example}`"),
                None => {
                    // What has keys of its own shows them there.
                    if !(kind.contains("](#") || ["map", "steps"].contains(&kind.as_str())) {
                        without.push(format!("{name}.{key}"));
                    }
                    String::new()
                }
            };
            let _ = writeln!(
                page,
                "| `{key}`{}{} | {} | {} | {}{} |",
                if computed { " †" } else { "" },
                if needed.contains(&key.as_str()) {
                    " (needed)"
                } else {
                    ""
                },
                match kind.as_str() {
                    "" => "any value",
                    kind => kind,
                },
                left_out.replace('|', "\\|"),
                about.replace('|', "\\|").replace('\n', " "),
                example,
            );
        }
    }
    assert!(
        without.is_empty(),
        "keys without an example, see tests/docs/examples.rs: {without:?}"
    );
    compare("keys.md", &page);
}

#[test]
fn commands() {
    let help = sequor(&["--help"]);
    let mut page = format!(
        "# Commands\n\nThis page is made from the program's own help.\n\n```text\n{}```\n",
        trimmed(&help)
    );
    for line in help.lines().take_while(|line| *line != "Options:") {
        let Some(name) = line.strip_prefix("  ").and_then(|line| line.split("  ").next()) else {
            continue;
        };
        if name.is_empty() || name.starts_with([' ', '-']) || name == "help" {
            continue;
        }
        let _ = write!(
            page,
            "\n## sequor {name}\n\n```text\n{}```\n",
            trimmed(&sequor(&[name, "--help"]))
        );
    }
    compare("commands.md", &page);
}

/// Lines without blanks at their ends.
fn trimmed(text: &str) -> String {
    text.lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

#[test]
fn codes() {
    let mut page = String::from(
        "# Codes\n\nEach finding of `sequor validate` and each error of a run has a code, which does not change. `sequor explain CODE` \
         prints what stands here.\n",
    );
    for line in sequor(&["explain"]).lines() {
        let code = line.split(' ').next().unwrap_or_default();
        let told = sequor(&["explain", code]);
        let (title, text) = told.split_once('\n').unwrap_or((&told, ""));
        let _ = write!(page, "\n## {title}\n\n{}\n", text.trim());
    }
    compare("codes.md", &page);
}

#[test]
fn the_picture_of_a_plan() {
    let starter = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/starter");
    compare(
        "../images/plan.svg",
        &sequor(&["--project-dir", starter, "plan", "orders", "--format", "svg"]),
    );
}

#[test]
fn the_picture_of_a_terminal() {
    let starter = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/starter");
    let command = "run orders --dry-run --offline --replay recordings/orders";
    let ran = std::process::Command::new(env!("CARGO_BIN_EXE_sequor"))
        .args(command.split(' '))
        .current_dir(starter)
        .env("CLICOLOR_FORCE", "1")
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    let shown = format!("$ sequor {command}\n{}", String::from_utf8(ran.stdout).unwrap());
    let picture = anstyle_svg::Term::new().render_svg(&shown);
    compare("../images/terminal.svg", &picture);
}
