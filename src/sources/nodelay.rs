//! Small messages that are sent at once. sqlx 0.9.0 has Nagle's algorithm on, and no option for it
//! (<https://github.com/transact-rs/sqlx/issues/4335>): each message behind another then waits for an acknowledgement, which the
//! other end holds back for 40 ms. A COPY of a few rows took 43 ms, and takes 1. To be removed with the sqlx that turns it off.

/// Has connections of this process to a port send small messages at once. Those that are there: it is called when one was opened.
pub fn send_at_once(port: u16) {
    #[cfg(unix)]
    unix::send_at_once(port);
    #[cfg(not(unix))]
    let _ = port;
}

#[cfg(unix)]
mod unix {
    use std::mem::ManuallyDrop;
    use std::net::TcpStream;
    use std::os::fd::{FromRawFd, RawFd};

    /// The files that the process has open: of Linux, and of macOS and the BSDs.
    const FOLDERS: [&str; 2] = ["/proc/self/fd", "/dev/fd"];

    pub fn send_at_once(port: u16) {
        let Some(open) = FOLDERS.iter().find_map(|folder| std::fs::read_dir(folder).ok()) else {
            return;
        };
        let open: Vec<RawFd> = open
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        open.into_iter().for_each(|file| of_one(file, port));
    }

    #[allow(unsafe_code)]
    fn of_one(file: RawFd, port: u16) {
        // It is not closed here, and of what is no such connection the system says so. Where it was closed meanwhile, and is
        // another connection now, that one sends small messages at once, too.
        let stream = ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(file) });
        let is_to = |stream: &TcpStream| stream.peer_addr().is_ok_and(|peer| peer.port() == port);
        if is_to(&stream)
            && let Err(error) = stream.set_nodelay(true)
        {
            tracing::debug!(%error, "small messages are not sent at once");
        }
    }
}
