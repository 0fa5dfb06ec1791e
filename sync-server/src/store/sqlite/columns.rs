//! Between columns and values.

use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::id::{DeviceId, Hash, OrgId};
use fieldgrid_core::wire::sync::StreamKind;
use minicbor::{Decode, Encode};
use rusqlite::Row;

use crate::store::{Missing, Result, Standing, StoreError, StreamKey, Why};

/// A blob column of a fixed length.
pub(super) fn bytes<const N: usize>(row: &Row<'_>, column: usize) -> rusqlite::Result<[u8; N]> {
    row.get::<_, [u8; N]>(column)
}

/// A blob column of a fixed length that may be NULL.
pub(super) fn maybe<const N: usize>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<[u8; N]>> {
    row.get::<_, Option<[u8; N]>>(column)
}

/// A count or position. SQLite's integers are signed; ours never pass 2⁶³.
pub(super) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|value| u64::try_from(value).unwrap_or(0))
}

/// A position as SQLite holds it.
pub(super) fn sql(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// An area column.
pub(super) fn area(row: &Row<'_>, column: usize) -> rusqlite::Result<AreaCode> {
    let text: String = row.get(column)?;
    text.parse().map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error)))
}

/// The code that ends the range of codes under a scope: `:` follows `9`.
pub(super) fn under(scope: AreaCode) -> (String, String) {
    (scope.to_string(), format!("{scope}:"))
}

/// Hashes, one after the other.
pub(super) fn hashes(bytes: &[u8]) -> Vec<Hash> {
    bytes.as_chunks().0.iter().map(|hash| Hash(*hash)).collect()
}

/// Hashes as a column.
pub(super) fn joined(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// CBOR of a value.
pub(super) fn cbor(value: &impl Encode<()>) -> Vec<u8> {
    minicbor::to_vec(value).expect("encoding into memory does not fail")
}

/// A value from CBOR.
pub(super) fn from_cbor<'b, T: Decode<'b, ()>>(bytes: &'b [u8], what: &'static str) -> Result<T> {
    minicbor::decode(bytes).map_err(|_| StoreError::Damaged(what))
}

/// A stream's key from (kind, area, org, device).
pub(super) fn stream_key(row: &Row<'_>, first: usize) -> rusqlite::Result<StreamKey> {
    let missing = || rusqlite::Error::InvalidColumnType(first, "streams".into(), rusqlite::types::Type::Null);
    Ok(match StreamKind::from_code(row.get(first)?) {
        StreamKind::Grid => StreamKey::Grid(area(row, first + 1)?),
        StreamKind::Desk => StreamKey::Desk(area(row, first + 1)?),
        StreamKind::Scope => StreamKey::Scope(area(row, first + 1)?),
        StreamKind::Assignments => StreamKey::Assignments(OrgId::from_bytes(maybe(row, first + 2)?.ok_or_else(missing)?)),
        StreamKind::Device => StreamKey::Device(DeviceId::from_bytes(maybe(row, first + 3)?.ok_or_else(missing)?)),
        StreamKind::Other(_) => return Err(missing()),
    })
}

/// A device's standing.
pub(super) const fn standing(code: i64) -> Standing {
    match code {
        1 => Standing::Active,
        2 => Standing::ReportOnly,
        _ => Standing::Revoked,
    }
}

/// A standing's number.
pub(super) const fn standing_code(standing: Standing) -> i64 {
    match standing {
        Standing::Active => 1,
        Standing::ReportOnly => 2,
        Standing::Revoked => 3,
    }
}

/// Why something is held back, as a number.
pub(super) const fn why_code(why: Why) -> i64 {
    match why {
        Why::Waiting => 1,
        Why::Quarantined => 2,
    }
}

/// What became of a missing change.
pub(super) const fn missing(code: i64) -> Missing {
    match code {
        1 => Missing::Refused,
        2 => Missing::Stranded,
        _ => Missing::HeldOtherwise,
    }
}

/// Its number.
pub(super) const fn missing_code(missing: Missing) -> i64 {
    match missing {
        Missing::Refused => 1,
        Missing::Stranded => 2,
        Missing::HeldOtherwise => 3,
    }
}
