//! A phone that reconnects when there is nothing new.

use fieldgrid_tests::link::{Count, Speed};

use crate::Outcome;
use crate::figure::{Figures, median};
use crate::phone::{Line, Phone};

/// Reconnects until nothing more comes, then once more: that one counts.
pub async fn once(phone: &Phone) -> Outcome<Count> {
    // What others did meanwhile is read first.
    Line::open(phone, Speed::default()).await?.sync().await?;
    Ok(Line::open(phone, Speed::default()).await?.sync().await?.count)
}

/// Notes what reconnecting cost. Round trips are the most of any kind of phone.
pub fn put(figures: &mut Figures, name: &'static str, idles: &[Count], held: &str) {
    let bytes: Vec<u64> = idles.iter().map(|count| count.bytes()).collect();
    let last = idles[idles.len() - 1];
    let how = format!("{held}; median of {} reconnects over new connections, {} up and {} down, HTTP included", idles.len(), last.up, last.down);
    figures.put(name, median(&bytes) as f64, how);
    let turns = idles.iter().map(|count| count.turns).max().unwrap_or_default() as f64;
    let most = figures.value("idle_round_trips").unwrap_or_default().max(turns);
    figures.put("idle_round_trips", most, "the most of any reconnect measured in this run");
}
