//! Who sent a batch, and by what right it counts.

use fieldgrid_core::domain::grant::Grant;
use fieldgrid_core::domain::id::{DeviceId, StreamId};
use fieldgrid_core::domain::policy::{self, Reads, Refusal};
use fieldgrid_core::domain::time::{Interval, Stamp};
use fieldgrid_core::wire::batch::BatchHeader;

use crate::store::{DeviceRow, GrantRow, Read, Result, Standing};

/// The sender of a batch: what its verdicts depend on beside its contents.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) device: DeviceId,
    /// The device's own stream.
    pub(super) stream: StreamId,
    pub(super) header: BatchHeader,
    pub(super) right: Right,
    pub(super) received_ms: i64,
    /// An administrator vouches for it: its grants count whatever became of them.
    vouched: bool,
}

/// By what right a batch counts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Right {
    /// By this grant.
    Grant(Grant),
    /// By this grant, reports only.
    Reports(Grant, Beyond),
    /// None: everything in it is refused.
    None(Refusal),
    /// It was taken away: everything in it is kept aside.
    Revoked,
}

/// What becomes of what a right does not reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beyond {
    /// It is refused.
    Refused(Refusal),
    /// It is kept aside for an administrator.
    Aside,
}

impl Sender {
    pub(super) fn of(read: &dyn Read, device: &DeviceRow, header: &BatchHeader, received_ms: i64) -> Result<Self> {
        let sender = Self { device: device.id, stream: device.stream, header: header.clone(), right: Right::Revoked, received_ms, vouched: false };
        let right = match read.grant(header.grant)? {
            _ if device.standing == Standing::Revoked => Right::Revoked,
            Some(row) if row.grant.device == device.id => sender.by(row, device.standing),
            _ => Right::None(Refusal::ForgedAuthor),
        };
        Ok(Self { right, ..sender })
    }

    /// The sender of something that was kept aside, as an administrator decides about it.
    pub(super) fn vouched(read: &dyn Read, device: &DeviceRow, header: &BatchHeader, received_ms: i64) -> Result<Self> {
        let sender = Self { vouched: true, ..Self::of(read, device, header, received_ms)? };
        let granted = read.grant(header.grant)?.filter(|row| row.grant.device == device.id);
        let right = granted.map_or(Right::None(Refusal::ForgedAuthor), |row| sender.by(row, Standing::Active));
        Ok(Self { right, ..sender })
    }

    /// By what right something of this batch counts that was done under a grant.
    pub(super) fn by(&self, row: GrantRow, standing: Standing) -> Right {
        if self.vouched {
            return Right::Grant(row.grant);
        }
        if row.revoked_ms.is_some() {
            return Right::Revoked;
        }
        // A superseded grant counts until its lease ends, and each until it expires, by the earliest time at which the batch can have been sealed.
        let end = row.ended_ms.map_or(row.grant.expires_ms, |ended| row.grant.expires_ms.min(ended.saturating_add(row.grant.lease_ms)));
        // When it was sealed is the phone's word: one more lease for the way here, by the server's own clock.
        let late = self.received_ms > end.saturating_add(row.grant.lease_ms);
        match standing {
            _ if self.interval(self.header.sealed).earliest_ms > end => Right::Reports(row.grant, Beyond::Refused(Refusal::GrantEnded)),
            // It may have been done in time, by a phone that was out of reach since: a person knows.
            _ if late => Right::Reports(row.grant, Beyond::Aside),
            Standing::ReportOnly => Right::Reports(row.grant, Beyond::Refused(Refusal::ReportOnly)),
            _ => Right::Grant(row.grant),
        }
    }

    /// The grant, whatever it allows now.
    pub(super) const fn grant(&self) -> Option<&Grant> {
        match &self.right {
            Right::Grant(grant) | Right::Reports(grant, _) => Some(grant),
            Right::None(_) | Right::Revoked => None,
        }
    }

    /// Whether the sender reads only what he reported himself, so that his own words come back to him by his device's stream.
    pub(super) fn reads_own(&self) -> bool {
        self.grant().is_some_and(|grant| policy::reads(grant.role) == Reads::Own)
    }

    /// When something with this stamp can have been done: from the device's last anchor, as far as its monotonic clock carries, to the receipt.
    pub(super) fn interval(&self, at: Stamp) -> Interval {
        let latest_ms = self.received_ms;
        let Some(anchor) = self.header.anchor else {
            // Without an anchor nothing is known but that the receipt came later.
            return Interval { earliest_ms: i64::MIN, latest_ms };
        };
        let since = at.mono_ms.checked_sub(anchor.stamp.mono_ms).map_or(0, |since| i64::try_from(since).unwrap_or(i64::MAX));
        Interval { earliest_ms: anchor.server_ms.saturating_add(since).min(latest_ms), latest_ms }
    }
}
