//! Names that a wrong name was probably meant to be.

use datafusion::common::utils::datafusion_strsim::normalized_levenshtein;

/// The candidates that look like `name`, nearest first, at most three.
pub fn near<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let name = name.to_lowercase();
    let mut scored: Vec<(f64, &str)> = candidates
        .into_iter()
        .map(|c| (normalized_levenshtein(&name, &c.to_lowercase()), c))
        .filter(|(score, _)| *score >= 0.6)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.into_iter().take(3).map(|(_, c)| c).collect()
}

/// Help for a wrong name: what it may have been meant to be, else what there is.
pub fn help(what: &str, name: &str, candidates: &[String]) -> Option<String> {
    let list = |names: &[&str]| {
        names
            .iter()
            .map(|n| format!("`{n}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let near = near(name, candidates.iter().map(String::as_str));
    if !near.is_empty() {
        return Some(format!("did you mean {}?", list(&near)));
    }
    let mut all: Vec<&str> = candidates.iter().map(String::as_str).collect();
    all.dedup();
    let rest = all.len().saturating_sub(12);
    all.truncate(12);
    match rest {
        _ if all.is_empty() => None,
        0 => Some(format!("{what}: {}", list(&all))),
        rest => Some(format!("{what}: {} and {rest} more", list(&all))),
    }
}
