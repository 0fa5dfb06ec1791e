//! How many changes the town admits in a second: gated, policy-checked, durable. `cargo test --release -p sync-server --test throughput -- --ignored --nocapture`.

mod common;

use std::slice::from_ref;
use std::time::Instant;

use common::{GRID, Phone, World};
use fieldgrid_core::domain::grant::Role;
use fieldgrid_core::wire::batch::{Batch, ChangeItem};
use fieldgrid_core::wire::verdict::Verdict;

/// An evening of one grid: new households, and fields of those that are there.
fn evening(phone: &mut Phone, batches: usize) -> Vec<Batch> {
    let mut homes = Vec::new();
    (0..batches)
        .map(|b| {
            let items: Vec<ChangeItem> = (0..50)
                .map(|n| {
                    if n % 5 == 0 || homes.is_empty() {
                        let (doc, _, item) = phone.household(GRID, &format!("住户{b}-{n}"));
                        homes.push(doc);
                        item
                    } else {
                        phone.set(homes[(b * 7 + n) % homes.len()], "note", &format!("第{b}次走访,第{n}条"))
                    }
                })
                .collect();
            phone.changes(items)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, for an optimised build"]
async fn changes_a_second() {
    let world = World::new().await;
    for phones in [1, 2, 8] {
        let mut tasks = tokio::task::JoinSet::new();
        let mut work = Vec::new();
        for _ in 0..phones {
            let mut phone = world.phone(Role::GridMember, GRID).await;
            let batches = evening(&mut phone, 20);
            work.push((phone, batches));
        }
        let begun = Instant::now();
        for (mut phone, batches) in work {
            let town = world.town.clone();
            tasks.spawn(async move {
                for batch in &batches {
                    // Under a state that the server does not know, so that no pages are read and only the admission is measured.
                    let mut request = phone.request(from_ref(batch));
                    (request.state, request.state_hash.0) = (None, [0; 16]);
                    phone.token = phone.ask(&town, &request).await.unwrap().token.or(phone.token);
                }
                (phone, batches)
            });
        }
        let done: Vec<_> = tasks.join_all().await;
        let seconds = begun.elapsed().as_secs_f64();
        let mut changes = 0;
        for (mut phone, batches) in done {
            phone.tell = true;
            phone.sync(&world.town, &[]).await;
            assert!(batches.iter().all(|batch| phone.verdicts(batch).iter().all(|verdict| *verdict == Verdict::Accepted)));
            changes += batches.iter().map(|batch| batch.items.len()).sum::<usize>();
        }
        println!("{phones} phones: {changes} changes in {seconds:.2} s, {:.0} a second", changes as f64 / seconds);
    }
}
