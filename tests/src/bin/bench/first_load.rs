//! A new phone loads its grid of 400 records; then it asks again, when there is nothing new.

use fieldgrid_core::domain::grant::Role;
use fieldgrid_tests::link::Speed;

use crate::figure::{Figures, median};
use crate::phone::Phone;
use crate::server::Server;
use crate::{Outcome, Stage, WEAK, idle, import, note};

const QUICK: &[&str] = &["first_load_bytes", "first_load_ms", "first_load_round_trips", "idle_400_bytes", "idle_round_trips"];
const WEAK_LOAD: &str = "weak_first_load_s";
const DESK: &[&str] = &["idle_desk_25_grids_bytes", "idle_round_trips"];

pub async fn measure(stage: &Stage, figures: &mut Figures) -> Outcome<()> {
    if !figures.want(QUICK) && !figures.want(&[WEAK_LOAD]) && !figures.want(DESK) {
        return Ok(());
    }
    let mut server = Server::start(&stage.town("first-load")?)?;
    let folder = stage.folder("first-load-phones")?;
    let (grid, whole) = ([stage.grids[0]], &stage.workload.grid_digest);
    if figures.want(QUICK) {
        note("first load of a grid …");
        let (mut times, mut bytes, mut turns, mut idles) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        // The first warms the caches of file system and server, as a town's first phone of the day does.
        for run in 0..=stage.runs {
            let phone = Phone::enrol(&folder, &mut server, Role::GridMember, &grid).await?;
            let load = phone.sync(Speed::default()).await?;
            phone.check_digest(whole)?;
            if run > 0 {
                times.push(load.took.as_secs_f64() * 1000.0);
                bytes.push(load.count.bytes());
                turns.push(load.count.turns);
            }
            idles.push(idle::once(&phone).await?);
        }
        let how = format!(
            "median of {} new phones on loopback, until all 400 records can be listed, searched and opened; the pack was compressed before",
            times.len()
        );
        figures.put("first_load_ms", median(&times), how);
        figures.put("first_load_bytes", median(&bytes) as f64, "on the socket, both ways, HTTP included, after enrolment");
        figures.put("first_load_round_trips", median(&turns) as f64, "requests answered: state, pack, what follows it");
        idle::put(figures, "idle_400_bytes", &idles, "one grid, 400 records");
    }
    if figures.want(DESK) {
        note("a town's desk …");
        let desk = Phone::enrol(&folder, &mut server, Role::TownDispatcher, &[import::town_of(stage.grids[0])?]).await?;
        desk.sync(Speed::default()).await?;
        let status = desk.store.status()?;
        let mut idles = Vec::new();
        for _ in 0..stage.runs {
            idles.push(idle::once(&desk).await?);
        }
        let held = format!("the town's desk with {} grids: {} cases and {} masked households", stage.grids.len(), status.cases, status.households);
        idle::put(figures, "idle_desk_25_grids_bytes", &idles, &held);
    }
    if figures.want(&[WEAK_LOAD]) {
        note("first load at 64 kbit/s …");
        let phone = Phone::enrol(&folder, &mut server, Role::GridMember, &grid).await?;
        let load = phone.sync(WEAK).await?;
        phone.check_digest(whole)?;
        let how = format!("one run at 64 kbit/s and 200 ms, connection included; {} bytes, {} round trips", load.count.bytes(), load.count.turns);
        figures.put(WEAK_LOAD, load.took.as_secs_f64(), how);
    }
    Ok(())
}
