//! A collector on loopback, that answers when it is let.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// A request that came in.
#[derive(Debug)]
pub(crate) struct Export {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Export {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Whether it answers.
#[derive(Debug, Default)]
struct Door {
    is_open: Mutex<bool>,
    bell: Condvar,
}

pub(crate) struct Collector {
    pub(crate) url: String,
    pub(crate) exports: Receiver<Export>,
    door: Arc<Door>,
}

impl Collector {
    /// Answers at once.
    pub(crate) fn open() -> Self {
        let collector = Self::silent();
        collector.answer();
        collector
    }

    /// Takes requests, and answers none until it is told to.
    pub(crate) fn silent() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, exports) = channel();
        let door = Arc::new(Door::default());
        let of = Arc::clone(&door);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, door) = (seen.clone(), Arc::clone(&of));
                // A client that goes away ends it.
                thread::spawn(move || _ = serve(&stream, &seen, &door));
            }
        });
        Self { url, exports, door }
    }

    pub(crate) fn answer(&self) {
        *self.door.is_open.lock().unwrap() = true;
        self.door.bell.notify_all();
    }
}

fn serve(stream: &TcpStream, seen: &Sender<Export>, door: &Door) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length").unwrap().1.parse().unwrap();
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        _ = seen.send(Export { path, headers, body });
        let is_open = door.is_open.lock().unwrap();
        drop(door.bell.wait_while(is_open, |is_open| !*is_open).unwrap());
        writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")?;
    }
}
