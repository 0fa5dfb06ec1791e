//! The line between a phone and the town: a TCP relay that counts every byte both ways, and can be slow, cut in the middle of a message, or down.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

/// How fast the line is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Speed {
    /// Bits per second each way; none = as fast as loopback.
    pub bits_per_s: Option<u64>,
    /// What a message and its answer take on the way beside their bytes; opening a connection takes as long.
    pub round_trip: Duration,
}

/// What has crossed the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Bytes from the phone.
    pub up: u64,
    /// Bytes to the phone.
    pub down: u64,
    /// Times the direction turned from up to down: round trips.
    pub turns: u64,
    /// Connections opened.
    pub connections: u64,
}

#[derive(Debug, Default)]
struct Shared {
    up: AtomicU64,
    down: AtomicU64,
    turns: AtomicU64,
    connections: AtomicU64,
    is_down: AtomicBool,
    /// Bytes to the phone until the line is cut; negative = never.
    cut_down_after: AtomicI64,
    /// Bytes from the phone until the line is cut; negative = never.
    cut_up_after: AtomicI64,
}

/// A relay on loopback in front of a server.
#[derive(Debug)]
pub struct Link {
    /// Where the phone connects.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

impl Link {
    /// Opens a line to `server`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn open(server: SocketAddr, speed: Speed) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { cut_down_after: AtomicI64::new(-1), cut_up_after: AtomicI64::new(-1), ..Shared::default() });
        let state = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((phone, _)) = listener.accept().await {
                let state = Arc::clone(&state);
                tokio::spawn(async move {
                    if !state.is_down.load(Ordering::Relaxed) {
                        state.connections.fetch_add(1, Ordering::Relaxed);
                        // A cut line ends both halves; what the error says does not matter to either side.
                        drop(relay(phone, server, speed, &state).await);
                    }
                });
            }
        });
        Ok(Self { address, shared, task })
    }

    /// Base URL for the phone.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What has crossed so far.
    #[must_use]
    pub fn count(&self) -> Count {
        let read = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        Count { up: read(&self.shared.up), down: read(&self.shared.down), turns: read(&self.shared.turns), connections: read(&self.shared.connections) }
    }

    /// No signal: open connections break at their next byte, new ones are closed at once.
    pub fn set_down(&self, down: bool) {
        self.shared.is_down.store(down, Ordering::SeqCst);
    }

    /// Cuts the line once, after this many more bytes to the phone.
    pub fn cut_down_after(&self, bytes: u32) {
        self.shared.cut_down_after.store(i64::from(bytes), Ordering::SeqCst);
    }

    /// Cuts the line once, after this many more bytes from the phone.
    pub fn cut_up_after(&self, bytes: u32) {
        self.shared.cut_up_after.store(i64::from(bytes), Ordering::SeqCst);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Count {
    /// Bytes both ways.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.up + self.down
    }

    /// What crossed since `before`.
    #[must_use]
    pub const fn since(self, before: Self) -> Self {
        Self { up: self.up - before.up, down: self.down - before.down, turns: self.turns - before.turns, connections: self.connections - before.connections }
    }
}

async fn relay(mut phone: TcpStream, server: SocketAddr, speed: Speed, state: &Arc<Shared>) -> std::io::Result<()> {
    // A connection costs a round trip before its first byte.
    if !speed.round_trip.is_zero() {
        sleep(speed.round_trip).await;
    }
    let mut server = TcpStream::connect(server).await?;
    phone.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (phone_in, phone_out) = phone.split();
    let (server_in, server_out) = server.split();
    let last_was_up = AtomicBool::new(false);
    let up = carry(phone_in, server_out, speed, state, &state.cut_up_after, |n| {
        last_was_up.store(true, Ordering::SeqCst);
        state.up.fetch_add(n, Ordering::SeqCst);
    });
    let down = carry(server_in, phone_out, speed, state, &state.cut_down_after, |n| {
        if last_was_up.swap(false, Ordering::SeqCst) {
            state.turns.fetch_add(1, Ordering::SeqCst);
        }
        state.down.fetch_add(n, Ordering::SeqCst);
    });
    tokio::select! {
        ended = up => ended,
        ended = down => ended,
    }
}

/// Carries one direction until it ends or is cut. Bytes leave one after the other at the line's rate and arrive half a round trip later; what is under way
/// does not hold up what follows.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    speed: Speed,
    state: &Shared,
    cut_after: &AtomicI64,
    passed: impl Fn(u64),
) -> std::io::Result<()> {
    let (under_way, mut arriving) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let leave = async move {
        let mut free_at = Instant::now();
        let mut buffer = vec![0; 16 << 10];
        loop {
            let n = from.read(&mut buffer).await?;
            if n == 0 || state.is_down.load(Ordering::Relaxed) {
                return Ok(());
            }
            let (n, cut) = until_cut(cut_after, n);
            passed(n as u64);
            let takes = speed.bits_per_s.map_or(Duration::ZERO, |bits_per_s| Duration::from_secs_f64(n as f64 * 8.0 / bits_per_s as f64));
            free_at = free_at.max(Instant::now()) + takes;
            // The other side's end is noticed where it is written to.
            let gone = under_way.send((free_at + speed.round_trip / 2, buffer[..n].to_vec())).is_err();
            if cut || gone {
                return Ok(());
            }
        }
    };
    let arrive = async {
        while let Some((at, bytes)) = arriving.recv().await {
            if at > Instant::now() {
                sleep_until(at).await;
            }
            if state.is_down.load(Ordering::Relaxed) {
                break;
            }
            to.write_all(&bytes).await?;
        }
        Ok::<(), std::io::Error>(())
    };
    let (left, arrived): (std::io::Result<()>, _) = tokio::join!(leave, arrive);
    left.and(arrived)
}

/// How many of `n` bytes still pass, and whether the line is cut after them.
fn until_cut(left: &AtomicI64, n: usize) -> (usize, bool) {
    let before = left.load(Ordering::SeqCst);
    let n_signed = i64::try_from(n).unwrap_or(i64::MAX);
    if before < 0 {
        return (n, false);
    }
    if before > n_signed {
        left.store(before - n_signed, Ordering::SeqCst);
        return (n, false);
    }
    left.store(-1, Ordering::SeqCst);
    (usize::try_from(before).unwrap_or(0), true)
}
