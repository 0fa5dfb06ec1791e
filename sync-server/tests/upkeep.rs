//! Looking after a town: what verify finds, what a backup refuses, what a newer database is told.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use std::sync::Arc;

use common::{GRID, Still, World};
use fieldgrid_core::domain::grant::Role;
use sync_server::store::sqlite::{OpenError, Sqlite};
use sync_server::town::{Finding, Town, TownError, TownOptions};

/// Changes the database behind the server's back.
async fn tampered(sql: &str) -> Vec<Finding> {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let (_, one) = member.report(Some(GRID));
    let (_, two) = member.report(Some(GRID));
    let batch = member.changes(vec![one, two]);
    member.sync(&world.town, &[batch]).await;
    assert!(world.town.verify().unwrap().findings.is_empty());
    world.town.close().await;
    let database = rusqlite::Connection::open(world.path("town").join("town.db")).unwrap();
    database.pragma_update(None, "foreign_keys", false).unwrap();
    assert!(database.execute(sql, []).unwrap() > 0);
    let verified = world.town.verify().unwrap();
    assert!(verified.findings.iter().all(|finding| !finding.to_string().is_empty()));
    verified.findings
}

#[tokio::test]
async fn verify_finds_what_was_changed() {
    let found = tampered("UPDATE entries SET body = x'00' || body WHERE kind = 1 AND item = 1").await;
    assert!(found.iter().any(|finding| matches!(finding, Finding::Entry(..))) && found.iter().any(|finding| matches!(finding, Finding::Document(_))));
    let found = tampered("UPDATE stream_entries SET chain = zeroblob(32) WHERE seq = 2").await;
    assert!(found.iter().any(|finding| matches!(finding, Finding::Chain(_, 2))));
    let found = tampered("DELETE FROM stream_entries WHERE seq = (SELECT max(head) FROM streams)").await;
    assert!(found.iter().any(|finding| matches!(finding, Finding::Head(_))));
    let found = tampered("UPDATE batches SET received_ms = 0, signature = zeroblob(64)").await;
    assert!(matches!(found[..], [Finding::Batch(_, 1)]));
    let found = tampered("UPDATE batches SET verdict = (SELECT min(id) FROM entries WHERE kind = 2)").await;
    assert!(matches!(found[..], [Finding::Verdict(_, 1)]));
    let found = tampered("UPDATE docs SET heads = zeroblob(32)").await;
    assert!(found.iter().all(|finding| matches!(finding, Finding::Document(_))) && found.len() == 2);
    let found = tampered("UPDATE doc_streams SET left = joined + 1").await;
    assert!(found.iter().all(|finding| matches!(finding, Finding::Stay(..))) && found.len() == 4);
}

#[tokio::test]
async fn a_backup_of_a_damaged_town_covers_nothing() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let (_, change) = member.report(Some(GRID));
    let batch = member.changes(vec![change]);
    member.sync(&world.town, &[batch]).await;
    world.town.close().await;
    let database = rusqlite::Connection::open(world.path("town").join("town.db")).unwrap();
    database.execute("UPDATE entries SET body = x'00' || body WHERE kind = 1", []).unwrap();
    let (town, to) = (Arc::clone(&world.town), world.path("bad.db"));
    let failed = tokio::task::spawn_blocking(move || town.backup(&to)).await.unwrap();
    assert!(matches!(failed, Err(TownError::Unverified(_))));
    member.tell = true;
    assert_eq!(member.sync(&world.town, &[]).await.safe_through, None);
}

#[tokio::test]
async fn a_town_opens_again_as_it_was() {
    let world = World::new().await;
    let mut member = world.phone(Role::GridMember, GRID).await;
    let (_, change) = member.report(Some(GRID));
    let batch = member.changes(vec![change]);
    member.sync(&world.town, &[batch]).await;
    let root = world.town.root();
    let World { town, env, dir, .. } = world;
    drop(Arc::into_inner(town).unwrap());
    let again = Town::open(&dir.path().join("town"), TownOptions::default(), env).unwrap();
    assert_eq!(again.root(), root);
    let answer = member.sync(&again, &[]).await;
    assert!(answer.pages.is_empty() && !answer.need_state, "sessions and states outlive a restart");
}

#[test]
fn what_is_no_database_of_ours_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let damaged = dir.path().join("damaged.db");
    std::fs::write(&damaged, vec![7; 8_192]).unwrap();
    assert!(matches!(Sqlite::open(&damaged), Err(OpenError::Damaged { .. })));
    assert_eq!(std::fs::read(&damaged).unwrap(), vec![7; 8_192]);

    let newer = dir.path().join("newer.db");
    drop(Sqlite::open(&newer).unwrap());
    rusqlite::Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(Sqlite::open(&newer), Err(OpenError::Newer { found: 99, .. })));

    let env = Still::new(1);
    assert!(Town::restore(&dir.path().join("none.db"), &dir.path().join("data"), TownOptions::default(), env).is_err());
}
