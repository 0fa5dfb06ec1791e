//! The town: its server in this process or in one of its own, and everything a phone needs to join.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::domain::id::OrgId;
use fieldgrid_core::wire::enrol::Invite;
use sync_server::divisions::Division;
use sync_server::http::{self, Limits, Running};
use sync_server::town::{InviteOrder, Town, TownOptions};
use tempfile::TempDir;

use super::Told;
use super::clock::{Day, Machine};
use super::phone::Phone;
use super::process::Centre;

/// 北关街道, 汉台区, 汉中市.
pub const TOWN: &str = "610702001";
/// One of its communities.
const VILLAGE: &str = "610702001001";
/// Most rounds of sync until everything is where it belongs: verdicts, joins, views and what is done again may each need one.
const ROUNDS: usize = 14;

/// A town at one address, with three grids and a department.
#[derive(Debug)]
pub struct Scene {
    /// The seed everything is drawn from.
    pub seed: u64,
    /// The scene's own chance.
    pub rng: Rng,
    /// The shared clock; none where the real one runs.
    pub day: Option<Arc<Day>>,
    /// The grids.
    pub grids: Vec<AreaCode>,
    /// The department.
    pub org: OrgId,
    /// The address that stays the same however often the server is started.
    pub address: SocketAddr,
    options: TownOptions,
    data: PathBuf,
    server: Server,
    folder: TempDir,
    _told: Told,
}

#[derive(Debug)]
enum Server {
    Down,
    Here(Arc<Town>, Running),
    Apart(Centre),
}

impl Scene {
    /// A town whose clock is moved by hand, served by this process.
    pub async fn set(seed: u64) -> Self {
        Self::with(seed, TownOptions::default(), Some(Day::begin())).await
    }

    /// A town in real time: for servers and phones that are processes of their own.
    pub async fn in_real_time(seed: u64) -> Self {
        Self::with(seed, TownOptions::default(), None).await
    }

    /// A town run in another way.
    ///
    /// # Panics
    /// When it cannot be set up.
    pub async fn with(seed: u64, options: TownOptions, day: Option<Arc<Day>>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("town");
        let mut rng = Rng::with_seed(seed);
        let env = Machine::new(day.clone(), rng.u64(..));
        let town = Town::open(&data, options.clone(), env).expect("a new town opens");
        let names = [("6107", "汉中市"), ("610702", "汉台区"), (TOWN, "北关街道"), (VILLAGE, "人民路居委会")];
        let divisions = names.map(|(code, name)| Division { code: code.parse().expect("a code"), name: name.to_owned() });
        town.import_divisions(divisions.to_vec()).await.expect("divisions");
        let grids = town.create_grids(VILLAGE.parse().expect("a code"), 3).await.expect("grids");
        let org = town.create_org("综合执法办公室", TOWN.parse().expect("a code")).await.expect("a department");
        let address = free_address();
        let mut scene = Self { seed, rng, day, grids, org, address, options, data, server: Server::Down, folder, _told: Told(seed) };
        scene.listen(Arc::new(town));
        scene
    }

