//! The page of the language: the cases, chapter by chapter.

use std::fmt::Write;

use indexmap::IndexMap;

use super::case::Case;

/// The pages as Markdown, by the names of their files: the first lists the others.
pub fn render(cases: &[Case]) -> IndexMap<String, String> {
    let mut pages: IndexMap<String, String> = IndexMap::new();
    let mut index = String::from(
        "# The language, by example\n\n\
         Each rule stands with a flow that shows it and what comes out of it. The cases are run by the tests with the tables in \
         the staging database, PostgreSQL, DuckDB, SQLite and MySQL; these pages are made from them.\n\n\
         A result lists, in this order: the exit code of each command, what it prints (`out`), its errors and warnings, \
         the requests that were sent, the tables there are in `stage`, and the variables kept for the next run. `$API` \
         is the address of an http source that the source `api` has as its `base_url`.\n",
    );
    for case in cases {
        let name = case.name();
        let folder = name.split('/').next().unwrap_or_default();
        let title = folder.split_once('-').map_or(folder, |(_, title)| title);
        let page = pages.entry(format!("{title}.md")).or_insert_with(|| {
            let mut letters = title.replace('-', " ");
            if let Some(first) = letters.get_mut(0..1) {
                first.make_ascii_uppercase();
            }
            let _ = write!(index, "\n## [{letters}]({title}.md)\n\n");
            format!("# {letters}, by example\n")
        });
        let _ = writeln!(index, "- {}", case.title);
        of_case(case, page);
    }
    pages.insert("index.md".to_string(), index);
    pages
}

fn of_case(case: &Case, out: &mut String) {
    let _ = write!(out, "\n## {}\n\n{}\n", case.title, case.text);
    for (path, text) in &case.files {
        let _ = write!(out, "\n`{path}`\n\n```yaml\n{text}```\n");
    }
    if !case.api.is_empty() {
        let _ = write!(out, "\nThe API answers:\n\n```yaml\n{}```\n", case.api);
    }
    let commands: Vec<String> = case
        .runs
        .iter()
        .map(|line| {
            let settings = line
                .split(' ')
                .take_while(|w| w.contains('=') && !w.starts_with('-'))
                .count();
            let words: Vec<&str> = line.split(' ').collect();
            let (settings, rest) = words.split_at(settings);
            let mut line = settings.to_vec();
            line.push("sequor");
            line.extend(rest);
            line.join(" ")
        })
        .collect();
    let _ = write!(
        out,
        "\n```console\n$ {}\n{}```\n",
        commands.join("\n$ "),
        case.result
    );
}
