//! A small schema registry over real sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidewaiter::event::{Registry, RegistryConfig};

/// What the server does with a request.
#[derive(Clone)]
pub(crate) enum Reply {
    Answer(u16, String),
    /// Keeps the connection open and says nothing.
    Silence,
}

/// Path and authorization header.
type Request = (String, Option<String>);

/// Serves until the test ends; every connection is one thread, every response closes its connection.
pub(crate) struct Server {
    pub(crate) address: String,
    pub(crate) requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(crate) fn start(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(reply, |stream: TcpStream, serve: &dyn Fn(&mut dyn Stream)| serve(&mut { stream }))
    }

    /// `wrap` puts a protocol around the socket.
    pub(crate) fn start_with(
        reply: impl Fn(&str) -> Reply + Send + Sync + 'static,
        wrap: impl Fn(TcpStream, &dyn Fn(&mut dyn Stream)) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let (seen, shared) = (Arc::clone(&requests), Arc::new((reply, wrap)));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, shared) = (Arc::clone(&seen), Arc::clone(&shared));
                std::thread::spawn(move || shared.1(stream, &|stream| serve(stream, &shared.0, &seen)));
            }
        });
        Self { address, requests }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn request_count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

pub(crate) trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

fn serve(stream: &mut dyn Stream, reply: &dyn Fn(&str) -> Reply, seen: &Mutex<Vec<Request>>) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => request.push(byte[0]),
            _ => return,
        }
    }
    let request = String::from_utf8(request).unwrap();
    let path = request.split(' ').nth(1).unwrap().to_owned();
    let authorization = request.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("authorization").then(|| value.to_owned())
    });
    seen.lock().unwrap().push((path.clone(), authorization));
    match reply(&path) {
        Reply::Answer(status, body) => {
            let head = format!("HTTP/1.1 {status} Reason\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            // The client may have gone; it says so itself.
            drop(stream.write_all((head + &body).as_bytes()).and_then(|()| stream.flush()));
        }
        Reply::Silence => std::thread::sleep(Duration::from_mins(1)),
    }
}

/// Answers for the schemas of a corpus file, and a registry's 404 for all else.
pub(crate) fn answers(schemas: &Path) -> impl Fn(&str) -> Reply + Clone + Send + Sync + 'static {
    let registered: Vec<serde_json::Value> = serde_json::from_str(&std::fs::read_to_string(schemas).unwrap()).unwrap();
    let bodies: BTreeMap<String, String> = registered
        .iter()
        .map(|entry| {
            let body = serde_json::json!({ "schema": entry["schema"].to_string() });
            (format!("/schemas/ids/{}", entry["id"]), body.to_string())
        })
        .collect();
    move |path| match bodies.get(path) {
        Some(body) => Reply::Answer(200, body.clone()),
        None => Reply::Answer(404, r#"{"error_code":40403,"message":"Schema not found"}"#.to_owned()),
    }
}

/// As `reply`, but for the first `failures` requests, which find the service unavailable.
#[allow(dead_code, reason = "not every test that shares this file has a registry that is away")]
pub(crate) fn after_failures(failures: usize, reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Server {
    let asked = AtomicUsize::new(0);
    Server::start(
        move |path| {
            if asked.fetch_add(1, Ordering::SeqCst) < failures { Reply::Answer(503, String::new()) } else { reply(path) }
        },
    )
}

pub(crate) fn config(urls: &[String]) -> RegistryConfig {
    RegistryConfig::new(urls.iter().map(|url| url.parse().unwrap()).collect())
}

pub(crate) fn client(urls: &[String]) -> Arc<Registry> {
    Arc::new(Registry::new(&config(urls)).unwrap())
}
