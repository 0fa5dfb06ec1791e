//! Admission alone: an evening's changes through the gate, the policy and a durable commit, without HTTP, and without what phones do: their requests are made before.

use std::sync::Arc;
use std::time::Instant;

use fieldgrid_core::env::System;
use sync_server::town::{Town, TownOptions};

use crate::figure::{Figures, median};
use crate::{Outcome, Stage, note, process};

const NAME: &str = "admission_per_core_per_s";

pub async fn measure(stage: &Stage, figures: &mut Figures) -> Outcome<()> {
    if !figures.want(&[NAME]) {
        return Ok(());
    }
    let (mut per_core, mut per_second, mut changes) = (Vec::new(), Vec::new(), 0);
    for run in 0..stage.runs {
        note(&format!("admission, run {} of {} …", run + 1, stage.runs));
        let town = Arc::new(Town::open(&stage.town(&format!("admission-{run}"))?, TownOptions::default(), Arc::new(System::new()))?);
        let mut work = Vec::new();
        changes = 0;
        for d in 0..stage.workload.evenings.len() {
            let mut importer = stage.importers[d].clone();
            let items = importer.evening(&stage.workload, d)?;
            changes += items.len();
            let batches = importer.seal(items);
            let requests = importer.requests(&batches);
            work.push((importer, batches, requests));
        }
        let me = std::process::id();
        let (cpu, started) = (process::cpu(me)?, Instant::now());
        let tasks: Vec<_> = work
            .into_iter()
            .map(|(importer, batches, requests)| {
                let town = Arc::clone(&town);
                tokio::spawn(async move { importer.send(&town, &requests).await.map(|()| (importer, batches)) })
            })
            .collect();
        let mut sent = Vec::new();
        for task in tasks {
            sent.push(task.await??);
        }
        let (took, cpu) = (started.elapsed().as_secs_f64(), process::cpu(me)?.saturating_sub(cpu).as_secs_f64());
        per_core.push(changes as f64 / cpu);
        per_second.push(changes as f64 / took);
        note(&format!("  {changes} changes in {took:.2} s, {cpu:.2} s of CPU"));
        for (importer, batches) in sent {
            importer.check_accepted(&town, &batches).await?;
        }
        town.close().await;
    }
    let how = format!(
        "{changes} changes of {} devices at once, gated, policy-checked, durable, by CPU time used; {:.0} a second by the clock; median of {} runs",
        stage.workload.evenings.len(),
        median(&per_second),
        stage.runs
    );
    figures.put(NAME, median(&per_core), how);
    Ok(())
}