    /// The town, while this process serves it.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn town(&self) -> &Arc<Town> {
        match &self.server {
            Server::Here(town, _) => town,
            Server::Down | Server::Apart(_) => panic!("the town is not served here"),
        }
    }

    /// A folder for what the test makes.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The town's code.
    ///
    /// # Panics
    /// Never: the code is one.
    #[must_use]
    pub fn code(&self) -> AreaCode {
        TOWN.parse().expect("a code")
    }

    /// Time goes on, where it does not by itself.
    pub fn pass(&self, time: Duration) {
        if let Some(day) = &self.day {
            day.pass(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
        }
    }

    /// A machine in this scene.
    #[must_use]
    pub fn machine(&mut self) -> Arc<Machine> {
        Machine::new(self.day.clone(), self.rng.u64(..))
    }

    /// A one-time code for one phone.
    ///
    /// # Panics
    /// When the town gives none.
    pub async fn invite(&self, role: Role, scope: AreaCode, server: String) -> Invite {
        let org = (role == Role::Department).then_some(self.org);
        let order = InviteOrder { role, org, scopes: vec![scope], name: Some("王芳".to_owned()), valid: Duration::from_secs(600) };
        let code = self.town().invite(order).await.expect("an invitation");
        Invite { server, code: code.code, root: code.root, signs: true }
    }

    /// A phone that has joined, on a line of its own.
    pub async fn phone(&mut self, name: &str, role: Role, scope: AreaCode) -> Phone {
        Phone::join(self, name, role, scope).await
    }

    /// Someone of each role: two in the first grid, one in the second, a rider, the desk, the department.
    pub async fn crew(&mut self) -> Vec<Phone> {
        let (town, first, second) = (self.code(), self.grids[0], self.grids[1]);
        let roles = [
            ("wang", Role::GridMember, first),
            ("li", Role::GridHead, first),
            ("zhao", Role::GridMember, second),
            ("qishou", Role::Rider, town),
            ("desk", Role::TownDispatcher, town),
            ("bumen", Role::Department, town),
        ];
        let mut phones = Vec::new();
        for (name, role, scope) in roles {
            phones.push(self.phone(name, role, scope).await);
        }
        phones
    }

    /// Stops the server in an orderly way.
    ///
    /// # Panics
    /// When it does not stop.
    pub async fn stop(&mut self) {
        match std::mem::replace(&mut self.server, Server::Down) {
            Server::Here(town, running) => {
                running.stop().await.expect("the server stops");
                town.close().await;
            }
            Server::Apart(mut centre) => centre.kill(),
            Server::Down => {}
        }
    }

    /// Serves the town's data in this process.
    ///
    /// # Panics
    /// When the town does not open.
    pub fn serve(&mut self) {
        let env = self.machine();
        let town = Town::open(&self.data, self.options.clone(), env).expect("the town opens again");
        self.listen(Arc::new(town));
    }

    /// Serves the town's data in a process of its own, which can be killed. `program` is the server's binary.
    pub fn serve_apart(&mut self, program: &Path) {
        assert!(self.day.is_none(), "a process of its own has the real clock");
        self.server = Server::Apart(Centre::start(program, &self.data, self.address));
    }

    /// The server's process.
    ///
    /// # Panics
    /// When it is served here.
    #[must_use]
    pub fn centre(&mut self) -> &mut Centre {
        match &mut self.server {
            Server::Apart(centre) => centre,
            Server::Here(..) | Server::Down => panic!("the town is not served apart"),
        }
    }

    /// Stops the server, and makes a town from a backup in its place.
    ///
    /// # Panics
    /// When the backup does not become a town.
    pub async fn restore(&mut self, backup: &Path) {
        self.stop().await;
        let life = self.rng.u32(..);
        self.data = self.path(&format!("restored-{life}"));
        let env = self.machine();
        let town = Town::restore(backup, &self.data, self.options.clone(), env).expect("a backup becomes a town");
        self.listen(Arc::new(town));
    }

    /// Syncs everyone until nothing is left to exchange.
    ///
    /// # Panics
    /// When it does not come to rest.
    pub async fn settle(&self, phones: &[&Phone]) {
        let mut last = Vec::new();
        for _ in 0..ROUNDS {
            last.clear();
            for phone in phones {
                last.push((&phone.name, phone.sync().await, phone.line.last()));
            }
            last.retain(|(_, round, _)| round.entries > 0 || round.receipts > 0 || round.wait.is_some());
            if last.is_empty() {
                return;
            }
        }
        panic!("still not at rest after {ROUNDS} rounds: {last:#?}");
    }

    /// Copies the data folder of the stopped town, as a snapshot of its machine would.
    ///
    /// # Panics
    /// When it cannot be copied.
    #[must_use]
    pub fn copy(&self, name: &str) -> PathBuf {
        assert!(matches!(self.server, Server::Down), "a running database is not copied file by file");
        let copy = self.path(name);
        std::fs::create_dir_all(&copy).expect("a folder");
        for file in std::fs::read_dir(&self.data).expect("the data folder").flatten().filter(|file| file.path().is_file()) {
            std::fs::copy(file.path(), copy.join(file.file_name())).expect("a copy");
        }
        copy
    }

    /// Serves another data folder at the town's address, without `restore`: stops the server first.
    /// Gives the folder that was served before.
    pub async fn swap(&mut self, data: &Path) -> PathBuf {
        self.stop().await;
        let before = std::mem::replace(&mut self.data, data.to_owned());
        self.serve();
        before
    }

    fn listen(&mut self, town: Arc<Town>) {
        let limits = Limits { enrolments_a_minute: 1_000, ..Limits::default() };
        let app = http::App::new(Arc::clone(&town), http::Options { limits, ..http::Options::default() });
        let running = http::start(Arc::clone(&app), http::router(app), self.address, None).expect("the address is free");
        self.server = Server::Here(town, running);
    }
}

/// An address on loopback that nobody has now.
fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address")
}
