//! Observers: the current value first, then again whenever it has changed. What happens between two looks is one look.

use std::sync::{Arc, Weak};

use tokio::sync::watch;

use super::{Inner, Store, StoreError};

/// How often each kind of thing was touched by a commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Revisions {
    pub(super) cases: u64,
    pub(super) households: u64,
    pub(super) visits: u64,
    pub(super) status: u64,
    pub(super) reference: u64,
    /// The device was closed: nothing more comes.
    pub(super) closed: bool,
}

/// What a piece of work touched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Touched {
    pub(super) cases: bool,
    pub(super) households: bool,
    pub(super) visits: bool,
    pub(super) status: bool,
    pub(super) reference: bool,
}

impl Touched {
    pub(super) const ALL: Self = Self { cases: true, households: true, visits: true, status: true, reference: true };
}

/// What a watcher looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Cases, in lists and one by one.
    Cases,
    /// Households, whole and masked.
    Households,
    /// Visits.
    Visits,
    /// What is unsent, refused, when the centre was last heard.
    Status,
    /// Names of areas, organisations and people.
    Reference,
}

/// Announces commits.
#[derive(Debug)]
pub(super) struct Announcer(watch::Sender<Revisions>);

impl Announcer {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Revisions::default()))
    }

    /// What was announced until now.
    #[cfg(test)]
    pub(super) fn revisions(&self) -> Revisions {
        *self.0.borrow()
    }

    pub(super) fn announce(&self, touched: Touched) {
        if touched == Touched::default() {
            return;
        }
        self.0.send_modify(|revisions| {
            revisions.cases += u64::from(touched.cases);
            revisions.households += u64::from(touched.households);
            revisions.visits += u64::from(touched.visits);
            revisions.status += u64::from(touched.status);
            revisions.reference += u64::from(touched.reference);
        });
    }
}

type Query<T> = Arc<dyn Fn(&Store) -> Result<T, StoreError> + Send + Sync>;

/// A value of the store that is looked at again whenever a commit touched it. Dropping it ends it. It has the store only while it looks: one that nobody asks
/// keeps nothing open.
pub struct Watch<T> {
    store: Weak<Inner>,
    revisions: watch::Receiver<Revisions>,
    topics: Vec<Topic>,
    query: Query<T>,
    seen: Option<u64>,
    last: Option<T>,
}

impl<T> std::fmt::Debug for Watch<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("topics", &self.topics).finish_non_exhaustive()
    }
}

impl<T: PartialEq + Clone + Send + 'static> Watch<T> {
    /// The value: at once the first time, afterwards when it is another than the one given last. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the store cannot be read, or the device was closed.
    pub async fn next(&mut self) -> Result<T, StoreError> {
        loop {
            let revision = self.revision()?;
            if self.seen != Some(revision) {
                let (store, query) = (self.store().ok_or(StoreError::Closed)?, Arc::clone(&self.query));
                let value = tokio::task::spawn_blocking(move || query(&store)).await.map_err(|_| StoreError::Closed)??;
                self.seen = Some(revision);
                if self.last.as_ref() != Some(&value) {
                    self.last = Some(value.clone());
                    return Ok(value);
                }
            }
            self.revisions.changed().await.map_err(|_| StoreError::Closed)?;
        }
    }

    fn revision(&mut self) -> Result<u64, StoreError> {
        let revisions = *self.revisions.borrow_and_update();
        if revisions.closed {
            return Err(StoreError::Closed);
        }
        let revision = self
            .topics
            .iter()
            .map(|topic| match topic {
                Topic::Cases => revisions.cases,
                Topic::Households => revisions.households,
                Topic::Visits => revisions.visits,
                Topic::Status => revisions.status,
                Topic::Reference => revisions.reference,
            })
            .sum();
        Ok(revision)
    }
}

impl<T> Watch<T> {
    /// What it looks at, unless that is gone.
    pub(in crate::device) fn store(&self) -> Option<Store> {
        self.store.upgrade().map(|inner| Store { inner, form: None })
    }
}

impl Store {
    /// Watches what `query` reads, which is of these topics.
    pub fn watch<T>(&self, topics: &[Topic], query: impl Fn(&Self) -> Result<T, StoreError> + Send + Sync + 'static) -> Watch<T> {
        let (store, revisions) = (Arc::downgrade(&self.inner), self.inner.announcer.0.subscribe());
        Watch { store, revisions, topics: topics.to_vec(), query: Arc::new(query), seen: None, last: None }
    }

    /// Ends every watch, also those that are still to come: the store is to be closed.
    pub(in crate::device) fn end_watches(&self) {
        self.inner.announcer.0.send_modify(|revisions| revisions.closed = true);
    }

    /// Whether [`Self::end_watches`] was called.
    pub(in crate::device) fn has_ended_watches(&self) -> bool {
        self.inner.announcer.0.borrow().closed
    }

    /// Waits until nobody has the store any more: its files are closed then.
    pub(in crate::device) async fn close(self) {
        let mut announced = self.inner.announcer.0.subscribe();
        // The last one to let go closes files.
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
        // The announcer is the last part of a store to go.
        while announced.changed().await.is_ok() {}
    }
}
