//! A town in a folder of its own, with its routes.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::env::System;
use fieldgrid_core::wire::enrol::Invite;
use fieldgrid_core::wire::error::ErrorBody;
use fieldgrid_core::wire::frame;
use sync_server::divisions;
use sync_server::http::{self, App, Options};
use sync_server::town::{InviteOrder, Town, TownOptions};
use tempfile::TempDir;
use tower::ServiceExt;

pub struct Desk {
    pub dir: TempDir,
    pub town: Arc<Town>,
    pub app: Arc<App>,
}

impl Desk {
    pub fn open(options: Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().to_owned();
        // Opening blocks, which a runtime's thread may not.
        let opened = std::thread::spawn(move || Town::open(&data, TownOptions::default(), Arc::new(System::new())));
        let town = Arc::new(opened.join().unwrap().unwrap());
        Self { app: App::new(Arc::clone(&town), options), dir, town }
    }

    /// One grid of the real tree.
    pub async fn with_a_grid(self) -> Self {
        self.town.import_divisions(divisions::read(divisions::HANZHONG.as_bytes(), |_| false).unwrap()).await.unwrap();
        self.town.create_grids("610702001001".parse().unwrap(), 1).await.unwrap();
        self
    }

    /// An invitation into that grid.
    pub async fn invite(&self, role: Role, server: &str) -> Invite {
        let scopes = vec!["610702001001001".parse().unwrap()];
        let order = InviteOrder { role, org: None, scopes, name: None, valid: Duration::from_secs(60) };
        let code = self.town.invite(order).await.unwrap();
        Invite { server: server.to_owned(), code: code.code, root: code.root, signs: true }
    }

    pub fn router(&self) -> Router {
        http::router(Arc::clone(&self.app))
    }

    pub async fn ask(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.router().oneshot(request).await.unwrap().into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.ask(Request::post(path).body(body.into()).unwrap()).await
    }
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn error(&self) -> ErrorBody {
        minicbor::decode(&frame::unwrap(&self.body).unwrap()).unwrap()
    }

    /// Status, headers and error as they are pinned.
    pub fn shown(&self) -> String {
        let mut headers: Vec<_> = self.headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap())).collect();
        headers.sort();
        format!("{}\n{}{:?}", self.status, headers.concat(), self.error())
    }
}
