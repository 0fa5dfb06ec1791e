//! Which streams a device reads.

use std::collections::BTreeMap;

use fieldgrid_core::domain::area::Level;
use fieldgrid_core::domain::grant::Grant;
use fieldgrid_core::domain::id::StreamId;
use fieldgrid_core::domain::policy::{self, Reads};
use fieldgrid_core::wire::limits;
use fieldgrid_core::wire::sync::StreamInfo;

use crate::store::{DeviceRow, Read, Result, StreamKey, StreamRow};

/// The streams of a device under a grant, sorted by id; without a grant that stands, its own only.
///
/// # Errors
/// [`crate::store::StoreError`].
pub(crate) fn directory(read: &dyn Read, device: &DeviceRow, grant: Option<&Grant>) -> Result<Vec<StreamRow>> {
    let mut streams: BTreeMap<StreamId, StreamRow> = BTreeMap::new();
    let own = read.stream(device.stream)?;
    let mut add = |stream: Option<StreamRow>| streams.extend(stream.map(|stream| (stream.id, stream)));
    if let Some(grant) = grant {
        let reads = policy::reads(grant.role);
        match reads {
            Reads::Grids => {
                for scope in &grant.scopes {
                    read.grids_under(*scope)?.into_iter().for_each(|grid| add(Some(grid)));
                }
            }
            Reads::Desk => {
                for scope in &grant.scopes {
                    // A county or city sees its own desk: what was brought to its level, not every case of its towns (`domain.md` §5).
                    add(read.stream_for(StreamKey::Desk(scope.at(Level::Town).unwrap_or(*scope)))?);
                }
            }
            Reads::Assignments => add(grant.org.map(|org| read.stream_for(StreamKey::Assignments(org))).transpose()?.flatten()),
            Reads::Own => {}
        }
        if reads != Reads::Own {
            for area in grant.scopes.iter().flat_map(|scope| [Level::Town, Level::County, Level::City].map(|level| scope.at(level))).flatten() {
                add(read.stream_for(StreamKey::Scope(area))?);
            }
        }
    }
    // Its own is never the one too many: verdicts and instructions come by it.
    streams.remove(&device.stream);
    let mut listed: Vec<StreamRow> = own.into_iter().chain(streams.into_values()).take(limits::MAX_STREAMS).collect();
    listed.sort_unstable_by_key(|stream| stream.id);
    Ok(listed)
}

/// As the device is told.
pub(super) fn infos(streams: &[StreamRow]) -> Vec<StreamInfo> {
    streams.iter().map(info).collect()
}

/// One stream as a device is told.
pub(crate) fn info(stream: &StreamRow) -> StreamInfo {
    StreamInfo { id: stream.id, kind: stream.key.kind(), area: stream.key.area(), org: stream.key.org(), epoch: stream.epoch }
}
