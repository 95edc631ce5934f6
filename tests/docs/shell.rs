//! What shells and `man` are given.

use std::process::Command;

use tempfile::TempDir;

use super::sequor;

#[test]
fn shells_complete_words() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = sequor(&["completions", shell]);
        for word in ["validate", "dry-run", "doctor"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
    }
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("sequor.bash");
    std::fs::write(&file, sequor(&["completions", "bash"])).unwrap();
    let script = format!(
        "source {}; COMP_WORDS=(sequor pl); COMP_CWORD=1; _sequor sequor pl sequor; echo \"${{COMPREPLY[@]}}\"",
        file.display()
    );
    let completed = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&completed.stdout).trim(),
        "plan",
        "{completed:?}"
    );
}

#[test]
fn each_command_has_a_manual_page() {
    let folder = TempDir::new().unwrap();
    let pages = folder.path().join("man1");
    sequor(&["man", &pages.to_string_lossy()]);
    for page in ["sequor.1", "sequor-run.1", "sequor-test-new.1"] {
        let text = std::fs::read_to_string(pages.join(page)).unwrap();
        assert!(text.contains(".SH NAME") && text.contains("sequor"), "{page}");
    }
    let refused = Command::new(env!("CARGO_BIN_EXE_sequor"))
        .args(["man", "/proc/nowhere"])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
}
