//! A phone in the demo: the real engine with its own encrypted store, over real HTTP.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use fastrand::Rng;
use fieldgrid_core::device::store::{OpenOptions, SaveError};
use fieldgrid_core::device::sync::SyncSummary;
use fieldgrid_core::device::{Device, DeviceOptions};
use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::id::{DeviceId, OrgId};
use fieldgrid_core::env::Environment;
use fieldgrid_core::wire::enrol::Invite;
use tokio::runtime::Handle;

use super::Trouble;
use super::behave::Person;
use super::cast::Member;
use super::ledger::{Entry, Ledger};
use crate::console::{PhoneBoard, PhoneSays};

/// What everyone knows.
#[derive(Debug)]
pub struct Scene {
    /// The department that cases go to.
    pub department: OrgId,
    /// The grids.
    pub grids: Vec<AreaCode>,
}

/// Someone's phone.
#[derive(Debug)]
pub struct Phone {
    /// Whose.
    pub member: Member,
    /// The engine.
    pub device: Device,
    /// What was typed on it.
    pub ledger: Mutex<Ledger>,
    id: DeviceId,
    online: AtomicBool,
    rng: Mutex<Rng>,
    total: Mutex<SyncSummary>,
    env: Arc<dyn Environment>,
}

impl Phone {
    /// Unpacks a phone, gives it a random store key, and enrols it with the centre's code.
    ///
    /// # Errors
    /// When the store cannot be made or the centre does not enrol it.
    pub async fn enrol(member: Member, folder: &Path, invite: &Invite, env: Arc<dyn Environment>, seed: u64) -> Result<Self, Trouble> {
        let mut rng = Rng::with_seed(seed);
        let mut key = [0; 32];
        rng.fill(&mut key);
        let options = DeviceOptions::new(OpenOptions::new(folder.join("phone.db"), key, Arc::clone(&env)));
        let device = Device::open(options, Handle::current())?;
        let identity = device.enrol(invite).await?;
        Ok(Self {
            member,
            device,
            ledger: Mutex::default(),
            id: identity.device,
            online: AtomicBool::new(true),
            rng: Mutex::new(rng),
            total: Mutex::default(),
            env,
        })
    }

    /// Whether it has signal.
    pub fn online(&self) -> bool {
        self.online.load(Ordering::SeqCst)
    }

    /// Walks into a stairwell, or out of it.
    pub fn set_online(&self, online: bool) {
        self.online.store(online, Ordering::SeqCst);
    }

    /// Its owner does something.
    ///
    /// # Errors
    /// When the phone would not save what was typed.
    pub fn act(&self, scene: &Scene) -> Result<(), Trouble> {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        let person = Person { member: &self.member, device: &self.device, department: scene.department, grids: &scene.grids, now_ms: self.env.wall_ms() };
        match person.act(&mut rng) {
            Ok(typed) => typed.into_iter().for_each(|typed| self.note(typed)),
            // He said what the record already says.
            Err(SaveError::Nothing) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Its owner enters the households of the grid.
    ///
    /// # Errors
    /// When the phone would not save what was typed.
    pub fn survey(&self, households: usize, scene: &Scene) -> Result<(), Trouble> {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        let person = Person { member: &self.member, device: &self.device, department: scene.department, grids: &scene.grids, now_ms: self.env.wall_ms() };
        for number in 0..households {
            self.note(person.survey(self.member.scope, number, &mut rng)?);
        }
        Ok(())
    }

    /// Exchanges everything with the centre.
    ///
    /// # Errors
    /// When HTTP cannot be set up at all; a lost line is in the summary.
    pub async fn sync(&self) -> Result<SyncSummary, Trouble> {
        let summary = self.device.sync_now().await?;
        add(&mut self.total.lock().unwrap_or_else(PoisonError::into_inner), &summary);
        Ok(summary)
    }

    /// What it has exchanged in all.
    pub fn total(&self) -> SyncSummary {
        self.total.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A chance with this probability in per cent, from the phone's own randomness.
    pub fn chance(&self, per_cent: u8) -> bool {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).u8(..100) < per_cent
    }

    fn note(&self, typed: super::ledger::Typed) {
        let entry = Entry { typed, offline: !self.online() };
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).entries.push(entry);
    }
}

/// Adds what one round exchanged to a sum.
pub fn add(sum: &mut SyncSummary, round: &SyncSummary) {
    sum.sent_bytes += round.sent_bytes;
    sum.received_bytes += round.received_bytes;
    sum.round_trips += round.round_trips;
    sum.entries += round.entries;
    sum.receipts += round.receipts;
    sum.refused += round.refused;
    sum.packs += round.packs;
}

/// All phones, for the console.
#[derive(Debug, Default)]
pub struct Phones(pub OnceLock<Vec<Arc<Phone>>>);

impl PhoneBoard for Phones {
    fn phone(&self, device: DeviceId) -> Option<PhoneSays> {
        let phone = self.0.get()?.iter().find(|phone| phone.id == device)?;
        let unsent = phone.device.status().ok()?.store.unsent;
        Some(PhoneSays { online: phone.online(), unsent })
    }
}
