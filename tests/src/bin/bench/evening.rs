//! An evening: each device pushes 50 new cases and 100 edits that were made without signal.

use std::time::{Duration, Instant};

use fieldgrid_core::domain::grant::Role;
use fieldgrid_tests::link::Speed;
use fieldgrid_tests::workload::Record;

use crate::figure::{Figures, median, percentile};
use crate::phone::{Exchange, Line, Phone, after_evening};
use crate::server::Server;
use crate::{Outcome, Stage, WEAK, import, note, process};

const DEVICE: &[&str] = &["evening_device_bytes", "evening_device_round_trips"];
const WEAK_EVENING: &str = "weak_evening_s";
const TOWN: &[&str] = &["evening_town_ms", "evening_town_bytes", "server_rss_mb", "save_p99_ms"];

/// One device's evening, on a quick line and on a weak one.
pub async fn of_a_device(stage: &Stage, figures: &mut Figures) -> Outcome<()> {
    if !figures.want(DEVICE) && !figures.want(&[WEAK_EVENING]) {
        return Ok(());
    }
    note("one device's evening …");
    let mut server = Server::start(&stage.town("evening")?)?;
    let devices = stage.runs.min(stage.workload.evenings.len() - 1);
    if figures.want(DEVICE) {
        let mut exchanges = Vec::new();
        for d in 0..devices {
            exchanges.push(evening(stage, &mut server, d, Speed::default()).await?);
        }
        let bytes: Vec<u64> = exchanges.iter().map(|exchange| exchange.count.bytes()).collect();
        let turns: Vec<u64> = exchanges.iter().map(|exchange| exchange.count.turns).collect();
        let (up, down) = (exchanges[0].count.up, exchanges[0].count.down);
        let how = format!("on the socket, both ways, HTTP included; median of {devices} devices; the first: {up} up, {down} down");
        figures.put("evening_device_bytes", median(&bytes) as f64, how);
        figures.put("evening_device_round_trips", median(&turns) as f64, format!("median of {devices} devices"));
    }
    if figures.want(&[WEAK_EVENING]) {
        let pushed = evening(stage, &mut server, devices, WEAK).await?;
        let how = format!("one run at 64 kbit/s and 200 ms, connection included; {} bytes, {} round trips", pushed.count.bytes(), pushed.count.turns);
        figures.put(WEAK_EVENING, pushed.took.as_secs_f64(), how);
    }
    Ok(())
}

async fn evening(stage: &Stage, server: &mut Server, d: usize, speed: Speed) -> Outcome<Exchange> {
    let folder = stage.folder("evening-phones")?;
    let phone = Phone::enrol(&folder, server, Role::GridMember, &[stage.grids[d]]).await?;
    phone.sync(Speed::default()).await?;
    phone.save(&phone.evening(&stage.workload, d)?)?;
    let pushed = phone.sync(speed).await?;
    phone.check_delivered()?;
    let mate = Phone::enrol(&folder, server, Role::GridMember, &[stage.grids[d]]).await?;
    mate.sync(Speed::default()).await?;
    mate.check(&after_evening(&stage.workload, d))?;
    Ok(pushed)
}

/// A run of the town's evening.
struct Town {
    took: Duration,
    up: u64,
    down: u64,
    saves: Vec<Duration>,
    cpu: Duration,
    /// In use before, and the peak.
    memory: (f64, f64),
}

