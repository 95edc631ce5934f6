//! A MariaDB server of the tests' own, or the MySQL server that `SEQUOR_TEST_MYSQL` names.

use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, MySqlConnection};

use super::servers::{free_port, guarded, run};

/// The server, for as long as the test program runs.
struct Server {
    url: String,
    _guard: Option<Child>,
}

/// A database of one test.
pub struct Database {
    pub url: String,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| match std::env::var("SEQUOR_TEST_MYSQL") {
        Ok(url) => Server {
            url: url.trim_end_matches('/').to_string(),
            _guard: None,
        },
        Err(_) => start(),
    })
}

fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders
        .map(|f| f.join(name))
        .find(|p| p.exists())
        .unwrap_or_else(|| {
            panic!(
                "the tests need MariaDB's `{name}`: install it (apt-get install mariadb-server), \
                 or set SEQUOR_TEST_MYSQL=mysql://user:password@host:port"
            )
        })
}

fn start() -> Server {
    let folder = std::env::temp_dir().join(format!("sequor-mysql-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for MariaDB");
    let data = folder.join("data");
    let init = Command::new(program("mariadb-install-db"))
        .args([
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ])
        .arg(format!("--datadir={}", data.display()))
        .arg("--user=root")
        .output()
        .expect("mariadb-install-db runs");
    assert!(
        init.status.success(),
        "mariadb-install-db failed: {}",
        String::from_utf8_lossy(&init.stderr)
    );
    let user = folder.join("user.sql");
    // A statement is a line.
    let grant = "CREATE USER sequor@'%' IDENTIFIED BY 'se cret';\nGRANT ALL ON *.* TO sequor@'%' WITH GRANT OPTION;\n";
    std::fs::write(&user, grant).expect("a file for MariaDB");
    let port = free_port();
    let mut mariadb = Command::new(program("mariadbd"));
    mariadb
        .args([
            "--no-defaults",
            "--user=root",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
        ])
        .args(["--innodb-flush-log-at-trx-commit=0", "--max-connections=300"])
        // Not what Sequor needs: that it asks for it itself is tested.
        .args([
            "--character-set-server=latin1",
            "--collation-server=latin1_swedish_ci",
        ])
        .arg(format!("--datadir={}", data.display()))
        .arg(format!("--socket={}", folder.join("socket").display()))
        .arg(format!("--init-file={}", user.display()))
        .arg(format!("--port={port}"));
    let guard = guarded(&folder, &mariadb, "TERM");
    let url = format!("mysql://sequor:se%20cret@127.0.0.1:{port}");
    let deadline = Instant::now() + Duration::from_secs(30);
    while run(async { MySqlConnection::connect(&url).await }).is_err() {
        assert!(
            Instant::now() < deadline,
            "MariaDB does not answer on port {port}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    Server {
        url,
        _guard: Some(guard),
    }
}

impl Database {
    /// A new, empty database.
    pub fn new() -> Database {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("t{}_{count}", std::process::id());
        let server = &server().url;
        run(async {
            let mut connection = MySqlConnection::connect(server).await.expect("connects");
            sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}")))
                .execute(&mut connection)
                .await
                .expect("executes");
        });
        Database {
            url: format!("{server}/{name}"),
        }
    }

    /// The source file of this database.
    pub fn source(&self) -> String {
        format!("type: mysql\nconn_str: {}\n", self.url)
    }
}
