//! A phone of the benchmark: the real engine with its own encrypted store, over real HTTP through a line that counts.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fieldgrid_core::device::enrol::enrol;
use fieldgrid_core::device::runner::{Pace, Runner};
use fieldgrid_core::device::store::{OpenOptions, Store};
use fieldgrid_core::device::sync::SyncSummary;
use fieldgrid_core::device::transport::{Connect, HttpConnect, Transport};
use fieldgrid_core::domain::action::{Action, ActionKind};
use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::grant::{Author, Role};
use fieldgrid_core::domain::id::{ActionId, DocId};
use fieldgrid_core::env::System;
use fieldgrid_core::record::{Command, Content};
use fieldgrid_tests::link::{Count, Link, Speed};
use fieldgrid_tests::workload::{self, CaseRecord, HouseholdRecord, Record, Workload};
use tokio::runtime::Handle;

use crate::Outcome;
use crate::server::Server;

/// A phone.
#[derive(Debug)]
pub struct Phone {
    pub store: Store,
    options: OpenOptions,
    server: std::net::SocketAddr,
}

/// What an exchange came to.
#[derive(Debug, Clone, Copy)]
pub struct Exchange {
    pub took: Duration,
    pub count: Count,
}

impl Phone {
    /// A new phone, enrolled.
    pub async fn enrol(folder: &Path, server: &mut Server, role: Role, scopes: &[AreaCode]) -> Outcome<Self> {
        let invite = server.invite(role, scopes)?;
        let options = OpenOptions::new(folder.join(format!("{}.db", uuid::Uuid::now_v7())), [7; 32], Arc::new(System::new()));
        let store = Store::open(&options)?;
        enrol(&store, &*transport(&invite.server)?, &invite).await?;
        Ok(Self { store, options, server: server.address })
    }

    /// Exchanges everything over a new line.
    pub async fn sync(&self, speed: Speed) -> Outcome<Exchange> {
        let line = Line::open(self, speed).await?;
        line.sync().await
    }

    /// Closes the store and opens it again, until `first_screen` is answered.
    pub fn reopen(self, first_screen: impl FnOnce(&Store) -> Outcome<()>) -> Outcome<(Self, Duration)> {
        let Self { store, options, server } = self;
        drop(store);
        let started = Instant::now();
        let store = Store::open(&options)?;
        first_screen(&store)?;
        let took = started.elapsed();
        Ok((Self { store, options, server }, took))
    }

    pub fn author(&self) -> Outcome<Author> {
        Ok(self.store.enrolled().ok_or("not enrolled")?.grant.author())
    }

    /// Device `d`'s evening as commands for this phone.
    pub fn evening(&self, workload: &Workload, d: usize) -> Outcome<Vec<(DocId, Command)>> {
        evening(workload, d, &self.author()?, |doc| Ok(self.store.record(doc)?.ok_or("a record is not on the phone")?.read()))
    }

    /// Saves an evening's forms, one after the other. Gives how long each took.
    pub fn save(&self, commands: &[(DocId, Command)]) -> Outcome<Vec<Duration>> {
        let saves = commands.iter().map(|(doc, command)| {
            let started = Instant::now();
            self.store.save(*doc, command)?;
            Ok(started.elapsed())
        });
        saves.collect()
    }

    /// Every record that it holds, in the generator's words.
    pub fn records(&self) -> Outcome<Vec<Record>> {
        let read = |doc| -> Outcome<Record> {
            Ok(match self.store.record(doc)?.ok_or("a record is gone")?.read() {
                Content::Case(actions) => Record::Case(CaseRecord::read(&actions).ok_or("a case that cannot be told in the generator's words")?),
                Content::Household(household) => {
                    let values: BTreeMap<_, _> = household
                        .persons
                        .values()
                        .filter_map(|fields| fieldgrid_core::domain::household::text(fields, "id_no")?.parse().ok())
                        .map(|fact| Ok((fact, self.store.sensitive_value(fact)?)))
                        .collect::<Outcome<_>>()?;
                    Record::Household(HouseholdRecord::read(&household, |fact| values.get(&fact).cloned().flatten()))
                }
            })
        };
        self.store.records()?.into_iter().map(|(doc, _)| read(doc)).collect()
    }

