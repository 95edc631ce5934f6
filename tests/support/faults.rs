//! A server that breaks the rules: it writes bytes as a test says, and closes as it wants.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the server does with a connection, in order.
#[derive(Debug, Clone)]
pub enum Act {
    Write(Vec<u8>),
    /// A byte at a time, with a pause behind each.
    Drip(Vec<u8>, Duration),
    /// Bytes without end.
    Endless(Vec<u8>),
    /// The connection is reset: the other side finds it broken.
    Reset,
}

/// A well-formed answer.
pub fn good(body: &str) -> Vec<Act> {
    whole("200 OK", "", body)
}

/// An answer with a status and more header lines.
pub fn whole(status: &str, headers: &str, body: &str) -> Vec<Act> {
    vec![Act::Write(
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes(),
    )]
}

/// A server on loopback.
pub struct Faults {
    pub url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Faults {
    /// Starts a server: `act` says what to do with each request, by its number from 0 and its text.
    pub fn start(act: impl Fn(usize, &str) -> Vec<Act> + Send + Sync + 'static) -> Faults {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (kept, act) = (asked.clone(), Arc::new(act));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, act) = (kept.clone(), act.clone());
                std::thread::spawn(move || {
                    let mut stream = stream;
                    let Some(request) = read(&mut stream) else { return };
                    let number = {
                        let mut kept = kept.lock().expect("no panic");
                        kept.push(request.clone());
                        kept.len() - 1
                    };
                    perform(stream, act(number, &request));
                });
            }
        });
        Faults { url, asked }
    }

    /// The requests so far, as they came.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

fn perform(mut stream: TcpStream, acts: Vec<Act>) {
    for act in acts {
        // The client may have gone.
        let done = match act {
            Act::Write(bytes) => stream.write_all(&bytes),
            Act::Drip(bytes, pause) => bytes.chunks(1).try_for_each(|byte| {
                std::thread::sleep(pause);
                stream.write_all(byte)
            }),
            Act::Endless(bytes) => loop {
                if let Err(e) = stream.write_all(&bytes) {
                    break Err(e);
                }
            },
            Act::Reset => {
                // Closing with unread bytes or with no time to linger makes a reset of it.
                let socket = resetting(&stream);
                drop(stream);
                drop(socket);
                return;
            }
        };
        if done.is_err() {
            return;
        }
    }
    let _ = stream.flush();
    let _ = stream.shutdown(Shutdown::Write);
    // What the client still sends is read, so that closing is no reset.
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

/// A stream that is reset when it is dropped.
fn resetting(stream: &TcpStream) -> tokio::net::TcpSocket {
    let copy = stream.try_clone().expect("a copy");
    let socket = tokio::net::TcpSocket::from_std_stream(copy);
    socket.set_zero_linger().expect("linger");
    socket
}

/// The whole request: head, and as much body as it announces.
fn read(stream: &mut TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|l| {
                    l.to_ascii_lowercase()
                        .strip_prefix("content-length:")
                        .map(|n| n.trim().parse::<usize>())
                })
                .and_then(|n| n.ok())
                .unwrap_or(0);
            if body.len() >= length {
                return Some(text);
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(n) => bytes.extend_from_slice(&buffer[..n]),
        }
    }
}
