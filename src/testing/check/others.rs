//! Variables, requests, printed texts and rejected rows, beside those that a test expects.

use sequor_planner::testing::{ExpectedRequests, FlowTest};
use serde_json::Value as Json;

use super::Findings;
use crate::engine::Asked;
use crate::event::count;
use crate::testing::case::of_error;
use crate::testing::execute::Observed;
use crate::testing::rows::{self, Cells};
use crate::testing::update::NewValue;
use crate::testing::{compare, requests, yaml};
use crate::value::Value;

impl Findings<'_> {
    pub(super) fn variables(&mut self, test: &FlowTest) {
        for (name, expected, place) in &test.expect.variables {
            let actual = self.dry_run.variable(name);
            if actual
                .as_ref()
                .is_some_and(|actual| compare::same(expected, actual))
            {
                continue;
            }
            let wanted = yaml::line(&rows::plain(expected));
            let message = match &actual {
                None => format!("variable `{name}` is not set"),
                Some(_) => format!("variable `{name}` has another value"),
            };
            let mut lines = vec![format!("- {wanted}")];
            if let Some(actual) = &actual {
                let came = yaml::line(&yaml::json(actual));
                lines.push(format!("+ {came}"));
                self.set(place, NewValue::Inline(came));
            }
            self.fail(message, lines, place);
        }
    }

    pub(super) fn requests(&mut self, expected: &ExpectedRequests, asked: &[Asked]) {
        let step = &expected.step;
        let asked: Vec<Asked> = asked
            .iter()
            .filter(|asked| asked.step == *step)
            .cloned()
            .collect();
        if let Some((wanted, key)) = &expected.count
            && *wanted != asked.len() as u64
        {
            let lines = asked
                .iter()
                .take(20)
                .map(|asked| format!("+ {}", requests::line(asked, None)));
            let text = format!(
                "step `{step}` sent {} where {wanted} are expected",
                count(asked.len() as u64, "request")
            );
            self.fail(text, lines.collect(), key);
            self.set(key, NewValue::Inline(asked.len().to_string()));
        }
        if let Some((sent, key)) = &expected.sent
            && let Some(lines) = requests::diff(sent, &asked, expected.in_order)
        {
            self.fail(format!("step `{step}` sent other requests"), lines, key);
            let lines = asked.iter().map(|asked| requests::line(asked, sent.first()));
            self.set(key, NewValue::List(lines.collect()));
        }
        let (missing, _) = requests::unmatched(&expected.contains, &asked);
        if !missing.is_empty() {
            let lines = missing
                .iter()
                .map(|expected| format!("- {}", requests::expected_line(expected)));
            let sent = asked
                .iter()
                .take(20)
                .map(|asked| format!("+ {}", requests::line(asked, expected.contains.first())));
            let lines = lines.chain(sent).collect();
            self.fail(
                format!("step `{step}` did not send what is expected"),
                lines,
                &expected.place,
            );
        }
    }

    pub(super) fn printed(&mut self, test: &FlowTest, observed: &Observed) {
        let Some((expected, place)) = &test.expect.printed else {
            return;
        };
        let printed: Vec<String> = observed
            .printed
            .iter()
            .map(|text| text.trim_end_matches('\n').to_string())
            .collect();
        if *expected == printed {
            return;
        }
        let lines = expected.iter().map(|text| format!("- {text}"));
        let lines = lines
            .chain(printed.iter().map(|text| format!("+ {text}")))
            .collect();
        self.fail("other texts were printed".into(), lines, place);
        let items = printed.iter().map(|text| yaml::line(&Json::from(text.as_str())));
        self.set(place, NewValue::List(items.collect()));
    }

    pub(super) async fn rejects(&mut self, test: &FlowTest, observed: &Observed) {
        for expected in &test.expect.rejects {
            let step = &expected.step;
            let came = observed.rejects.get(step).copied().unwrap_or_default();
            if came != expected.count {
                let text = format!(
                    "step `{step}` rejected {} where {} are expected",
                    count(came, "row"),
                    expected.count
                );
                self.fail(text, Vec::new(), &expected.place);
                if expected.rows.is_none() {
                    self.set(&expected.place, NewValue::Inline(came.to_string()));
                }
            }
            let Some(wanted) = &expected.rows else { continue };
            let Some(table) = observed.reject_tables.get(step) else {
                let text = format!("step `{step}` has no `rejects` with a table");
                self.fail(text, Vec::new(), &expected.place);
                continue;
            };
            let rows = match self.rows(&table.0, &table.1).await {
                Ok(rows) => rows
                    .unwrap_or_default()
                    .into_iter()
                    .map(rejected)
                    .collect::<Vec<_>>(),
                Err(error) => {
                    self.failures.push(of_error(&error));
                    continue;
                }
            };
            if let Some(diff) = self.differ(
                &format!("{}.{}", table.0, table.1),
                wanted,
                &rows,
                &expected.place,
            ) {
                self.failures.push(diff);
                let columns = rows::columns(wanted);
                let lines = rows.iter().map(|row| rows::line(row, &columns)).collect();
                self.set(&expected.place, NewValue::List(lines));
            }
        }
    }

    /// Answers that nobody asked for.
    pub(super) fn left_over(&mut self, test: &FlowTest) {
        let left = self
            .dry_run
            .script()
            .map(|script| script.left())
            .unwrap_or_default();
        for (step, left) in left {
            let place = test
                .mocks
                .iter()
                .find(|mock| mock.step == step)
                .map_or(&test.place, |mock| &mock.place);
            let text = format!(
                "`mocks` has {} more for `{step}` than it asked for",
                count(left as u64, "answer")
            );
            self.fail(text, Vec::new(), place);
        }
    }
}

/// A rejected row with what the table says of it, `status`, `error`, `attempts` and `time`, beside its own columns.
fn rejected(mut of_table: Cells) -> Cells {
    let row = of_table.shift_remove("row");
    let own = match &row {
        Some(Value::Text(text)) => serde_json::from_str::<Json>(text)
            .ok()
            .map(|json| Value::from(&json)),
        other => other.clone(),
    };
    let own = own.and_then(|own| own.entries());
    let own = own.iter().flat_map(|own| own.iter());
    let mut all: Cells = own.map(|(name, value)| (name.clone(), value.clone())).collect();
    for (name, value) in of_table {
        all.entry(name).or_insert(value);
    }
    all
}
