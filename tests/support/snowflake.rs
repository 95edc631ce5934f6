//! A server of the tests' own that speaks Snowflake's protocol: https://github.com/tekumara/fakesnow

use std::net::TcpStream;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::installed;
use super::servers::{free_port, guarded};

struct Server {
    port: u16,
    _guard: Child,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let packages = installed::fakesnow();
        let folder = std::env::temp_dir().join(format!("sequor-snowflake-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the server");
        let port = free_port();
        let mut server = Command::new("python3");
        server
            .arg(packages.join("bin/fakesnow"))
            .args(["-s", "-p", &port.to_string()])
            .env("PYTHONPATH", &packages);
        let guard = guarded(&folder, &server, "TERM");
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                Instant::now() < deadline,
                "the server does not answer on port {port}"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        Server { port, _guard: guard }
    })
}

/// A database of one test.
pub struct Database {
    pub name: String,
    pub port: u16,
}

impl Database {
    /// A new, empty database.
    pub fn new() -> Database {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Database {
            name: format!("T{}_{count}", std::process::id()),
            port: server().port,
        }
    }

    /// The source file of this database.
    pub fn source(&self) -> String {
        format!(
            "type: snowflake\naccount: fakesnow\nuser: sequor\npassword: se cret\ndatabase: {}\nschema: PUBLIC\n\
             host: 127.0.0.1\nport: {}\nprotocol: http\ndriver: {}\n",
            self.name,
            self.port,
            installed::driver("adbc_driver_snowflake").display()
        )
    }
}
