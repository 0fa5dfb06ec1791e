//! Rows: what is stored, as plain values. No rules here.

use fieldgrid_core::domain::action::Severity;
use fieldgrid_core::domain::area::AreaCode;
use fieldgrid_core::domain::case::State;
use fieldgrid_core::domain::fact::{Fact, FactKind};
use fieldgrid_core::domain::grant::{Grant, Role};
use fieldgrid_core::domain::id::{ActionId, DeviceId, DocId, FactId, Hash, Incarnation, OrgId, StreamId, UserId};
use fieldgrid_core::domain::time::Interval;
use fieldgrid_core::record::RecordKind;
use fieldgrid_core::wire::batch::ChangeItem;
use fieldgrid_core::wire::entry::Leave;
use fieldgrid_core::wire::suite::{PublicKey, Signature};
use fieldgrid_core::wire::sync::{Cursor, StateHash, StreamKind, SyncState};

/// One life of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch {
    /// Its number; later lives have larger ones.
    pub epoch: u32,
    /// When it began, milliseconds since 1970.
    pub opened_ms: i64,
}

/// What makes a stream the one it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamKey {
    /// A grid's.
    Grid(AreaCode),
    /// A town's desk (or a county's, a city's).
    Desk(AreaCode),
    /// An organisation's assignments.
    Assignments(OrgId),
    /// A scope's reference data.
    Scope(AreaCode),
    /// A device's own.
    Device(DeviceId),
}

impl StreamKey {
    /// The kind.
    #[must_use]
    pub const fn kind(self) -> StreamKind {
        match self {
            Self::Grid(_) => StreamKind::Grid,
            Self::Desk(_) => StreamKind::Desk,
            Self::Assignments(_) => StreamKind::Assignments,
            Self::Scope(_) => StreamKind::Scope,
            Self::Device(_) => StreamKind::Device,
        }
    }

    /// The area, of a grid's, desk's or scope's stream.
    #[must_use]
    pub const fn area(self) -> Option<AreaCode> {
        match self {
            Self::Grid(area) | Self::Desk(area) | Self::Scope(area) => Some(area),
            Self::Assignments(_) | Self::Device(_) => None,
        }
    }

    /// The organisation, of an assignments stream.
    #[must_use]
    pub const fn org(self) -> Option<OrgId> {
        if let Self::Assignments(org) = self { Some(org) } else { None }
    }
}

/// A stream and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamRow {
    /// Identity.
    pub id: StreamId,
    /// What it is for.
    pub key: StreamKey,
    /// Number of the last entry.
    pub head: u64,
    /// The chain after it.
    pub chain: Hash,
    /// The epoch in which its first entry was numbered.
    pub epoch: u32,
}

/// Whose batch brought an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The incarnation.
    pub incarnation: Incarnation,
    /// The batch.
    pub seq: u64,
    /// The item in it.
    pub item: u32,
}

/// The payload of an entry. A join names the changes that it carries by their entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// A change.
    Change(ChangeItem),
    /// A fact.
    Fact(Fact),
    /// A document with its history.
    Join {
        /// The document.
        doc: DocId,
        /// Its kind.
        kind: RecordKind,
        /// The entries of its changes, dependencies first.
        changes: Vec<i64>,
    },
    /// A document leaves.
    Leave(Leave),
}

/// An entry's place in a stream, without its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Its number.
    pub seq: u64,
    /// The chain after it.
    pub chain: Hash,
    /// The entry.
    pub entry: i64,
    /// The entry's hash.
    pub hash: Hash,
    /// The kind, when it is a fact.
    pub fact: Option<FactKind>,
    /// Whose batch brought it.
    pub origin: Option<Origin>,
    /// About how many bytes its payload has.
    pub size: usize,
}

/// A document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocRow {
    /// Identity.
    pub id: DocId,
    /// Kind.
    pub kind: RecordKind,
    /// The grid it is in, or the town when it has none yet.
    pub area: AreaCode,
    /// The changes no other depends on, sorted.
    pub heads: Vec<Hash>,
    /// How many changes it has.
    pub changes: u32,
    /// The device that created it.
    pub author: DeviceId,
}

/// A document's stay in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocStream {
    /// The stream.
    pub stream: StreamId,
    /// Where it came in.
    pub joined: u64,
    /// The last entry that the join carried; 0 when it came in with its first change.
    pub through: i64,
    /// Where it left; none while it is in the stream.
    pub left: Option<u64>,
}

/// What became of a change that is not in its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Refused.
    Refused,
    /// Built on something refused.
    Stranded,
    /// Its edit is there under another hash.
    HeldOtherwise,
}

/// An action of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionRow {
    /// The action.
    pub action: ActionId,
    /// The entry of the change that brought it.
    pub entry: i64,
    /// When it can have been done.
    pub interval: Interval,
}

/// A case as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseRow {
    /// The case.
    pub doc: DocId,
    /// Its grid or town.
    pub area: AreaCode,
    /// Its number, once accepted.
    pub number: Option<String>,
    /// Where it stands.
    pub state: State,
    /// Title, or the beginning of what was reported.
    pub title: Option<String>,
    /// Category code.
    pub category: Option<String>,
    /// Severity.
    pub severity: Option<Severity>,
    /// Closed, but something contradicts it.
    pub reopen_pending: bool,
    /// How many flags a person must decide.
    pub flags: u32,
    /// How many actions it has.
    pub actions: u32,
    /// The role of who reported it.
    pub reporter: Role,
    /// When the first open assignment is due, milliseconds since 1970.
    pub due_ms: Option<i64>,
    /// When the server first had it.
    pub created_ms: i64,
    /// When something last came in.
    pub updated_ms: i64,
    /// The last view that its reporter was sent, when he only reads his own.
    pub progress: Option<Vec<u8>>,
}

