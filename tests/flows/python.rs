//! The interpreter: imports, virtualenvs, the 1.x form, and an interrupt while it works.

use indoc::indoc;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::program::{Project, interrupt};

#[test]
fn packages_of_the_active_virtualenv_can_be_imported() {
    let project = Project::new().file(
        "flows/f.yaml",
        indoc! {"
            - op: print
              message_expression: |
                import only_here, sys, json
                return only_here.word + ' ' + str(sys.prefix.endswith('venv'))
        "},
    );
    let made = Command::new("python3")
        .args(["-m", "venv", "--without-pip"])
        .arg(project.path().join("venv"))
        .status();
    assert!(made.expect("python3 runs").success());
    let lib = std::fs::read_dir(project.path().join("venv/lib"))
        .expect("lib")
        .flatten()
        .next()
        .expect("python");
    std::fs::write(lib.path().join("site-packages/only_here.py"), "word = 'found'\n").expect("writes");
    let run = |env: Option<&str>| {
        let mut command = project.command(&["run", "f", "-q"]);
        match env {
            Some(env) => command.env("VIRTUAL_ENV", project.path().join(env)),
            None => command.env_remove("VIRTUAL_ENV"),
        };
        let output = command.output().expect("runs");
        format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    };
    assert_eq!(run(Some("venv")), "found True\n");
    assert!(run(None).contains("No module named 'only_here'"));
}

#[test]
fn every_form_of_an_expression() {
    let project = Project::new().file(
        "flows/f.yaml",
        r#"
- {op: set_variable, set: {n: 2, l: [1, 2]}}
- {op: print, message_expression: "var('n') + 1"}
- op: print
  message_expression: |

    # a comment first
    total = sum(var('l'))
    return f"{total} {'{{ var('n') }}'}"
- op: print
  message_expression: |
    def helper(x):
        return x * 10
    def evaluate(context):
        return helper(context.var('n'))
- op: print
  message_expression: "[x for x in range(3)]"
- op: print
  message_expression: |
    text = """
    kept as it is"""
    return text
"#,
    );
    assert_eq!(
        project.run("f").stdout,
        "3\n3 2\n20\n[0, 1, 2]\n\nkept as it is\n"
    );
}

#[test]
fn an_interrupt_stops_in_order() {
    let project = Project::new().file(
        "flows/f.yaml",
        indoc! {"
            - {op: print, message: now}
            - op: print
              message_expression: |
                import time
                time.sleep(30)
            - {op: print, message: never}
        "},
    );
    let child = project
        .command(&["run", "f"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    std::thread::sleep(Duration::from_millis(1500));
    let output = interrupt(child, "INT");
    assert_eq!(output.status.code(), Some(130));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("interrupted"), "{text}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "now\n");
}
