//! The supervisors' console: pages for people, rendered here. It reads through the store; what a supervisor does goes through admission as a device's batch.
//!
//! The first room is a town: cases by state, the list, what arrives, the phones. It keeps itself fresh by server-sent events and works without JavaScript too.

mod view;
mod words;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Form;
use axum::Router;
use axum::extract::{Path, Query, Request, State as Shared};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::case::State;
use fieldgrid_core::domain::id::{DeviceId, DocId, Hash};
use fieldgrid_core::env::{System, random};
use futures_util::stream::{Stream, unfold};
use serde::Deserialize;

use crate::http;
use crate::store::StoreError;
use crate::town::{Town, TownError};
use view::{Board, CasePage};
use words::Labels;

/// Pages refresh at most this often.
const CALM: Duration = Duration::from_millis(700);
/// Nothing but what the console serves itself runs or loads in its pages.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What a phone says of itself, where someone in this process knows.
#[derive(Debug, Clone, Copy)]
pub struct PhoneSays {
    /// Whether it has signal.
    pub online: bool,
    /// Edits it has not sent.
    pub unsent: u32,
}

/// Knows phones of this very process: the demo's.
pub trait PhoneBoard: Send + Sync + std::fmt::Debug {
    /// What the phone says, when it is one of those.
    fn phone(&self, device: DeviceId) -> Option<PhoneSays>;
}

/// The console of one server.
#[derive(Debug)]
pub struct Console {
    /// The server.
    pub town: Arc<Town>,
    /// What opens it; none where only this machine can reach it.
    pub lock: Option<Lock>,
    /// Phones of this process.
    pub phones: Option<Arc<dyn PhoneBoard>>,
}

/// What opens a console, and what a browser shows that has opened it.
pub struct Lock {
    key: String,
    /// Drawn anew when the server starts: neither the key nor a hash of it that could be tried against word lists, and it ends with the server.
    session: String,
    http: Arc<http::App>,
    secure: bool,
}

impl Lock {
    /// A lock that this key opens. Tries count with the attempts to enrol by `http`; `secure` where browsers come by TLS.
    #[must_use]
    pub fn new(key: String, http: Arc<http::App>, secure: bool) -> Self {
        Self { key, session: Hash(random(&System::new())).to_string(), http, secure }
    }
}

impl std::fmt::Debug for Lock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lock").finish_non_exhaustive()
    }
}

type App = Arc<Console>;

/// The console's routes, all under `/console`.
pub fn router(console: Console) -> Router {
    let app = Arc::new(console);
    let rooms = Router::new()
        .route("/console", get(home))
        .route("/console/towns/{town}", get(town))
        .route("/console/towns/{town}/board", get(board))
        .route("/console/cases/{case}", get(case))
        .route("/console/events", get(events))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&app), guard));
    Router::new()
        .merge(rooms)
        .route("/console/key", post(enter).layer(middleware::from_fn_with_state(Arc::clone(&app), slow)))
        .route("/console/assets/{file}", get(asset))
        .layer(middleware::from_fn(safe_headers))
        .with_state(app)
}

#[derive(Template)]
#[template(path = "console/towns.html")]
struct TownsPage<'a> {
    t: &'a Labels,
    towns: Vec<(AreaCode, String)>,
}

#[derive(Template)]
#[template(path = "console/town.html")]
struct TownPage<'a> {
    t: &'a Labels,
    board: Board,
}

#[derive(Template)]
#[template(path = "console/board.html")]
struct BoardPart<'a> {
    t: &'a Labels,
    board: Board,
}

#[derive(Template)]
#[template(path = "console/case.html")]
struct CaseDetail<'a> {
    t: &'a Labels,
    case: CasePage,
}

#[derive(Template)]
#[template(path = "console/key.html")]
struct KeyPage<'a> {
    t: &'a Labels,
    wrong: Option<&'static str>,
}

#[derive(Debug, Deserialize)]
struct Ask {
    state: Option<State>,
    lang: Option<String>,
}

/// The towns with a desk; where there is one, it is shown at once.
async fn home(Shared(app): Shared<App>, Query(ask): Query<Ask>, headers: HeaderMap) -> Result<Response, Failure> {
    let t = labels(&ask, &headers);
    let towns = blocking(move || app.town.desks()).await?;
    match towns.as_slice() {
        [(only, _)] => Ok(Redirect::to(&format!("/console/towns/{only}")).into_response()),
        _ => Ok(page(&TownsPage { t, towns }, &ask)?.into_response()),
    }
}

async fn town(Shared(app): Shared<App>, Path(area): Path<AreaCode>, Query(ask): Query<Ask>, headers: HeaderMap) -> Result<Response, Failure> {
    let t = labels(&ask, &headers);
    let board = read_board(app, area, ask.state, t).await?;
    Ok(page(&TownPage { t, board }, &ask)?.into_response())
}

async fn board(Shared(app): Shared<App>, Path(area): Path<AreaCode>, Query(ask): Query<Ask>, headers: HeaderMap) -> Result<Response, Failure> {
    let t = labels(&ask, &headers);
    let board = read_board(app, area, ask.state, t).await?;
    Ok(page(&BoardPart { t, board }, &ask)?.into_response())
}

async fn case(Shared(app): Shared<App>, Path(id): Path<DocId>, Query(ask): Query<Ask>, headers: HeaderMap) -> Result<Response, Failure> {
    let t = labels(&ask, &headers);
    let found = blocking(move || Ok(app.town.case(id)?.map(|detail| CasePage::of(&detail, t, app.town.now_ms())))).await?;
    let case = found.ok_or(Failure::NotFound)?;
    Ok(page(&CaseDetail { t, case }, &ask)?.into_response())
}