/// A household as the desk sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HouseholdRow {
    /// The household.
    pub doc: DocId,
    /// Its grid.
    pub area: AreaCode,
    /// Persons.
    pub persons: u32,
    /// Persons with care tags.
    pub care: u32,
    /// The masked row, CBOR of `mask::HouseholdView`.
    pub view: Vec<u8>,
    /// When something last came in.
    pub updated_ms: i64,
}

/// What a device may do just now, apart from its grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// What its grant says.
    Active,
    /// Reports only, until the centre approves it.
    ReportOnly,
    /// Nothing; what it sends is kept aside.
    Revoked,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRow {
    /// Identity.
    pub id: DeviceId,
    /// Its public key.
    pub key: PublicKey,
    /// The person.
    pub user: UserId,
    /// Its own stream.
    pub stream: StreamId,
    /// What it may do.
    pub standing: Standing,
    /// When it was enrolled.
    pub enrolled_ms: i64,
    /// When it was last heard, to the minute.
    pub heard_ms: i64,
    /// How many of its items were refused.
    pub refused: u64,
}

/// One life of a device's store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IncarnationRow {
    /// Identity.
    pub id: Incarnation,
    /// The device.
    pub device: DeviceId,
    /// 1 for the device's first life.
    pub place: u32,
    /// Whether another life took its place.
    pub closed: bool,
    /// The last batch the server holds of it.
    pub seq: u64,
    /// That batch's hash.
    pub hash: Hash,
    /// The last batch that a verified backup covers.
    pub safe: u64,
}

/// A batch that the server holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRow {
    /// The incarnation.
    pub incarnation: Incarnation,
    /// Its number.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
    /// The header as signed.
    pub header: Vec<u8>,
    /// The device's signature over it.
    pub signature: Signature,
    /// The items' hashes.
    pub items: Vec<Hash>,
    /// The entry with its latest verdict.
    pub verdict: i64,
    /// When it came.
    pub received_ms: i64,
}

/// Why an item is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// What it depends on has not come.
    Waiting,
    /// An administrator decides.
    Quarantined,
}

/// An item that is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRow {
    /// Identity; 0 for a new one.
    pub id: i64,
    /// Why.
    pub why: Why,
    /// The device that sent it.
    pub device: DeviceId,
    /// Its place in the outbox.
    pub origin: Origin,
    /// The document, when it is a change.
    pub doc: Option<DocId>,
    /// The change it waits for.
    pub missing: Option<Hash>,
    /// The item, CBOR of a change or a fact.
    pub body: Vec<u8>,
    /// Since when.
    pub since_ms: i64,
}

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRow {
    /// What it says.
    pub grant: Grant,
    /// When another took its place.
    pub ended_ms: Option<i64>,
    /// When it was revoked.
    pub revoked_ms: Option<i64>,
}

/// An invitation to enrol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteRow {
    /// SHA-256 of the one-time code.
    pub code: Hash,
    /// The role it gives.
    pub role: Role,
    /// The organisation.
    pub org: Option<OrgId>,
    /// The areas.
    pub scopes: Vec<AreaCode>,
    /// The person's display name.
    pub name: Option<String>,
    /// The person.
    pub user: UserId,
    /// When it ends.
    pub expires_ms: i64,
    /// When it was used.
    pub used_ms: Option<i64>,
}

/// A position that this server's key signed and its database does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContradictionRow {
    /// What was signed.
    pub at: Cursor,
    /// The chain there; none where the stream is shorter.
    pub ours: Option<Hash>,
    /// The device that it was signed for.
    pub device: DeviceId,
    /// CBOR of the signed heads.
    pub heads: Vec<u8>,
    /// When it was shown, milliseconds since 1970.
    pub seen_ms: i64,
}

/// A state that a device was in, or will be in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateRow {
    /// Its hash.
    pub hash: StateHash,
    /// The state.
    pub state: SyncState,
    /// Hash of the directory it was told.
    pub directory: Hash,
}

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrgRow {
    /// Identity.
    pub id: OrgId,
    /// Name.
    pub name: String,
    /// The town, county or city it works for.
    pub area: AreaCode,
}

/// A pack on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackRow {
    /// The stream.
    pub stream: StreamId,
    /// The position it brings a device to.
    pub seq: u64,
    /// The epoch of that number.
    pub epoch: u32,
    /// The chain there.
    pub chain: Hash,
    /// zstd's level.
    pub level: i32,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the file.
    pub sha256: Hash,
    /// When it was built.
    pub built_ms: i64,
}

/// Who may be asked about a fact that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactRow {
    /// Identity.
    pub id: FactId,
    /// Its entry.
    pub entry: i64,
    /// Its hash.
    pub hash: Hash,
}

/// A grant's identity and device, for console lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneRow {
    /// The device.
    pub device: DeviceRow,
    /// Its standing grant.
    pub grant: Option<Grant>,
    /// The person's display name.
    pub name: Option<String>,
    /// Items held back of it: waiting, quarantined.
    pub held: (u32, u32),
    /// Batches received.
    pub batches: u64,
}
