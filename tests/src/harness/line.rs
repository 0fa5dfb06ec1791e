//! What a phone sends and hears, above the socket: recorded whole, and lost where a test says so. Bytes in the middle of a message are cut by
//! [`crate::link::Link`].

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use fieldgrid_core::device::transport::{Arrived, BoxFuture, Connect, HttpConnect, News, PackPart, Transport, TransportError, TransportSetupError};
use fieldgrid_core::domain::fact::Body;
use fieldgrid_core::domain::id::{Hash, StreamId};
use fieldgrid_core::wire::entry::Entry;
use fieldgrid_core::wire::frame;
use fieldgrid_core::wire::sync::{Answer, PageEntry, Token};

/// Someone who answers in the server's place.
pub trait Between: Send + std::fmt::Debug {
    /// Whether the server gets this request at all.
    fn lets_through(&mut self, request: &[u8]) -> bool;
    /// What the phone is told; `honest` is the server's answer.
    fn answer(&mut self, request: &[u8], honest: Option<Vec<u8>>) -> Vec<u8>;
}

/// The line of one phone. It outlives the phone's app.
#[derive(Debug)]
pub struct Line {
    /// Exchanges until the signal is gone; negative: it stays.
    left: AtomicI64,
    lose_answers: AtomicBool,
    answers: Mutex<Vec<Vec<u8>>>,
    packs: Mutex<Vec<u8>>,
    altered: Mutex<Option<Altered>>,
    between: Mutex<Option<Box<dyn Between>>>,
    asked: AtomicU64,
}

/// What somebody on the way makes of an answer, out of its frame.
struct Altered(Box<dyn FnMut(Vec<u8>) -> Vec<u8> + Send>);

impl std::fmt::Debug for Altered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Altered")
    }
}

impl Default for Line {
    fn default() -> Self {
        Self {
            left: AtomicI64::new(-1),
            lose_answers: AtomicBool::new(false),
            answers: Mutex::default(),
            packs: Mutex::default(),
            altered: Mutex::default(),
            between: Mutex::default(),
            asked: AtomicU64::new(0),
        }
    }
}

impl Line {
    /// The signal is gone after this many more exchanges.
    pub fn lost_after(&self, exchanges: u32) {
        self.left.store(i64::from(exchanges), Ordering::SeqCst);
    }

    /// Somebody on the way alters what is answered, to syncs and enrolments.
    pub fn alter(&self, by: impl FnMut(Vec<u8>) -> Vec<u8> + Send + 'static) {
        *self.altered.lock().unwrap_or_else(PoisonError::into_inner) = Some(Altered(Box::new(by)));
    }

    fn altered(&self, framed: Vec<u8>) -> Vec<u8> {
        match &mut *self.altered.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(Altered(by)) => frame::plain(&by(frame::unwrap(&framed).expect("a frame"))),
            None => framed,
        }
    }

    /// The signal is back, and nobody is on the way.
    pub fn restore(&self) {
        *self.altered.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.left.store(-1, Ordering::SeqCst);
        self.lose_answers.store(false, Ordering::SeqCst);
    }

    /// What is sent arrives, what is answered does not.
    pub fn lose_answers(&self) {
        self.lose_answers.store(true, Ordering::SeqCst);
    }

    /// Puts someone between the phone and the server, or takes him away.
    pub fn put_between(&self, between: Option<Box<dyn Between>>) {
        *self.between.lock().unwrap_or_else(PoisonError::into_inner) = between;
    }

    /// Requests so far, whoever answered them.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    fn with_between<T>(&self, act: impl FnOnce(&mut dyn Between) -> T) -> Option<T> {
        let mut between = self.between.lock().unwrap_or_else(PoisonError::into_inner);
        between.as_mut().map(|between| act(between.as_mut()))
    }

    /// Everything that the phone was told, as plain bytes: names, values and ids are in it as they are.
    ///
    /// # Panics
    /// When an answer cannot be read.
    #[must_use]
    pub fn heard(&self) -> Vec<u8> {
        let mut plain = self.packs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for framed in self.answers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let body = frame::unwrap(framed).expect("a frame");
            let answer = Answer::from_bytes(&body).expect("an answer");
            plain.extend_from_slice(&body);
            for page in &answer.pages {
                for piece in &page.entries {
                    match piece {
                        PageEntry::Entry(Entry::Change(change)) => plain.extend([change.doc.as_bytes().as_slice(), &change.raw].concat()),
                        PageEntry::Entry(Entry::Join(join)) => plain.extend([join.doc.as_bytes().as_slice(), &join.changes.concat()].concat()),
                        PageEntry::Entry(Entry::Fact(fact)) => {
                            plain.extend(fact.subject.iter().flat_map(|subject| *subject.as_bytes()));
                            if let Body::Held(body) = &fact.body {
                                plain.extend_from_slice(body);
                            }
                        }
                        PageEntry::Entry(Entry::Leave(_)) | PageEntry::Own(_) => {}
                    }
                }
            }
        }
        plain
    }

    /// What the phone was told last.
    #[must_use]
    pub fn last(&self) -> Option<Answer> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        Answer::from_bytes(&frame::unwrap(answers.last()?).ok()?).ok()
    }

    fn spend(&self) -> Result<(), TransportError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let spent = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| (left > 0).then_some(left - 1));
        if spent == Err(0) { Err(TransportError::NoNetwork) } else { Ok(()) }
    }
}

/// Connects over HTTP, by a line.
#[derive(Debug, Clone)]
pub struct By(pub Arc<Line>);

impl Connect for By {
    fn connect(&self, server: &str) -> Result<Arc<dyn Transport>, TransportSetupError> {
        Ok(Arc::new(Recorded { inner: HttpConnect::default().connect(server)?, line: Arc::clone(&self.0) }))
    }
}

#[derive(Debug)]
struct Recorded {
    inner: Arc<dyn Transport>,
    line: Arc<Line>,
}

impl Transport for Recorded {
    fn sync(&self, body: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, TransportError>> {
        Box::pin(async move {
            self.line.spend()?;
            let asked = body.clone();
            let through = self.line.with_between(|between| between.lets_through(&asked));
            let honest = if through.unwrap_or(true) { Some(self.inner.sync(body).await) } else { None };
            let told = self.line.with_between(|between| between.answer(&asked, honest.clone().and_then(Result::ok)));
            let answer = match (told, honest) {
                (Some(told), _) => told,
                (None, Some(honest)) => honest?,
                (None, None) => return Err(TransportError::NoNetwork),
            };
            if self.line.lose_answers.load(Ordering::SeqCst) {
                return Err(TransportError::NoNetwork);
            }
            self.line.answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer.clone());
            Ok(self.line.altered(answer))
        })
    }

    fn enrol(&self, body: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, TransportError>> {
        Box::pin(async move { Ok(self.line.altered(self.inner.enrol(body).await?)) })
    }

    fn pack<'a>(&'a self, token: Token, stream: StreamId, sha256: Hash, offset: u64, arrived: Arrived<'a>) -> BoxFuture<'a, PackPart> {
        Box::pin(async move {
            if let Err(broke) = self.line.spend() {
                return PackPart { broke: Some(broke), ..PackPart::default() };
            }
            let part = self.inner.pack(token, stream, sha256, offset, arrived).await;
            self.line.packs.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&part.bytes);
            part
        })
    }

    fn news(&self, token: Token) -> BoxFuture<'_, Result<Box<dyn News>, TransportError>> {
        self.inner.news(token)
    }

    fn authenticates(&self) -> bool {
        self.inner.authenticates()
    }
}
