//! TLS within TDS: while hands are shaken, each flight travels in packets; then the packets travel in TLS.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_native_tls::{TlsAcceptor, TlsStream};

use crate::tds::{HEADER, PRELOGIN};

pub(crate) struct Handshake {
    stream: TcpStream,
    is_over: Arc<AtomicBool>,
    /// Of the packet that is being read, as far as it came.
    header: Vec<u8>,
    /// Of that packet's body.
    left: usize,
    /// A flight in the making, with its header once it is on its way.
    flight: Vec<u8>,
    sent: usize,
}

/// Shakes hands.
pub(crate) async fn accept(acceptor: &TlsAcceptor, stream: TcpStream) -> io::Result<TlsStream<Handshake>> {
    let is_over = Arc::<AtomicBool>::default();
    let handshake = Handshake { stream, is_over: Arc::clone(&is_over), header: Vec::new(), left: 0, flight: Vec::new(), sent: 0 };
    let stream = acceptor.accept(handshake).await.map_err(io::Error::other)?;
    is_over.store(true, Ordering::SeqCst);
    Ok(stream)
}

impl Handshake {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    fn poll_flight(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.flight.len() > HEADER && self.sent == 0 {
            let length = u16::try_from(self.flight.len()).unwrap().to_be_bytes();
            self.flight[..HEADER].copy_from_slice(&[PRELOGIN, 1, length[0], length[1], 0, 0, 1, 0]);
        }
        while self.sent < self.flight.len() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, &self.flight[self.sent..]))?;
            self.sent += written;
        }
        self.flight.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Handshake {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_over() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        ready!(self.poll_flight(context))?;
        while self.left == 0 {
            let mut rest = [0; HEADER];
            let mut rest = ReadBuf::new(&mut rest[self.header.len()..]);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut rest))?;
            if rest.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            let filled = rest.filled().to_vec();
            self.header.extend(filled);
            if self.header.len() == HEADER {
                self.left = usize::from(u16::from_be_bytes([self.header[2], self.header[3]])) - HEADER;
                self.header.clear();
            }
        }
        let most = self.left.min(buffer.remaining());
        let mut part = vec![0; most];
        let mut part = ReadBuf::new(&mut part);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut part))?;
        self.left -= part.filled().len();
        buffer.put_slice(part.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Handshake {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_over() {
            return Pin::new(&mut self.stream).poll_write(context, bytes);
        }
        if self.flight.is_empty() {
            self.flight = vec![0; HEADER];
        }
        self.flight.extend(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flight(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
