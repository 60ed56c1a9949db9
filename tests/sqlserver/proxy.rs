//! Between the driver and the server: passes bytes on, but for what a test takes away.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Pass,
    /// Every piece of the server's takes so long.
    Slow(Duration),
    /// Nothing goes through any more, though the connections stay open: as behind a firewall that has forgotten them.
    Silent,
    /// Connections are reset, and new ones closed as soon as they come.
    Down,
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    mode: watch::Sender<Mode>,
    /// Bytes of the server's until the connection that carries them is reset, once.
    cut_after: Arc<Mutex<Option<usize>>>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Proxy {
    pub(crate) fn start(server: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let (mode, watched) = watch::channel(Mode::Pass);
        let cut_after = Arc::<Mutex<Option<usize>>>::default();
        let cut = Arc::clone(&cut_after);
        runtime.spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                if *watched.borrow() == Mode::Down {
                    continue;
                }
                let (watched, cut) = (watched.clone(), Arc::clone(&cut));
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(server).await else { return };
                    client.set_nodelay(true).unwrap();
                    server.set_nodelay(true).unwrap();
                    let ((client_in, client_out), (server_in, server_out)) = (client.into_split(), server.into_split());
                    let mut down = watched.clone();
                    tokio::select! {
                        () = pass(client_in, server_out, watched.clone(), Arc::default()) => {}
                        () = pass(server_in, client_out, watched, cut) => {}
                        _ = down.wait_for(|mode| *mode == Mode::Down) => {}
                    }
                });
            }
        });
        Self { address, mode, cut_after, runtime: Some(runtime) }
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    pub(crate) fn cut_after(&self, bytes: usize) {
        *self.cut_after.lock().unwrap() = Some(bytes);
    }

    /// Whether what was to be cut has been.
    pub(crate) fn has_cut(&self) -> bool {
        self.cut_after.lock().unwrap().is_none()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut mode: watch::Receiver<Mode>, cut: Arc<Mutex<Option<usize>>>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let now = *mode.borrow_and_update();
        match now {
            Mode::Slow(delay) => tokio::time::sleep(delay).await,
            Mode::Silent => {
                // until the mode changes; what was read is lost
                let _ends_with_the_test = mode.wait_for(|mode| *mode != Mode::Silent).await;
                return;
            }
            Mode::Pass | Mode::Down => {}
        }
        let mut bytes = &buffer[..read];
        let mut ends = false;
        {
            let mut cut = cut.lock().unwrap();
            if let Some(left) = cut.as_mut() {
                if *left < bytes.len() {
                    (bytes, ends) = (&bytes[..*left], true);
                    *cut = None;
                } else {
                    *left -= bytes.len();
                }
            }
        }
        if to.write_all(bytes).await.is_err() || ends {
            return;
        }
    }
}
