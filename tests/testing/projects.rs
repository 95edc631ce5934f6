//! The projects to begin with, and those of `examples`: their tests pass.

use crate::support::program::Project;

#[test]
fn a_new_project_has_tests_that_pass_and_can_fail() {
    let templates = [
        (None, "starter", 3),
        (Some("shopify-to-mailchimp"), "shopify_mailchimp", 3),
        (Some("postgres-to-api"), "postgres_to_api", 2),
        (Some("api-to-duckdb"), "api_to_duckdb", 1),
    ];
    for (template, example, tests) in templates {
        let project = Project::new();
        let mut args = vec!["init", "made"];
        args.extend(template.iter().flat_map(|name| ["--template", name]));
        let made = project.sequor(&args);
        assert_eq!(made.code, 0, "{}", made.all());
        let ran = project.sequor(&["-p", "made", "test", "--coverage"]);
        assert_eq!(ran.code, 0, "{example}: {}", ran.all());
        assert!(ran.stdout.contains(&format!(": {tests} passed")), "{}", ran.all());
        assert!(ran.stdout.contains("(100 %)"), "{}", ran.all());
        let valid = project.sequor(&["-p", "made", "validate"]);
        assert_eq!(valid.code, 0, "{example}: {}", valid.all());
        // What `init` says to try works.
        let tried = made
            .stdout
            .lines()
            .find_map(|line| line.trim().strip_prefix("sequor run "));
        if let Some(tried) = tried {
            let mut args = vec!["-p", "made", "run"];
            let tried = tried.replace("recordings", "made/recordings");
            args.extend(tried.split_whitespace());
            let ran = project.sequor(&args);
            assert_eq!(ran.code, 0, "{example}: {}", ran.all());
        }
        // The same project stands in `examples`.
        let copied = Project::copy(&format!("examples/{example}"));
        let ran = copied.sequor(&["test"]);
        assert_eq!(ran.code, 0, "{example}: {}", ran.all());
    }
    let project = Project::new();
    project
        .sequor(&["init", "made", "--template", "shopify-to-mailchip"])
        .fails(2, &["did you mean `shopify-to-mailchimp`?"]);
    project.sequor(&["init", "made"]);
    project
        .sequor(&["init", "made"])
        .fails(2, &["made is a project already"]);
}

#[test]
fn the_example_is_tried_without_servers_and_credentials() {
    let project = Project::copy("examples/shopify_mailchimp");
    std::fs::remove_dir_all(project.path().join("home")).unwrap();
    let ran = project.sequor(&["run", "shopify_mailchimp", "--dry-run", "--replay", "recordings"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    for text in [
        "snowflake.customer_metrics: created, 4 rows",
        "Ada@example.com",
        "62.10",
    ] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.all());
    }
    // Without its recordings, what it would send is shown, too.
    std::fs::remove_dir_all(project.path().join("recordings/update_members")).unwrap();
    let ran = project.sequor(&[
        "run",
        "shopify_mailchimp",
        "--dry-run",
        "--offline",
        "--replay",
        "recordings",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    for text in [
        "update_members: 4 PATCH",
        r#"{"merge_fields":{"TOTALSPENT":"#,
        "not set: mailchimp_api_key, shopify_token",
    ] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.all());
    }
    assert!(!project.home().join("project_state").exists());
}
