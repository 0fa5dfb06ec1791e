//! Facts: immutable rows, written once by one author. What has one author and never changes needs no CRDT (`DESIGN` §3).

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::area::AreaCode;
use super::code::codes;
use super::id::{DocId, FactId, Hash, PersonId};
use super::time::Stamp;

codes! {
    /// What a fact is. 1–99 are written by devices, 100 and above only by the server.
    pub enum FactKind {
        /// 走访: a visit to a household.
        Visit = 1 "visit",
        /// A sensitive value (S3): salt and value; named from a document by the fact's id only.
        Sensitive = 2 "sensitive",
        /// A masked value was revealed on the device.
        Reveal = 3 "reveal",
        /// 撤离台账: one statement about a household in an evacuation.
        Muster = 4 "muster",
        /// 指令.
        Command = 5 "command",
        /// 指令回执.
        Acknowledgement = 6 "acknowledgement",
        /// The server's verdict on a batch.
        Verdict = 100 "verdict",
        /// A grant for this device.
        Grant = 101 "grant",
        /// 案卷号, assigned at acceptance.
        CaseNumber = 102 "case_number",
        /// When the server received the actions of a case.
        Received = 103 "received",
        /// A row derived and masked for those who may look and not write; replaced whole by (subject, version).
        View = 104 "view",
        /// Reference data: divisions, grids, people's display names, categories.
        Reference = 105 "reference",
        /// An instruction to the device: wipe, re-enrol.
        Instruction = 106 "instruction",
        /// A document's streams changed.
        Move = 107 "move",
        /// An operating-mode record.
        Mode = 108 "mode",
        /// An action id stands for its `seen`, because its change was refused.
        StandsFor = 109 "stands_for",
    }
}

impl FactKind {
    /// Whether devices may write it. The rest comes from the server alone.
    #[must_use]
    pub const fn by_device(self) -> bool {
        self.code() < 100
    }
}

/// An immutable row. The hash covers the body only by its own hash, so that a body can be erased and every chain still verifies.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Fact {
    /// Identity.
    #[n(0)]
    pub id: FactId,
    /// What it is.
    #[n(1)]
    pub kind: FactKind,
    /// The document (or, for views, the subject) it is about.
    #[n(2)]
    pub subject: Option<DocId>,
    /// The grid or area it belongs to.
    #[n(3)]
    pub area: Option<AreaCode>,
    /// When, by its author's clocks.
    #[n(4)]
    pub at: Stamp,
    /// What it says, encoded by kind; gone once erased.
    #[n(5)]
    pub body: Body,
}

/// A fact's body, or what is left of it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Body {
    /// The bytes.
    #[n(0)]
    Held(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// Erased: only the hash is kept.
    #[n(1)]
    Erased(#[n(0)] Hash),
}

impl Body {
    /// SHA-256 of the bytes, also when they are gone.
    #[must_use]
    pub fn hash(&self) -> Hash {
        match self {
            Self::Held(bytes) => Hash::of(&[bytes]),
            Self::Erased(hash) => *hash,
        }
    }
}

impl Fact {
    /// The fact's hash: SHA-256 over `2 ‖ CBOR [id, kind, subject, area, at, [1, [body hash]]]`. These six parts and no others, in every version:
    /// what a newer version has to say goes into the body, whose bytes are kept and passed on as they are.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let Self { id, kind, subject, area, at: Stamp { wall_ms, mono_ms }, body } = self;
        let parts = (id, kind, subject, area, (wall_ms, mono_ms), Body::Erased(body.hash()));
        Hash::of(&[&[2], &minicbor::to_vec(parts).expect("encoding into memory does not fail")])
    }
}

codes! {
    /// How a visit went.
    pub enum VisitResult {
        /// 见面.
        Met = 1 "met",
        /// 不在家.
        Absent = 2 "absent",
        /// 拒访.
        Refused = 3 "refused",
        /// 已搬走.
        Moved = 4 "moved",
    }
}

codes! {
    /// Why the visit was made.
    pub enum VisitKind {
        /// 日常.
        Routine = 1 "routine",
        /// 关爱.
        Care = 2 "care",
        /// 安全检查.
        Safety = 3 "safety",
        /// 信息采集.
        Collection = 4 "collection",
        /// 撤离.
        Muster = 5 "muster",
    }
}

/// 走访: what a grid member saw at a household's door (`domain.md` §4.2). The household is the fact's subject.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
pub struct Visit {
    /// Why.
    #[n(0)]
    pub kind: VisitKind,
    /// How it went.
    #[n(1)]
    pub result: VisitResult,
    /// Who was met.
    #[n(2)]
    #[cbor(default)]
    #[serde(default)]
    pub persons: Vec<PersonId>,
    /// What they need, at most 2,000 characters.
    #[n(3)]
    #[serde(default)]
    pub needs: Option<String>,
    /// When the next visit is due, milliseconds since 1970.
    #[n(4)]
    #[serde(default)]
    pub next_due_ms: Option<i64>,
    /// Cases raised during it.
    #[n(5)]
    #[cbor(default)]
    #[serde(default)]
    pub cases: Vec<DocId>,
}

codes! {
    /// Why a masked or sensitive value was shown (`domain.md` §4.3).
    pub enum RevealReason {
        /// 核实身份.
        Identity = 1 "identity",
        /// 填写表格: an official form.
        Form = 2 "form",
        /// 紧急情况.
        Emergency = 3 "emergency",
        /// 更正信息.
        Correction = 4 "correction",
        /// 其他原因: said in words.
        Unlisted = 5 "unlisted",
    }
}

/// A masked or sensitive value was shown on the device. The record is the fact's subject; what was shown is named and never repeated.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
pub struct Reveal {
    /// The person whose value it is; none for the household's own.
    #[n(0)]
    #[serde(default)]
    pub person: Option<PersonId>,
    /// The field.
    #[n(1)]
    pub field: String,
    /// The sensitive fact that was read.
    #[n(2)]
    #[serde(default)]
    pub value: Option<FactId>,
    /// Why; none from a version that did not ask.
    #[n(3)]
    #[serde(default)]
    pub reason: Option<RevealReason>,
    /// Why, in words, at most 2,000 characters.
    #[n(4)]
    #[serde(default)]
    pub note: Option<String>,
}