    /// Fails unless the phone holds exactly these records, every field and every event of them.
    pub fn check(&self, expected: &[Record]) -> Outcome<()> {
        self.check_digest(&workload::digest(expected))
    }

    pub fn check_digest(&self, expected: &str) -> Outcome<()> {
        let held = self.records()?;
        if workload::digest(&held) == expected { Ok(()) } else { Err(format!("the phone's {} records are not those of the workload", held.len()).into()) }
    }

    /// Fails unless the centre has received everything and refused nothing.
    pub fn check_delivered(&self) -> Outcome<()> {
        let status = self.store.status()?;
        if (status.unsent, status.refused, status.parked) == (0, 0, 0) { Ok(()) } else { Err(format!("not everything arrived: {status:?}").into()) }
    }
}

/// A phone with a connection.
#[derive(Debug)]
pub struct Line {
    link: Link,
    runner: Runner,
}

impl Line {
    pub async fn open(phone: &Phone, speed: Speed) -> Outcome<Self> {
        let link = Link::open(phone.server, speed).await?;
        let transport = transport(&link.url())?;
        let runner = Runner::new(Arc::new(phone.store.clone()), transport, Arc::new(System::new()), Handle::current(), Pace::default());
        Ok(Self { link, runner })
    }

    pub async fn sync(&self) -> Outcome<Exchange> {
        let (before, started) = (self.link.count(), Instant::now());
        let summary = self.runner.sync_once().await;
        let took = started.elapsed();
        if let SyncSummary { wait: Some(wait), .. } = summary {
            return Err(format!("sync waits: {wait:?}").into());
        }
        Ok(Exchange { took, count: self.link.count().since(before) })
    }
}

/// Device `d`'s evening as commands on records that `read` gives.
pub fn evening(workload: &Workload, d: usize, author: &Author, read: impl Fn(DocId) -> Outcome<Content>) -> Outcome<Vec<(DocId, Command)>> {
    let base: BTreeMap<&str, &Record> = workload.grids[d].iter().map(|record| (record.id(), record)).collect();
    let evening = &workload.evenings[d];
    let new = evening.new.iter().map(|case| Ok((case.doc(), Command::Act(case.actions(author)))));
    let edits = evening.edits.iter().map(|edit| {
        let record = base.get(edit.id.as_str()).ok_or("an edit of a record that is not there")?;
        let command = match record {
            Record::Household(household) => household.edit(edit),
            Record::Case(_) => match read(record.doc())? {
                Content::Case(actions) => {
                    let (round, last) = ends(&actions).ok_or("a case without report")?;
                    Command::Act(CaseRecord::edit(edit, author, round, last))
                }
                Content::Household(_) => return Err("a case that is a household".into()),
            },
        };
        Ok((record.doc(), command))
    });
    new.chain(edits).collect()
}

/// Grid `d` after its device's evening.
pub fn after_evening(workload: &Workload, d: usize) -> Vec<Record> {
    let mut records = workload.grids[d].clone();
    let evening = &workload.evenings[d];
    for edit in &evening.edits {
        if let Some(record) = records.iter_mut().find(|record| record.id() == edit.id) {
            workload::apply(record, edit);
        }
    }
    records.extend(evening.new.iter().cloned().map(Record::Case));
    records
}

/// A case's report and the last action of its chain.
fn ends(actions: &BTreeMap<ActionId, Action>) -> Option<(ActionId, ActionId)> {
    let round = *actions.iter().find(|(_, action)| action.kind == ActionKind::Report)?.0;
    let mut last = round;
    while let Some((id, _)) = actions.iter().find(|(_, action)| action.seen == [last]) {
        last = *id;
    }
    Some((round, last))
}

fn transport(url: &str) -> Outcome<Arc<dyn Transport>> {
    Ok(HttpConnect::default().connect(url)?)
}
