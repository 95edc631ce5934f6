//! What came out of a recording, as a test expects it.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::{MOST_INLINE, NewTest};
use crate::engine::{DryRun, collect, named_table};
use crate::error::Result;
use crate::event::Written;
use crate::testing::case::Ran;
use crate::testing::rows::{self, Cells};
use crate::testing::{requests, yaml};

/// The whole test: with what came out.
pub async fn with_expect(
    head: &str,
    ran: &Ran,
    new: &NewTest,
    path: &Path,
    files: &mut Vec<PathBuf>,
) -> Result<String> {
    let mut text = format!("{head}    expect:\n");
    let changed = ran.dry_run.changed().await;
    if !changed.is_empty() {
        text.push_str("      tables:\n");
    }
    for (source, name, how) in changed {
        let key = super::key(&source, &name);
        if how == Written::Dropped {
            text.push_str(&format!("        {key}: {{absent: true}}\n"));
            continue;
        }
        let all = rows_of(&ran.dry_run, &source, &name).await?;
        match all.len() {
            0 => text.push_str(&format!("        {key}: {{row_count: 0}}\n")),
            1..=MOST_INLINE => {
                text.push_str(&format!("        {key}:\n"));
                all.iter()
                    .for_each(|row| text.push_str(&format!("          - {}\n", rows::line(row, &[]))));
            }
            _ => {
                let beside = new.name.rsplit('/').next().unwrap_or_default();
                let file = format!("{beside}/{source}.{}.expected.jsonl", name.replace('"', ""));
                text.push_str(&format!(
                    "        {key}: {{file: {}}}\n",
                    yaml::line(&Json::from(file.as_str()))
                ));
                let file = path.parent().unwrap_or(Path::new(".")).join(file);
                super::save(&file, &rows::json_lines(&all, &[]))?;
                files.push(file);
            }
        }
    }
    let asked = ran
        .dry_run
        .script()
        .map(|script| script.asked())
        .unwrap_or_default();
    let mut by_step: IndexMap<&str, Vec<String>> = IndexMap::new();
    for one in asked.iter().filter(|asked| !asked.method.is_safe()) {
        by_step
            .entry(&one.step)
            .or_default()
            .push(requests::line(one, None));
    }
    if !by_step.is_empty() {
        text.push_str("      requests:\n");
    }
    for (step, lines) in by_step {
        text.push_str(&format!("        {}:\n", yaml::line(&Json::from(step))));
        lines
            .iter()
            .for_each(|line| text.push_str(&format!("          - {line}\n")));
    }
    if !ran.observed.printed.is_empty() {
        text.push_str("      printed:\n");
    }
    for printed in &ran.observed.printed {
        text.push_str(&format!(
            "        - {}\n",
            yaml::line(&Json::from(printed.trim_end_matches('\n')))
        ));
    }
    match text.ends_with("    expect:\n") {
        true => Ok(head.to_string()),
        false => Ok(text),
    }
}

async fn rows_of(dry_run: &DryRun, source: &str, name: &str) -> Result<Vec<Cells>> {
    let Some(database) = dry_run.database(source) else {
        return Ok(Vec::new());
    };
    let table = named_table(&*database, None, None, name)?;
    let rows = collect(database.scan(&table).await?).await?;
    Ok(rows::cells(&rows))
}
