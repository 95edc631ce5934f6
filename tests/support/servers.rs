//! Servers of the tests' own, which end with the test program.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Starts a server. The child's standard input is the server's life line: closed with this process, it stops the server
/// by `signal` and removes the folder.
pub fn guarded(folder: &Path, server: &Command, signal: &str) -> Child {
    let script = format!(
        r#"D=$1; shift; "$@" & P=$!; cat >/dev/null; kill -{signal} $P; pkill -{signal} -P $P; wait $P; rm -rf "$D""#
    );
    let mut guard = Command::new("sh");
    guard
        .args(["-c", &script, "sh"])
        .arg(folder)
        .arg(server.get_program())
        .args(server.get_args())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    for (name, value) in server.get_envs() {
        match value {
            Some(value) => guard.env(name, value),
            None => guard.env_remove(name),
        };
    }
    guard.spawn().expect("the server starts")
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|l| l.local_addr())
        .expect("a free port")
        .port()
}

pub fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    String::from_utf8_lossy(&id.stdout).trim() == "0"
}

/// Runs a future to its end.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}
