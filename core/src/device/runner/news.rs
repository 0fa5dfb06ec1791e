//! The line for "something new": opened beside everything else, opened again ever more rarely where it breaks, and followed at a pace.

use std::future::{Future, pending};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::super::transport::News;

/// First pause before a line that failed is opened again; doubles up to the longest.
const AGAIN: Duration = Duration::from_secs(30);
const AGAIN_CAP: Duration = Duration::from_secs(30 * 60);
/// How often news start a round, in the long run.
const EVERY: Duration = Duration::from_secs(10);
/// How many news start a round at once, after a quiet time.
const AT_ONCE: u32 = 8;

/// What was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// There is something new.
    News,
    /// The line was opened, or it broke.
    Line,
}

/// The line, and when it may be opened again.
#[derive(Default)]
pub(super) struct Listening {
    line: Line,
    failures: u32,
    not_before: Option<Instant>,
    opened: Option<Instant>,
    /// There is something new that was not followed yet.
    news: bool,
    /// When the last of the news that may be followed is used up.
    used_until: Option<Instant>,
}

#[derive(Default)]
enum Line {
    #[default]
    Closed,
    /// Ends with the task that opens it.
    Opening(JoinSet<Option<Box<dyn News>>>),
    Open(Box<dyn News>),
}

impl Listening {
    /// Whether it may be opened now.
    pub(super) fn is_due(&self) -> bool {
        matches!(self.line, Line::Closed) && self.not_before.is_none_or(|at| at <= Instant::now())
    }

    pub(super) const fn is_open(&self) -> bool {
        matches!(self.line, Line::Open(_))
    }

    /// Begins to open the line. Nobody waits for it.
    pub(super) fn open(&mut self, opening: impl Future<Output = Option<Box<dyn News>>> + Send + 'static, runtime: &Handle) {
        let mut task = JoinSet::new();
        task.spawn_on(opening, runtime);
        self.line = Line::Opening(task);
    }

    /// Ends when there is something new and it may be followed, or when the line is another. May be dropped and called again.
    pub(super) async fn hear(&mut self) -> Heard {
        match &mut self.line {
            Line::Closed => pending().await,
            Line::Opening(task) => {
                match task.join_next().await {
                    Some(Ok(Some(line))) => {
                        self.line = Line::Open(line);
                        self.opened = Some(Instant::now());
                    }
                    _ => self.failed(),
                }
                Heard::Line
            }
            Line::Open(line) => {
                if !self.news && line.next().await.is_err() {
                    self.failed();
                    return Heard::Line;
                }
                self.news = true;
                self.follow().await;
                self.news = false;
                Heard::News
            }
        }
    }

    /// Waits until news may be followed again.
    async fn follow(&mut self) {
        let used = self.used_until.unwrap_or_else(Instant::now);
        if let Some(allowed) = used.checked_sub(EVERY * (AT_ONCE - 1)) {
            sleep_until(allowed).await;
        }
        self.used_until = Some(used.max(Instant::now()) + EVERY);
    }

    /// A line that held for a while was a good one; only short ones make the pauses longer.
    fn failed(&mut self) {
        self.line = Line::Closed;
        self.news = false;
        if self.opened.take().is_some_and(|opened| opened.elapsed() > AGAIN_CAP) {
            self.failures = 0;
        }
        self.not_before = Some(Instant::now() + (AGAIN * (1 << self.failures.min(10))).min(AGAIN_CAP));
        self.failures += 1;
    }
}
