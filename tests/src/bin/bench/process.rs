//! What a process has used, as Linux tells it.

use std::time::Duration;

use crate::Outcome;

/// Of `/proc`'s clock ticks there are a hundred a second on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// CPU time of a process, all threads, user and system.
pub fn cpu(pid: u32) -> Outcome<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').ok_or("/proc: no name")?.1;
    let ticks: u32 = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
    Ok(TICK * ticks)
}

/// Memory in use and its peak, megabytes.
pub fn memory(pid: u32) -> Outcome<(f64, f64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| -> Outcome<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or_else(|| format!("/proc: no {name}"))?;
        Ok(line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    };
    Ok((field("VmRSS")?, field("VmHWM")?))
}
