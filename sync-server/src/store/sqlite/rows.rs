//! From a result's columns to a row's value.

use fieldgrid_core::domain::action::Severity;
use fieldgrid_core::domain::case::State;
use fieldgrid_core::domain::fact::FactKind;
use fieldgrid_core::domain::grant::{Grant, Role};
use fieldgrid_core::domain::id::{DeviceId, DocId, Hash, Incarnation, OrgId, StreamId, UserId};
use fieldgrid_core::record::RecordKind;
use fieldgrid_core::wire::suite::{PublicKey, Signature};
use rusqlite::Row;

use super::columns::{area, bytes, from_cbor, hashes, maybe, number, standing, stream_key};
use crate::store::{BatchRow, CaseRow, DeviceRow, DocRow, DocStream, GrantRow, HeldRow, IncarnationRow, OrgRow, Origin, Placed, Result, StreamRow, Why};

pub(super) fn stream_row(row: &Row<'_>) -> rusqlite::Result<StreamRow> {
    Ok(StreamRow {
        id: StreamId::from_bytes(bytes(row, 0)?),
        key: stream_key(row, 1)?,
        head: number(row, 5)?,
        chain: Hash(bytes(row, 6)?),
        epoch: row.get::<_, Option<u32>>(7)?.unwrap_or_default(),
    })
}

pub(super) fn placed_row(row: &Row<'_>) -> rusqlite::Result<Placed> {
    let origin = match maybe(row, 5)? {
        Some(incarnation) => Some(Origin { incarnation: Incarnation::from_bytes(incarnation), seq: number(row, 6)?, item: row.get(7)? }),
        None => None,
    };
    Ok(Placed {
        seq: number(row, 0)?,
        chain: Hash(bytes(row, 1)?),
        entry: row.get(2)?,
        hash: Hash(bytes(row, 3)?),
        fact: row.get::<_, Option<u8>>(4)?.map(FactKind::from_code),
        origin,
        size: row.get::<_, i64>(8)?.try_into().unwrap_or(0),
    })
}

pub(super) fn doc_row(row: &Row<'_>) -> rusqlite::Result<DocRow> {
    Ok(DocRow {
        id: DocId::from_bytes(bytes(row, 0)?),
        kind: RecordKind::from_code(row.get(1)?),
        area: area(row, 2)?,
        heads: hashes(&row.get::<_, Vec<u8>>(3)?),
        changes: row.get(4)?,
        author: DeviceId::from_bytes(bytes(row, 5)?),
    })
}

pub(super) fn stay_row(row: &Row<'_>) -> rusqlite::Result<DocStream> {
    let left: Option<i64> = row.get(3)?;
    Ok(DocStream {
        stream: StreamId::from_bytes(bytes(row, 0)?),
        joined: number(row, 1)?,
        through: row.get(2)?,
        left: left.map(|left| u64::try_from(left).unwrap_or_default()),
    })
}

pub(super) fn device_row(row: &Row<'_>) -> rusqlite::Result<DeviceRow> {
    Ok(DeviceRow {
        id: DeviceId::from_bytes(bytes(row, 0)?),
        key: PublicKey(bytes(row, 1)?),
        user: UserId::from_bytes(bytes(row, 2)?),
        stream: StreamId::from_bytes(bytes(row, 3)?),
        standing: standing(row.get(4)?),
        enrolled_ms: row.get(5)?,
        heard_ms: row.get(6)?,
        refused: number(row, 7)?,
    })
}

pub(super) fn incarnation_row(row: &Row<'_>) -> rusqlite::Result<IncarnationRow> {
    Ok(IncarnationRow {
        id: Incarnation::from_bytes(bytes(row, 0)?),
        device: DeviceId::from_bytes(bytes(row, 1)?),
        place: row.get(2)?,
        closed: row.get(3)?,
        seq: number(row, 4)?,
        hash: Hash(bytes(row, 5)?),
        safe: number(row, 6)?,
    })
}

pub(super) fn batch_row(row: &Row<'_>) -> rusqlite::Result<BatchRow> {
    Ok(BatchRow {
        incarnation: Incarnation::from_bytes(bytes(row, 0)?),
        seq: number(row, 1)?,
        hash: Hash(bytes(row, 2)?),
        header: row.get(3)?,
        signature: Signature(bytes(row, 4)?),
        items: hashes(&row.get::<_, Vec<u8>>(5)?),
        verdict: row.get(6)?,
        received_ms: row.get(7)?,
    })
}

pub(super) fn held_row(row: &Row<'_>) -> rusqlite::Result<HeldRow> {
    Ok(HeldRow {
        id: row.get(0)?,
        why: if row.get::<_, i64>(1)? == 1 { Why::Waiting } else { Why::Quarantined },
        device: DeviceId::from_bytes(bytes(row, 2)?),
        origin: Origin { incarnation: Incarnation::from_bytes(bytes(row, 3)?), seq: number(row, 4)?, item: row.get(5)? },
        doc: maybe(row, 6)?.map(DocId::from_bytes),
        missing: maybe(row, 7)?.map(Hash),
        body: row.get(8)?,
        since_ms: row.get(9)?,
    })
}

pub(super) type GrantColumns = (Vec<u8>, Option<i64>, Option<i64>);

pub(super) fn grant_columns(row: &Row<'_>) -> rusqlite::Result<GrantColumns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

pub(super) fn grant_row((body, ended_ms, revoked_ms): GrantColumns) -> Result<GrantRow> {
    Ok(GrantRow { grant: from_cbor::<Grant>(&body, "grant")?, ended_ms, revoked_ms })
}

pub(super) fn org_row(row: &Row<'_>) -> rusqlite::Result<OrgRow> {
    Ok(OrgRow { id: OrgId::from_bytes(bytes(row, 0)?), name: row.get(1)?, area: area(row, 2)? })
}

pub(super) fn case_row(row: &Row<'_>) -> rusqlite::Result<CaseRow> {
    Ok(CaseRow {
        doc: DocId::from_bytes(bytes(row, 0)?),
        area: area(row, 1)?,
        number: row.get(2)?,
        state: State::from_code(row.get(3)?),
        title: row.get(4)?,
        category: row.get(5)?,
        severity: row.get::<_, Option<u8>>(6)?.map(Severity::from_code),
        reopen_pending: row.get(7)?,
        flags: row.get(8)?,
        actions: row.get(9)?,
        reporter: Role::from_code(row.get(10)?),
        due_ms: row.get(11)?,
        created_ms: row.get(12)?,
        updated_ms: row.get(13)?,
        progress: row.get(14)?,
    })
}
