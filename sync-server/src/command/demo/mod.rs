//! `demo`: a real town with a dozen phones that go offline and come back, watched in a browser.
//!
//! Everything in it is the real thing: the server with embedded storage, the division tree of Hanzhong, and phones that are the device engine itself with an
//! encrypted store each, over HTTP on loopback. Only the people are invented ([`cast`]).

mod behave;
mod cast;
mod check;
mod clock;
mod ledger;
mod phone;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use fieldgrid_core::device::enrol::EnrolError;
use fieldgrid_core::device::store::{OpenError, SaveError, StoreError as PhoneStoreError};
use fieldgrid_core::device::sync::SyncSummary;
use fieldgrid_core::device::transport::TransportSetupError;
use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::env::Environment;
use fieldgrid_core::record::RecordError;
use fieldgrid_core::wire::enrol::Invite;
use futures_util::future::try_join_all;

use self::behave::Person;
use self::cast::Cast;
use self::check::Report;
use self::clock::{DayClock, DemoEnvironment};
use self::phone::{Phone, Phones, Scene};
use crate::console::{self, Console};
use crate::store::StoreError;
use crate::town::{InviteOrder, Town, TownError, TownOptions};
use crate::{divisions, http};

/// 北关街道, 汉台区, 汉中市.
const TOWN: &str = "610702001";
/// 2026-06-01, 08:00 in Hanzhong.
const MORNING_MS: i64 = 1_780_272_000_000;
/// A fixed day goes on in steps of a quarter of an hour, from eight to six.
const STEP_MS: i64 = 15 * 60_000;
const STEPS: usize = 40;
/// Most rounds of sync until everything is where it belongs. Verdicts, joins and views may each need one.
const LAST_ROUNDS: usize = 12;

