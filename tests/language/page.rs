//! The page of the language: the cases, chapter by chapter.

use std::fmt::Write;

use super::case::Case;

/// The page as Markdown.
pub fn render(cases: &[Case]) -> String {
    let mut out = String::from(
        "# The language, by example\n\n\
         Each rule stands with a flow that shows it and what comes out of it. The cases are run by the tests with the tables in \
         the staging database, PostgreSQL, DuckDB, SQLite and MySQL; this page is made from them.\n\n\
         A result lists, in this order: the exit code of each command, what it prints (`out`), its errors and warnings, \
         the requests that were sent, the tables there are in `stage`, and the variables kept for the next run. `$API` \
         is the address of an http source that the source `api` has as its `base_url`.\n",
    );
    let mut chapter = String::new();
    for case in cases {
        let name = case.name();
        let folder = name.split('/').next().unwrap_or_default();
        if folder != chapter {
            chapter = folder.to_string();
            let title = chapter
                .split_once('-')
                .map_or(chapter.as_str(), |(_, title)| title);
            let mut letters = title.replace('-', " ");
            if let Some(first) = letters.get_mut(0..1) {
                first.make_ascii_uppercase();
            }
            let _ = write!(out, "\n## {letters}\n");
        }
        let _ = write!(out, "\n### {}\n\n{}\n", case.title, case.text);
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
    out
}
