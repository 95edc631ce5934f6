//! Names that a wrong name was probably meant to be.

/// The candidates that look like `name`, nearest first, at most three.
fn near<'a>(name: &str, candidates: &'a [String]) -> Vec<&'a str> {
    let name: Vec<char> = name.to_lowercase().chars().collect();
    let mut scored: Vec<(usize, &str)> = candidates
        .iter()
        .map(|c| {
            let candidate: Vec<char> = c.to_lowercase().chars().collect();
            (edits(&name, &candidate), c.as_str())
        })
        .filter(|(edits, _)| *edits <= (name.len() / 3).max(1))
        .collect();
    scored.sort_unstable();
    scored.dedup();
    scored.into_iter().take(3).map(|(_, c)| c).collect()
}

/// How many letters have to be inserted, deleted, changed or swapped with their neighbour to make `b` of `a`.
fn edits(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                let swap = if swapped {
                    rows[i - 2][j - 2] + 1
                } else {
                    usize::MAX
                };
                change.min(swap).min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1)
            };
        }
    }
    rows[a.len()][b.len()]
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
    let near = near(name, candidates);
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