/// What `demo` is asked to do.
#[derive(Debug, Clone, clap::Args)]
pub struct Demo {
    /// Play one fixed day, print what it came to, and fail unless everyone agrees to the byte and nothing typed is missing.
    #[arg(long)]
    pub once: bool,
    /// What chance is drawn from: the same seed plays the same day.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Port of the page; 0 takes any that is free.
    #[arg(long, default_value_t = 8470)]
    pub port: u16,
    /// Households in each grid.
    #[arg(long, default_value_t = 40)]
    pub households: usize,
    /// Folder for the server's and the phones' stores; must not exist yet. Without it, one that is removed at the end.
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Write every document as an Automerge file, with what it says as JSON beside it.
    #[arg(long)]
    pub export: Option<PathBuf>,
    /// Print the summary of `--once` as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What went wrong in the demo itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// The server.
    #[error("the server: {0}")]
    Town(#[from] TownError),
    /// The server's store.
    #[error("the server's store: {0}")]
    Store(#[from] StoreError),
    /// A phone's store was not opened.
    #[error("a phone's store was not opened: {0}")]
    Open(#[from] OpenError),
    /// A phone's HTTP.
    #[error("a phone's HTTP: {0}")]
    Transport(#[from] TransportSetupError),
    /// A phone was not enrolled.
    #[error("a phone was not enrolled: {0}")]
    Enrol(#[from] EnrolError),
    /// A phone did not save what was typed.
    #[error("a phone did not save what was typed: {0}")]
    Save(#[from] SaveError),
    /// A phone's store.
    #[error("a phone's store: {0}")]
    PhoneStore(#[from] PhoneStoreError),
    /// A record.
    #[error("a record: {0}")]
    Record(#[from] RecordError),
    /// Files or the port.
    #[error("{0}: {1}")]
    Io(String, std::io::Error),
    /// The division data.
    #[error("the division data: {0}")]
    Divisions(String),
    /// Not everyone agrees.
    #[error("not everyone agrees, or something typed is missing: {0}")]
    Disagreement(usize),
}

/// A town at work.
#[derive(Debug)]
struct Stage {
    town: Arc<Town>,
    phones: Vec<Arc<Phone>>,
    scene: Arc<Scene>,
    day: Option<Arc<DayClock>>,
    server: http::Running,
    rng: Rng,
}

impl Demo {
    /// Plays it.
    ///
    /// # Errors
    /// [`Trouble`], in words.
    pub async fn run(&self, out: &mut dyn Write) -> Result<(), Trouble> {
        let own = self.dir.is_none().then(tempfile::tempdir).transpose().map_err(|error| io("a temporary folder", error))?;
        let dir = self.dir.clone().or_else(|| own.as_ref().map(|own| own.path().to_owned())).unwrap_or_default();
        let mut stage = Stage::set(self, &dir, out).await?;
        stage.survey(self.households, out).await?;
        let outcome = if self.once { stage.play_day(self, out).await } else { stage.play_on(out).await };
        stage.server.stop().await.map_err(|error| io("stopping", error))?;
        stage.town.close().await;
        outcome
    }
}

impl Stage {
    /// Starts the server, opens the town, hands out the phones.
    async fn set(demo: &Demo, dir: &Path, out: &mut dyn Write) -> Result<Self, Trouble> {
        let day = demo.once.then(|| DayClock::new(MORNING_MS));
        let mut rng = Rng::with_seed(demo.seed);
        let mut environment = || -> Arc<dyn Environment> { Arc::new(DemoEnvironment::new(day.clone(), rng.u64(..))) };
        let home: AreaCode = TOWN.parse().map_err(|_| Trouble::Divisions("the town's code".to_owned()))?;

        say(out, "正在开设镇街……  Opening the town …")?;
        let (data, env) = (dir.join("server"), environment());
        let town = Arc::new(blocking(move || Ok(Town::open(&data, TownOptions::default(), env)?)).await?);
        let rows = divisions::read(divisions::HANZHONG.as_bytes(), |_| false).map_err(|error| Trouble::Divisions(error.to_string()))?;
        let communities: Vec<_> =
            rows.iter().filter(|row| home.contains(row.code) && row.code.parent() == Some(home)).map(|row| (row.code, row.name.clone())).collect();
        town.import_divisions(rows).await?;
        let mut seeds = Rng::with_seed(demo.seed.wrapping_add(1));
        let cast = Cast::new(home, &communities, &mut seeds);
        for village in cast.grids.iter().filter_map(|(grid, _)| grid.parent()).collect::<std::collections::BTreeSet<_>>() {
            town.create_grids(village, 2).await?;
        }
        let department = town.create_org(cast::DEPARTMENT, home).await?;

        let board = Arc::new(Phones::default());
        let console = console::router(Console { town: Arc::clone(&town), lock: None, phones: Some(Arc::clone(&board) as Arc<dyn console::PhoneBoard>) });
        let app = http::App::new(Arc::clone(&town), http::Options::default());
        let port = if demo.once { 0 } else { demo.port };
        let server = http::start(Arc::clone(&app), http::router(app).merge(console), ([127, 0, 0, 1], port).into(), None)
            .map_err(|error| io(&format!("port {port} (try --port 0)"), error))?;
        let url = format!("http://{}", server.address);

        say(out, "正在发放手机……  Handing out the phones …")?;
        let mut phones = Vec::new();
        for (number, member) in cast.members.iter().enumerate() {
            let order = InviteOrder {
                role: member.role,
                org: (member.role == Role::Department).then_some(department),
                scopes: vec![member.scope],
                name: Some(member.name.clone()),
                valid: Duration::from_secs(600),
            };
            let code = town.invite(order).await?;
            let invite = Invite { server: url.clone(), code: code.code, root: code.root, signs: true };
            let folder = dir.join("phones").join(format!("{number:02}"));
            std::fs::create_dir_all(&folder).map_err(|error| io("a phone's folder", error))?;
            phones.push(Arc::new(Phone::enrol(member.clone(), &folder, &invite, environment(), seeds.u64(..)).await?));
        }
        // Set once, here; the console asks only afterwards.
        drop(board.0.set(phones.clone()));
        if !demo.once {
            say(out, &format!("\n  请在浏览器打开  Open in a browser:  {url}/console\n"))?;
        }
        let scene = Arc::new(Scene { department, grids: cast.grids.into_iter().map(|(grid, _)| grid).collect() });
        Ok(Self { town, phones, scene, day, server, rng })
    }

    /// Grid members enter the households of their grids and everyone syncs.
    async fn survey(&mut self, households: usize, out: &mut dyn Write) -> Result<(), Trouble> {
        say(out, "网格员正在录入住户……  Grid members enter the households …")?;
        for phone in &self.phones {
            if phone.member.role == Role::GridMember {
                let (worker, scene) = (Arc::clone(phone), Arc::clone(&self.scene));
                blocking(move || worker.survey(households, &scene)).await?;
            }
        }
        self.sync_all(true).await?;
        self.sync_all(true).await?;
        Ok(())
    }

    /// A fixed day, then the evening's reckoning.
    async fn play_day(&mut self, demo: &Demo, out: &mut dyn Write) -> Result<(), Trouble> {
        for _ in 0..STEPS {
            self.step(30, 25).await?;
            if let Some(day) = &self.day {
                day.advance(STEP_MS);
            }
        }
        for phone in &self.phones {
            phone.set_online(true);
        }
        for _ in 0..LAST_ROUNDS {
            let summaries = self.sync_all(true).await?;
            if summaries.iter().all(|summary| summary.entries == 0 && summary.receipts == 0 && summary.wait.is_none()) {
                break;
            }
        }
        let (town, phones) = (Arc::clone(&self.town), self.phones.clone());
        let report = blocking(move || Report::of(&town, &phones)).await?;
        let total = self.phones.iter().fold(SyncSummary::default(), |mut sum, phone| {
            phone::add(&mut sum, &phone.total());
            sum
        });
        print_report(demo, &report, &total, out)?;
        if let Some(folder) = &demo.export {
            let exported = self.export(folder).await?;
            say(out, &format!("导出 {exported} 条记录  Exported {exported} records"))?;
        }
        if report.disagreements.is_empty() { Ok(()) } else { Err(Trouble::Disagreement(report.disagreements.len())) }
    }

    /// Until somebody stops it.
    async fn play_on(&mut self, out: &mut dyn Write) -> Result<(), Trouble> {
        say(out, "按 Ctrl-C 结束。  Ctrl-C ends it.")?;
        loop {
            tokio::select! {
                stopped = tokio::signal::ctrl_c() => return stopped.map_err(|error| io("the signal", error)),
                () = tokio::time::sleep(Duration::from_millis(1500)) => self.step(12, 18).await?,
            }
        }
    }

    /// Some lose the signal, some find it; everyone may do something; who has signal syncs, all at once.
    async fn step(&mut self, lose: u8, find: u8) -> Result<(), Trouble> {
        for phone in &self.phones {
            let desk = phone.member.role == Role::TownDispatcher;
            if phone.online() && !desk && phone.chance(lose) {
                phone.set_online(false);
            } else if !phone.online() && phone.chance(find) {
                phone.set_online(true);
            }
            for _ in 0..self.rng.u8(..3) * Person::diligence(phone.member.role) {
                let (worker, scene) = (Arc::clone(phone), Arc::clone(&self.scene));
                blocking(move || worker.act(&scene)).await?;
            }
        }
        self.sync_all(false).await?;
        Ok(())
    }

    async fn sync_all(&self, everyone: bool) -> Result<Vec<SyncSummary>, Trouble> {
        try_join_all(self.phones.iter().filter(|phone| everyone || phone.online()).map(|phone| phone.sync())).await
    }

    /// Every record, from the first phone that holds it whole: the file, and what `fieldgrid show --json` says of it there.
    async fn export(&self, folder: &Path) -> Result<usize, Trouble> {
        let (phones, folder) = (self.phones.clone(), folder.to_owned());
        blocking(move || {
            std::fs::create_dir_all(&folder).map_err(|error| io("the export folder", error))?;
            let mut done = std::collections::BTreeSet::new();
            for device in phones.iter().filter(|phone| phone.member.role != Role::Rider).map(|phone| &phone.device) {
                for (doc, _) in device.records()? {
                    let (Some(file), Some(detail)) = (device.automerge_file(doc)?, device.detail(doc)?) else { continue };
                    if done.insert(doc) {
                        let json = serde_json::to_string_pretty(&detail).map_err(|error| io("a record as JSON", error.into()))?;
                        std::fs::write(folder.join(format!("{doc}.automerge")), file).map_err(|error| io("an exported record", error))?;
                        std::fs::write(folder.join(format!("{doc}.json")), json).map_err(|error| io("an exported record", error))?;
                    }
                }
            }
            Ok(done.len())
        })
        .await
    }
}

fn say(out: &mut dyn Write, words: &str) -> Result<(), Trouble> {
    writeln!(out, "{words}").and_then(|()| out.flush()).map_err(|error| io("the terminal", error))
}

fn print_report(demo: &Demo, report: &Report, total: &SyncSummary, out: &mut dyn Write) -> Result<(), Trouble> {
    if demo.json {
        return say(out, &serde_json::json!({ "seed": demo.seed, "report": report, "exchanged": total }).to_string());
    }
    let list = |counts: &std::collections::BTreeMap<String, usize>| {
        if counts.is_empty() { "–".to_owned() } else { counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ") }
    };
    say(out, &format!("\n一天结束  The day is over (seed {})", demo.seed))?;
    say(out, &format!("  记录 records               {}", list(&report.records)))?;
    say(out, &format!("  案件状态 cases by state     {}", list(&report.states)))?;
    say(out, &format!("  录入 typed                 {} ({} 离线 offline)", report.typed, report.typed_offline))?;
    say(out, &format!("  回执 receipts              {}", report.receipts))?;
    say(out, &format!("  被拒 refused               {}", list(&report.refused)))?;
    say(out, &format!("  未生效 without effect       {}", list(&report.ineffective)))?;
    say(out, &format!("  待裁决等 flags             {}", list(&report.flags)))?;
    say(out, &format!("  上行/下行 bytes up/down     {} / {}", total.sent_bytes, total.received_bytes))?;
    say(out, &format!("  往返 round trips           {}", total.round_trips))?;
    for line in &report.disagreements {
        say(out, &format!("  ✗ {line}"))?;
    }
    if report.disagreements.is_empty() {
        say(out, "  ✓ 所有手机与服务器逐字节一致，录入无一丢失  All phones and the server agree to the byte; nothing typed is missing")?;
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Trouble> + Send + 'static) -> Result<T, Trouble> {
    tokio::task::spawn_blocking(work).await.map_err(|error| io("a task", std::io::Error::other(error)))?
}

fn io(what: &str, error: std::io::Error) -> Trouble {
    Trouble::Io(what.to_owned(), error)
}
