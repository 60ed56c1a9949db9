//! Between clients and a broker: passes everything on, but for what a test takes away.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use xtask::kafka::Gateway;

/// What gets lost, once, and with it everything that follows on the same connection in that direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The next request of this kind.
    Request(i16),
    /// The answer to the next request of this kind.
    Answer(i16),
}

pub(crate) const PRODUCE: i16 = 0;
/// `EndTxn`: commits or aborts.
pub(crate) const END_TXN: i16 = 26;

impl Loss {
    fn kind(self) -> i16 {
        let (Self::Request(kind) | Self::Answer(kind)) = self;
        kind
    }
}

/// What a test does to all connections.
#[derive(Default)]
struct Weather {
    /// Those that are still to come, in turn.
    losses: Mutex<VecDeque<Loss>>,
    /// By which every frame is late, in ms.
    delay: AtomicU64,
}

/// Listens until it is dropped: the next test's may be at the same entrance.
pub(crate) struct Proxy {
    entrance: u16,
    weather: Arc<Weather>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
    closing: Arc<AtomicBool>,
    listens: Option<JoinHandle<()>>,
}

impl Proxy {
    pub(crate) fn start(gateway: Gateway) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, gateway.entrance)).unwrap();
        let (weather, connections) = (Arc::<Weather>::default(), Arc::<Mutex<Vec<TcpStream>>>::default());
        let (shared, open, closing) = (Arc::clone(&weather), Arc::clone(&connections), Arc::<AtomicBool>::default());
        let closes = Arc::clone(&closing);
        let listens = thread::spawn(move || {
            for client in listener.incoming() {
                if closes.load(Ordering::SeqCst) {
                    return;
                }
                // a broker that is down refuses, and so does the proxy
                if let Ok(broker) = TcpStream::connect((Ipv4Addr::LOCALHOST, gateway.exit)) {
                    let client = client.unwrap();
                    open.lock().unwrap().push(client.try_clone().unwrap());
                    connect(client, broker, Arc::clone(&shared));
                }
            }
        });
        Self { entrance: gateway.entrance, weather, connections, closing, listens: Some(listens) }
    }

    pub(crate) fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.entrance)
    }

    pub(crate) fn lose(&self, loss: Loss) {
        self.weather.losses.lock().unwrap().push_back(loss);
    }

    /// Whether everything that was to be lost has been.
    pub(crate) fn has_lost(&self) -> bool {
        self.weather.losses.lock().unwrap().is_empty()
    }

    /// From now on every frame comes so much later.
    pub(crate) fn delay(&self, delay: Duration) {
        self.weather.delay.store(u64::try_from(delay.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Cuts every connection that there is. Clients may connect again.
    pub(crate) fn cut(&self) {
        for connection in self.connections.lock().unwrap().drain(..) {
            let _may_be_closed_already = connection.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        self.cut();
        // wakes it
        if TcpStream::connect((Ipv4Addr::LOCALHOST, self.entrance)).is_ok()
            && let Some(listens) = self.listens.take()
        {
            listens.join().ok();
        }
    }
}

/// Two threads a connection.
fn connect(client: TcpStream, broker: TcpStream, weather: Arc<Weather>) {
    let deaf = Arc::new(AtomicBool::new(false));
    let (to_broker, to_client) = (broker.try_clone().unwrap(), client.try_clone().unwrap());
    let answers_are_lost = Arc::clone(&deaf);
    let slow = Arc::clone(&weather);
    thread::spawn(move || {
        let _ends_when_either_side_does = pass(&client, &to_broker, |frame| {
            slow.wait();
            let kind = i16::from_be_bytes([frame[4], frame[5]]);
            let mut losses = slow.losses.lock().unwrap();
            match losses.front() {
                Some(loss) if loss.kind() == kind => {
                    let passes = matches!(loss, Loss::Answer(_));
                    deaf.store(passes, Ordering::SeqCst);
                    losses.pop_front();
                    passes
                }
                _ => true,
            }
        });
        let _may_be_closed_already = to_broker.shutdown(Shutdown::Both);
    });
    thread::spawn(move || {
        let _ends_when_either_side_does = pass(&broker, &to_client, |_| {
            weather.wait();
            !answers_are_lost.load(Ordering::SeqCst)
        });
        let _may_be_closed_already = to_client.shutdown(Shutdown::Both);
    });
}

impl Weather {
    fn wait(&self) {
        let delay = self.delay.load(Ordering::SeqCst);
        if delay > 0 {
            thread::sleep(Duration::from_millis(delay));
        }
    }
}

/// Passes frames on, size included, as long as it shall; then reads on and keeps what it reads.
fn pass(mut from: &TcpStream, mut to: &TcpStream, mut shall: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
    let mut passes = true;
    loop {
        let mut size = [0; 4];
        from.read_exact(&mut size)?;
        let mut frame = size.to_vec();
        let length = u64::from(u32::from_be_bytes(size));
        from.take(length).read_to_end(&mut frame)?;
        passes = passes && shall(&frame);
        if passes {
            to.write_all(&frame)?;
        }
    }
}
