//! The program, run in a project of the test's own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::installed;

/// A project in a temporary folder, with its home.
pub struct Project {
    folder: TempDir,
}

/// What a run of the program gave.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Project {
    /// A project with a staging source `stage`.
    pub fn new() -> Project {
        let project = Project {
            folder: TempDir::new().expect("a folder"),
        };
        project
            .file("project.yaml", "name: test\nversion: \"1.0\"\n")
            .file("sources/stage.yaml", "type: staging\n")
    }

    /// A copy of a project of the repository.
    pub fn copy(example: &str) -> Project {
        let project = Project {
            folder: TempDir::new().expect("a folder"),
        };
        copy(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join(example),
            &project.path(),
        );
        let _ = std::fs::remove_dir_all(project.path().join("home/project_state"));
        project
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().to_path_buf()
    }

    /// The home folder of its runs.
    pub fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    /// Adds a file.
    pub fn file(self, name: &str, text: &str) -> Project {
        self.write(name, text);
        self
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    /// The text of a file.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Changes the text of a file.
    pub fn replace(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name} holds no {from}");
        self.write(name, &text.replace(from, to));
    }

    /// The program in this project, its home below it.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sequor"));
        command
            .current_dir(self.path())
            .args(["--home-dir", "home"])
            .env("PYTHONPATH", installed::jinja2())
            .args(args);
        for name in [
            "SEQUOR_ENV",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "http_proxy",
            "https_proxy",
        ] {
            command.env_remove(name);
        }
        command
    }

    /// Runs the program.
    pub fn sequor(&self, args: &[&str]) -> Ran {
        self.sequor_with(args, &[])
    }

    /// Runs the program with variables in its environment.
    pub fn sequor_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Ran {
        let output = self
            .command(args)
            .envs(environment.iter().copied())
            .output()
            .expect("sequor runs");
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs a flow that must succeed.
    pub fn run(&self, flow: &str) -> Ran {
        let ran = self.sequor(&["run", flow]);
        assert_eq!(ran.code, 0, "run {flow} failed:\n{}\n{}", ran.stdout, ran.stderr);
        ran
    }

    /// What a query of a source gives: the table as printed, without its frame, cells joined by `|`.
    pub fn rows(&self, source: &str, sql: &str) -> Vec<String> {
        let ran = self.sequor(&["query", source, sql]);
        assert_eq!(ran.code, 0, "query failed: {}", ran.stderr);
        let cells = |line: &str| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            cells.join("|")
        };
        ran.stdout
            .lines()
            .filter(|l| l.starts_with('|'))
            .skip(1)
            .map(cells)
            .collect()
    }
}

/// Interrupts a run, as Ctrl-C (INT) or a scheduler (TERM) does, and gives what it wrote. One that does not end is killed.
pub fn interrupt(mut child: Child, signal: &str) -> Output {
    let (id, signal) = (child.id().to_string(), format!("-{signal}"));
    let signal = Command::new("kill").args([&signal, &id]).status();
    assert!(signal.is_ok_and(|s| s.success()), "kill runs");
    let deadline = Instant::now() + Duration::from_secs(60);
    while child.try_wait().expect("a state").is_none() {
        if Instant::now() > deadline {
            child.kill().expect("killed");
            panic!("the run goes on after an interrupt");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().expect("output")
}

impl Ran {
    /// Everything it wrote.
    pub fn all(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }

    /// The run failed with this exit code, and says all of these.
    pub fn fails(&self, code: i32, says: &[&str]) {
        let all = self.all();
        assert_eq!(self.code, code, "{all}");
        for text in says {
            assert!(all.contains(text), "no `{text}` in:\n{all}");
        }
        assert!(
            !all.contains("panicked") && !all.contains("RUST_BACKTRACE"),
            "{all}"
        );
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        match path.is_dir() {
            true => copy(&path, &target),
            false => {
                std::fs::copy(&path, &target).expect("copies");
            }
        }
    }
}