async fn read_board(app: App, area: AreaCode, filter: Option<State>, t: &'static Labels) -> Result<Board, Failure> {
    blocking(move || Board::read(&app.town, area, filter, t, app.phones.as_deref())).await
}

/// Says `news` whenever something was committed, no oftener than a person can read.
async fn events(Shared(app): Shared<App>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let news = unfold(app.town.all_news(), |mut commits| async move {
        commits.changed().await.ok()?;
        tokio::time::sleep(CALM).await;
        commits.borrow_and_update();
        Some((Ok(Event::default().event("news").data("")), commits))
    });
    Sse::new(news).keep_alive(KeepAlive::default())
}

async fn asset(Path(file): Path<String>) -> Response {
    let (kind, bytes): (_, &'static [u8]) = match file.as_str() {
        "console.css" => ("text/css; charset=utf-8", include_bytes!("../../assets/console.css")),
        "htmx.js" => ("text/javascript", include_bytes!("../../assets/htmx-4.0.1.min.js")),
        "hx-sse.js" => ("text/javascript", include_bytes!("../../assets/hx-sse-4.0.1.min.js")),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "max-age=3600")], bytes).into_response()
}

#[derive(Deserialize)]
struct Key {
    key: String,
}

async fn enter(Shared(app): Shared<App>, headers: HeaderMap, Form(said): Form<Key>) -> Result<Response, Failure> {
    match &app.lock {
        Some(lock) if same(&lock.key, &said.key) => {
            let secure = if lock.secure { "; Secure" } else { "" };
            let cookie = format!("key={}; Path=/console; HttpOnly; SameSite=Strict; Max-Age=43200{secure}", lock.session);
            Ok(([(SET_COOKIE, cookie)], Redirect::to("/console")).into_response())
        }
        _ => locked(StatusCode::FORBIDDEN, &headers, |t| Some(t.key_wrong)),
    }
}

/// Guessing the key is slowed by address, and a key that another site sends is not looked at.
async fn slow(Shared(app): Shared<App>, request: Request, next: Next) -> Result<Response, Failure> {
    if request.headers().get("sec-fetch-site").is_some_and(|site| site != "same-origin") {
        return locked(StatusCode::FORBIDDEN, request.headers(), |_| None);
    }
    match app.lock.as_ref().map_or(Ok(()), |lock| lock.http.attempt(&request)) {
        Ok(()) => Ok(next.run(request).await),
        Err(retry_after_s) => {
            let mut response = locked(StatusCode::TOO_MANY_REQUESTS, request.headers(), |t| Some(t.key_too_often))?;
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after_s));
            Ok(response)
        }
    }
}

/// Lets in who has the key; everyone else sees the page that asks for it.
async fn guard(Shared(app): Shared<App>, request: Request, next: Next) -> Result<Response, Failure> {
    let open = app.lock.as_ref().is_none_or(|lock| cookie(request.headers(), "key").is_some_and(|said| same(&lock.session, said)));
    if open {
        return Ok(next.run(request).await);
    }
    locked(StatusCode::UNAUTHORIZED, request.headers(), |_| None)
}

/// The page that asks for the key.
fn locked(status: StatusCode, headers: &HeaderMap, wrong: fn(&Labels) -> Option<&'static str>) -> Result<Response, Failure> {
    let t = labels(&Ask { state: None, lang: None }, headers);
    Ok((status, Html(KeyPage { t, wrong: wrong(t) }.render()?)).into_response())
}

async fn safe_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// Equal, in a time that does not tell where they differ: their hashes are compared.
fn same(a: &str, b: &str) -> bool {
    Hash::of(&[a.as_bytes()]) == Hash::of(&[b.as_bytes()])
}

fn labels(ask: &Ask, headers: &HeaderMap) -> &'static Labels {
    let said = ask.lang.as_deref().or_else(|| cookie(headers, "lang"));
    Labels::of(said.unwrap_or("zh"))
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(COOKIE)?.to_str().ok()?.split(';').find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

fn page(template: &impl Template, ask: &Ask) -> Result<Response, Failure> {
    let mut response = Html(template.render()?).into_response();
    if let Some(lang) = &ask.lang {
        let lang = if lang.starts_with("en") { "en" } else { "zh" };
        response
            .headers_mut()
            .insert(SET_COOKIE, HeaderValue::from_str(&format!("lang={lang}; Path=/console; SameSite=Lax; Max-Age=31536000")).map_err(|_| Failure::NotFound)?);
    }
    Ok(response)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, TownError> + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Failure::Store(StoreError::Closed.into()))?.map_err(Failure::Store)
}

#[derive(Debug)]
enum Failure {
    NotFound,
    Store(TownError),
    Page(askama::Error),
}

impl From<askama::Error> for Failure {
    fn from(error: askama::Error) -> Self {
        Self::Page(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "没有找到。Not found.").into_response(),
            Self::Store(error) => {
                tracing::error!(%error, "a console page could not be read");
                (StatusCode::SERVICE_UNAVAILABLE, "暂时无法读取，请稍后再试。The store did not answer; try again in a moment.").into_response()
            }
            Self::Page(error) => {
                tracing::error!(%error, "a console page could not be rendered");
                (StatusCode::INTERNAL_SERVER_ERROR, "页面出错，已记录。The page failed; it was logged.").into_response()
            }
        }
    }
}
