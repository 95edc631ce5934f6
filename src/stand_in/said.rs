//! What the staging database says of SQL that it can't carry out, as a dry run says it.

/// Returns a message in the words of a dry run.
pub fn of_dry_run(text: &str) -> String {
    if let Some((_, rest)) = text.split_once("Invalid function '")
        && let Some((name, _)) = rest.split_once('\'')
    {
        return format!("a dry run has no function `{name}`");
    }
    if let Some((_, rest)) = text.split_once("Function '")
        && let Some((name, rest)) = rest.split_once('\'')
        && rest.contains("failed to match any signature")
    {
        return format!("a dry run's `{name}` does not take arguments of these types: cast them");
    }
    if text.contains("does not support logical expression ScalarSubquery") {
        return "a dry run can't try a subquery that gives a value and compares with the row around it by other than `=`".into();
    }
    if text.contains("does not support logical expression OuterReferenceColumn") {
        return "a dry run can't try `lateral`, or a subquery that reads the row around it here".into();
    }
    let here = text.replace("the staging database", "a dry run");
    here.replace(" does not exist in staging", " is nowhere")
}

#[cfg(test)]
mod tests {
    use super::of_dry_run;

    #[test]
    fn messages_name_what_is_missing() {
        let cases = [
            (
                "Invalid function 'to_days'.\nDid you mean 'today'?",
                "a dry run has no function `to_days`",
            ),
            (
                "Internal error: Function 'sum' failed to match any signature, errors: Error during planning: x",
                "a dry run's `sum` does not take arguments of these types: cast them",
            ),
            ("table `t` does not exist in staging", "table `t` is nowhere"),
        ];
        for (given, expected) in cases {
            assert_eq!(of_dry_run(given), expected);
        }
    }
}