/// Twenty devices at once, then a supervisor.
pub async fn of_a_town(stage: &Stage, figures: &mut Figures) -> Outcome<()> {
    if !figures.want(TOWN) {
        return Ok(());
    }
    let devices = stage.workload.evenings.len();
    let mut runs = Vec::new();
    for run in 0..stage.runs {
        note(&format!("the town's evening, run {} of {} …", run + 1, stage.runs));
        runs.push(town(stage, run).await?);
    }
    let all = |value: &dyn Fn(&Town) -> f64| -> Vec<f64> { runs.iter().map(value).collect() };
    let cpu = median(&all(&|run| run.cpu.as_secs_f64()));
    let how = format!(
        "{devices} devices push at once, then a dispatcher who held the old state pulls; all on this machine; median of {} runs; server CPU {cpu:.2} s",
        runs.len()
    );
    figures.put("evening_town_ms", median(&all(&|run| run.took.as_secs_f64() * 1000.0)), how);
    let down = median(&all(&|run| run.down as f64));
    let how = format!("from the {devices} devices, on the socket, HTTP included; {down:.0} to them; median of {} runs", runs.len());
    figures.put("evening_town_bytes", median(&all(&|run| run.up as f64)), how);
    let saves: Vec<f64> = runs.iter().flat_map(|run| &run.saves).map(|save| save.as_secs_f64() * 1000.0).collect();
    let how = format!("{} forms saved one by one on phones of 400 records, each durable (fsync) when it returns; median {:.2} ms", saves.len(), median(&saves));
    figures.put("save_p99_ms", percentile(&saves, 99), how);
    let before = median(&all(&|run| run.memory.0));
    let how = format!("peak of the server's process through the town's evening, 10,000 records; {before:.0} MB before it; median of {} runs", runs.len());
    figures.put("server_rss_mb", median(&all(&|run| run.memory.1)), how);
    Ok(())
}

async fn town(stage: &Stage, run: usize) -> Outcome<Town> {
    let mut server = Server::start(&stage.town(&format!("town-evening-{run}"))?)?;
    let folder = stage.folder(&format!("town-evening-{run}-phones"))?;
    let desk = Phone::enrol(&folder, &mut server, Role::TownDispatcher, &[import::town_of(stage.grids[0])?]).await?;
    desk.sync(Speed::default()).await?;
    let everywhere = Phone::enrol(&folder, &mut server, Role::GridMember, &stage.grids).await?;
    everywhere.sync(Speed::default()).await?;
    let (mut phones, mut saves) = (Vec::new(), Vec::new());
    for d in 0..stage.workload.evenings.len() {
        let phone = Phone::enrol(&folder, &mut server, Role::GridMember, &[stage.grids[d]]).await?;
        phone.sync(Speed::default()).await?;
        saves.extend(phone.save(&phone.evening(&stage.workload, d)?)?);
        phones.push(phone);
    }
    let mut lines = Vec::new();
    for phone in &phones {
        lines.push(Line::open(phone, Speed::default()).await?);
    }
    let (cpu, (before, _)) = (process::cpu(server.pid())?, process::memory(server.pid())?);

    let started = Instant::now();
    let pushing: Vec<_> = lines.into_iter().map(|line| tokio::spawn(async move { line.sync().await })).collect();
    let mut pushed = Vec::new();
    for push in pushing {
        pushed.push(push.await??);
    }
    let at = started.elapsed();
    let spent = || Ok::<_, crate::Failure>((process::cpu(std::process::id())?, process::cpu(server.pid())?));
    let spent_before = spent()?;
    desk.sync(Speed::default()).await?;
    let took = started.elapsed();
    let spent_after = spent()?;
    let (phone, centre) = (spent_after.0.saturating_sub(spent_before.0), spent_after.1.saturating_sub(spent_before.1));
    note(&format!(
        "  pushed after {} ms, pulled after {} ms; of the pull {} ms of CPU at the phone, {} at the server",
        at.as_millis(),
        took.as_millis(),
        phone.as_millis(),
        centre.as_millis()
    ));

    let cpu = process::cpu(server.pid())?.saturating_sub(cpu);
    phones.iter().try_for_each(Phone::check_delivered)?;
    let cases = stage.workload.grids.iter().flatten().filter(|record| matches!(record, Record::Case(_))).count();
    let expected: Vec<Record> = (0..stage.grids.len())
        .flat_map(|d| if d < stage.workload.evenings.len() { after_evening(&stage.workload, d) } else { stage.workload.grids[d].clone() })
        .filter(|record| matches!(record, Record::Case(_)))
        .collect();
    if expected.len() <= cases {
        return Err("an evening without new cases".into());
    }
    desk.check(&expected)?;
    everywhere.sync(Speed::default()).await?;
    everywhere.check_digest(&stage.workload.town_digest)?;
    let (up, down) = pushed.iter().fold((0, 0), |(up, down), push| (up + push.count.up, down + push.count.down));
    Ok(Town { took, up, down, saves, cpu, memory: (before, process::memory(server.pid())?.1) })
}
