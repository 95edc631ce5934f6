//! A PostgreSQL server of the tests' own, or the one that `SEQUOR_TEST_POSTGRES` names.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use super::servers::{free_port, guarded, is_root, run};

/// The server, for as long as the test program runs.
struct Server {
    url: String,
    /// Its standard input is the server's life line: closed with this process, it stops the server and removes its data.
    _guard: Option<Child>,
}

/// A database of one test.
pub struct Database {
    pub url: String,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| match std::env::var("SEQUOR_TEST_POSTGRES") {
        Ok(url) => Server {
            url: url.trim_end_matches('/').to_string(),
            _guard: None,
        },
        Err(_) => start(),
    })
}

fn program(name: &str) -> PathBuf {
    let mut folders: Vec<PathBuf> = Vec::new();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|v| v.path().join("bin")));
        folders.sort();
        folders.reverse();
    }
    folders.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    folders
        .into_iter()
        .map(|f| f.join(name))
        .find(|p| p.exists())
        .unwrap_or_else(|| {
            panic!(
                "the tests need PostgreSQL's `{name}`: install it (apt-get install postgresql), \
                 or set SEQUOR_TEST_POSTGRES=postgresql://user:password@host:port"
            )
        })
}

/// PostgreSQL refuses to run as root: there, it runs as another user.
fn command(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let user = ["postgres", "nobody"]
        .into_iter()
        .find(|u| {
            Command::new("id")
                .arg(u)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|s| s.success())
        })
        .expect("a user that is not root, for PostgreSQL");
    let mut command = Command::new("runuser");
    command.args(["-u", user, "--"]).arg(program);
    command
}

fn start() -> Server {
    let own = Own::start("");
    Server {
        url: own.url.clone(),
        _guard: Some(own.guard),
    }
}

/// A server of one test's own, which can be killed.
pub struct Own {
    pub url: String,
    guard: Child,
    data: PathBuf,
    port: u16,
}

impl Own {
    /// Starts a server. `name`: of its folder, among those of the same process.
    pub fn start(name: &str) -> Own {
        let folder = std::env::temp_dir().join(format!("sequor-postgres-{}{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for PostgreSQL");
        if is_root() {
            Command::new("chmod")
                .arg("777")
                .arg(&folder)
                .status()
                .expect("chmod runs");
        }
        let data = folder.join("data");
        let init = command(&program("initdb"))
            .args([
                "-U",
                "sequor",
                "-A",
                "trust",
                "-N",
                "-E",
                "UTF8",
                "--locale=C",
                "--lc-ctype=C.UTF-8",
                "-D",
            ])
            .arg(&data)
            .output()
            .expect("initdb runs");
        assert!(
            init.status.success(),
            "initdb failed: {}",
            String::from_utf8_lossy(&init.stderr)
        );
        let port = free_port();
        let own = Own {
            url: format!("postgresql://sequor@127.0.0.1:{port}"),
            guard: serve(&folder, &data, port),
            data,
            port,
        };
        own.wait();
        own
    }

    /// Kills the server, and starts it again.
    pub fn kill_and_restart(&mut self) {
        let id = std::fs::read_to_string(self.data.join("postmaster.pid")).expect("the server's process");
        let id = id.lines().next().expect("a number").to_string();
        // Its processes see that it is gone, and end.
        let _ = Command::new("kill").args(["-KILL", &id]).output();
        let folder = self.data.parent().expect("a folder").to_path_buf();
        // A server does not start while processes of the one before are still ending.
        for _ in 0..20 {
            // The life line of the one that is gone would remove the folder.
            let before = std::mem::replace(&mut self.guard, serve(&folder, &self.data, self.port));
            std::mem::forget(before);
            if self.answers_within(Duration::from_secs(3)) {
                return;
            }
        }
        panic!("PostgreSQL does not start again on port {}", self.port);
    }

    fn wait(&self) {
        assert!(
            self.answers_within(Duration::from_secs(60)),
            "PostgreSQL does not answer on port {}",
            self.port
        );
    }

    fn answers_within(&self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        let answers =
            || run(async { PgConnection::connect(&format!("{}/postgres", self.url)).await }).is_ok();
        while !answers() {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// Returns its first database.
    pub fn database(&self) -> Database {
        Database {
            url: format!("{}/postgres", self.url),
        }
    }
}

fn serve(folder: &Path, data: &Path, port: u16) -> Child {
    let mut postgres = command(&program("postgres"));
    postgres
        .arg("-D")
        .arg(data)
        .args([
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "fsync=off",
            "-c",
            "max_connections=200",
        ])
        .args(["-c", "unix_socket_directories=", "-p"])
        .arg(port.to_string());
    guarded(folder, &postgres, "INT")
}

impl Database {
    /// A new, empty database.
    pub fn new() -> Database {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "t{}_{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let server = &server().url;
        let admin = Database {
            url: format!("{server}/postgres"),
        };
        admin.execute(&format!("CREATE DATABASE {name}"));
        Database {
            url: format!("{server}/{name}"),
        }
    }

    /// Runs statements.
    pub fn execute(&self, sql: &str) {
        run(async {
            let mut connection = PgConnection::connect(&self.url).await.expect("connects");
            sqlx::raw_sql(AssertSqlSafe(sql.to_string()))
                .execute(&mut connection)
                .await
                .expect("executes");
        });
    }

    /// The rows of a query, each as its columns' text joined by `|`; null is empty.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        run(async {
            let mut connection = PgConnection::connect(&self.url).await.expect("connects");
            let text = format!(
                "SELECT concat_ws('|', VARIADIC ARRAY(SELECT coalesce(v, '') FROM json_each_text(row_to_json(q)) AS e(k, v))) FROM ({sql}) AS q"
            );
            let rows = sqlx::query(AssertSqlSafe(text))
                .fetch_all(&mut connection)
                .await
                .expect("queries");
            rows.iter().map(|r| r.get::<String, _>(0)).collect()
        })
    }

    /// The source file of this database.
    pub fn source(&self) -> String {
        format!("type: postgres\nconn_str: {}\n", self.url)
    }
}
