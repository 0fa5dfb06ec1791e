//! What the engine says about its work, for developers. No personal data is in it, as in all of the engine's logs.

use std::fmt::{Debug, Write as _};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, LazyLock, Once};

use tokio::sync::{Mutex, broadcast};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::watch::Cancelled;

/// How much matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, uniffi::Enum)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is odd.
    Warn,
    /// What happens.
    Info,
    /// Each step.
    Debug,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct LogLine {
    /// How much it matters.
    pub level: LogLevel,
    /// The part of the engine.
    pub target: String,
    /// What it says.
    pub text: String,
}

/// Lines that wait for a reader; a slower one misses the oldest.
const KEPT: usize = 512;

static LINES: LazyLock<broadcast::Sender<LogLine>> = LazyLock::new(|| broadcast::Sender::new(KEPT));
/// The most that is asked for: nothing is put into words that nobody reads.
static MOST: AtomicU8 = AtomicU8::new(0);
static INSTALLED: Once = Once::new();

/// Watches the log, from now on. An app's own `tracing` subscriber, where it has one, stays.
#[uniffi::export]
#[must_use]
pub fn observe_log(most: LogLevel) -> Arc<LogWatch> {
    INSTALLED.call_once(|| {
        // Only a program in Rust can have one already.
        let _ = tracing::subscriber::set_global_default(Lines);
    });
    MOST.fetch_max(most as u8 + 1, Ordering::Relaxed);
    tracing::callsite::rebuild_interest_cache();
    Arc::new(LogWatch { most, lines: Mutex::new(LINES.subscribe()), cancelled: Cancelled::not_yet() })
}

/// Watches the log.
#[derive(Debug, uniffi::Object)]
pub struct LogWatch {
    most: LogLevel,
    lines: Mutex<broadcast::Receiver<LogLine>>,
    cancelled: Cancelled,
}

#[uniffi::export]
impl LogWatch {
    /// The next line; none after [`LogWatch::cancel`].
    pub async fn next(&self) -> Option<LogLine> {
        tokio::select! {
            () = self.cancelled.said() => None,
            line = self.line() => Some(line),
        }
    }

    /// Ends it for good: who waits in `next`, and who will.
    pub fn cancel(&self) {
        self.cancelled.say();
    }
}

impl LogWatch {
    async fn line(&self) -> LogLine {
        let mut lines = self.lines.lock().await;
        loop {
            match lines.recv().await {
                Ok(line) if line.level <= self.most => return line,
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

struct Lines;

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("fieldgrid") && (level(*metadata.level()) as u8) < MOST.load(Ordering::Relaxed)
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        // Nobody may be reading just now.
        let _ = LINES.send(LogLine { level: level(*event.metadata().level()), target: event.metadata().target().to_owned(), text: text.0 });
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

const fn level(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        _ => LogLevel::Debug,
    }
}

/// The message first, then its fields.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let gap = if self.0.is_empty() { "" } else { " " };
        // Writing into a string does not fail.
        let _ = if field.name() == "message" { write!(self.0, "{gap}{value:?}") } else { write!(self.0, "{gap}{}={value:?}", field.name()) };
    }
}
