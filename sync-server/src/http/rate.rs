//! How often one address may try something.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(60);
/// Addresses remembered. When they are more, all are forgotten: whoever has this many addresses is not slowed by counting them.
const MOST_ADDRESSES: usize = 10_000;

/// Attempts by address in the current minute.
#[derive(Debug)]
pub(super) struct Rate {
    most: u32,
    attempts: Mutex<HashMap<IpAddr, Attempts>>,
}

#[derive(Debug)]
struct Attempts {
    since: Instant,
    count: u32,
}

impl Rate {
    pub(super) fn new(most: u32) -> Self {
        Self { most, attempts: Mutex::default() }
    }

    /// Counts one attempt. `Err` is the number of seconds until the next is allowed.
    pub(super) fn take(&self, client: IpAddr) -> Result<(), u32> {
        let now = Instant::now();
        let mut attempts = self.attempts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if attempts.len() >= MOST_ADDRESSES {
            attempts.retain(|_, entry| now - entry.since < WINDOW);
            if attempts.len() >= MOST_ADDRESSES {
                attempts.clear();
            }
        }
        let entry = attempts.entry(network(client)).or_insert(Attempts { since: now, count: 0 });
        if now - entry.since >= WINDOW {
            *entry = Attempts { since: now, count: 0 };
        }
        if entry.count >= self.most {
            return Err(u32::try_from((WINDOW - (now - entry.since)).as_secs()).unwrap_or(u32::MAX) + 1);
        }
        entry.count += 1;
        Ok(())
    }
}

/// One IPv6 subscriber has a whole /64.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attempt_after_the_last_allowed_one_is_told_to_wait() {
        let rate = Rate::new(2);
        let client: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(rate.take(client), Ok(()));
        assert_eq!(rate.take(client), Ok(()));
        let wait = rate.take(client).unwrap_err();
        assert!((1..=61).contains(&wait), "{wait}");
        assert_eq!(rate.take("192.0.2.2".parse().unwrap()), Ok(()), "another address is not slowed");
    }

    #[test]
    fn one_ipv6_network_counts_as_one_address() {
        let rate = Rate::new(1);
        assert_eq!(rate.take("2001:db8::1".parse().unwrap()), Ok(()));
        assert!(rate.take("2001:db8::2".parse().unwrap()).is_err());
        assert_eq!(rate.take("2001:db8:0:1::1".parse().unwrap()), Ok(()));
    }

    #[test]
    fn the_table_of_addresses_stays_bounded() {
        let rate = Rate::new(1);
        for n in 0..MOST_ADDRESSES as u32 + 50 {
            rate.take(IpAddr::from(n.to_be_bytes())).unwrap();
        }
        assert!(rate.attempts.lock().unwrap().len() <= MOST_ADDRESSES);
    }
}
