//! One action on a case: an immutable statement by one author, naming what he had seen (`domain.md` §3.1, §3.8).

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::area::AreaCode;
use super::code::codes;
use super::grant::Author;
use super::id::{ActionId, DocId, FactId, Hash, OrgId, UserId};
use super::time::Stamp;

codes! {
    /// What an action does (`domain.md` §3.8, "Kinds"). The numbers are stored and sent; a kind without a row in this version's table is kept as a note.
    pub enum ActionKind {
        /// 上报.
        Report = 1 "report",
        /// 补充.
        Supplement = 2 "supplement",
        /// 满意度.
        Rate = 3 "rate",
        /// 即办即结.
        SelfResolve = 4 "self_resolve",
        /// 签收.
        Sign = 5 "sign",
        /// 过程反馈.
        Progress = 6 "progress",
        /// 申请退回.
        RequestReturn = 7 "request_return",
        /// 申请延期.
        RequestExtension = 8 "request_extension",
        /// 处置完成.
        Finish = 9 "finish",
        /// 报到.
        CheckIn = 10 "check_in",
        /// 异议.
        Object = 11 "object",
        /// 申请重办.
        RequestReopen = 12 "request_reopen",
        /// 核查不通过.
        VerifyFail = 13 "verify_fail",
        /// 受理.
        Accept = 14 "accept",
        /// 派遣.
        Dispatch = 15 "dispatch",
        /// 撤派.
        Recall = 16 "recall",
        /// 同意退回.
        ApproveReturn = 17 "approve_return",
        /// 不同意退回.
        DenyReturn = 18 "deny_return",
        /// 同意延期.
        ApproveExtension = 19 "approve_extension",
        /// 不同意延期.
        DenyExtension = 20 "deny_extension",
        /// 挂起.
        Suspend = 21 "suspend",
        /// 恢复.
        Resume = 22 "resume",
        /// 上报上级.
        Escalate = 23 "escalate",
        /// 交办.
        Delegate = 24 "delegate",
        /// 吹哨.
        Whistle = 25 "whistle",
        /// 结束吹哨.
        WhistleEnd = 26 "whistle_end",
        /// 评价部门.
        RateDepartment = 27 "rate_department",
        /// 督办.
        Supervise = 28 "supervise",
        /// 结束督办.
        SuperviseEnd = 29 "supervise_end",
        /// 重办.
        Reopen = 30 "reopen",
        /// 不同意重办.
        DenyReopen = 31 "deny_reopen",
        /// 裁决.
        ResolveFlag = 32 "resolve_flag",
        /// 更正.
        Edit = 33 "edit",
        /// 取消并案.
        Unmerge = 34 "unmerge",
        /// 并入.
        MergeIn = 35 "merge_in",
        /// 核查通过.
        VerifyPass = 36 "verify_pass",
        /// 结案.
        Close = 37 "close",
        /// 不予受理.
        Reject = 38 "reject",
        /// 撤回.
        Withdraw = 39 "withdraw",
        /// 并案.
        Merge = 40 "merge",
        /// 作废.
        Void = 41 "void",
    }
}

codes! {
    /// How bad it is. Higher is worse.
    pub enum Severity {
        /// 一般.
        Normal = 1 "normal",
        /// 紧急.
        Urgent = 2 "urgent",
        /// 突发.
        Emergency = 3 "emergency",
    }
}

/// An action as its author made it. Its stored bytes never change and their hash is its identity; unknown fields of a newer version stay in them.
#[derive(Debug, Clone, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
pub struct Action {
    /// What it does.
    #[n(0)]
    pub kind: ActionKind,
    /// Who did it.
    #[n(1)]
    pub author: Author,
    /// When, by the author's clocks.
    #[n(2)]
    pub at: Stamp,
    /// The frontier of actions its author had when typing, sorted.
    #[n(3)]
    pub seen: Vec<ActionId>,
    /// The rules version it is to be judged by.
    #[n(4)]
    pub rules: u32,
    /// The opener of the round it acts on (R9); none for the report itself.
    #[n(5)]
    pub round: Option<ActionId>,
    /// The dispatch it acts under; an assignment's id is its DISPATCH's id.
    #[n(6)]
    pub assignment: Option<ActionId>,
    /// The operating-mode record it relies on (wartime).
    #[n(7)]
    pub mode: Option<FactId>,
    /// What it says.
    #[n(8)]
    pub fields: Fields,
}

impl Action {
    /// The bytes that are stored, and hashed for the identity.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("encoding into memory does not fail")
    }

    /// Reads stored bytes, leaving aside what a newer version added.
    ///
    /// # Errors
    /// When the bytes are not an action.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, minicbor::decode::Error> {
        minicbor::decode(bytes)
    }
}

/// What actions say. Which of these a kind needs is in the table of kinds (`case::kinds`); all are optional here, so that a new one breaks nobody.
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(default)]
pub struct Fields {
    /// A short title.
    #[n(0)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Free text, at most 2,000 characters.
    #[n(1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Category code: major `02` or minor `0201` (`domain.md` §7).
    #[n(2)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Severity, guessed by the reporter or set by the centre.
    #[n(3)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Where.
    #[n(4)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// When it happened, milliseconds since 1970.
    #[n(5)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred_ms: Option<i64>,
    /// Photos and voice, by content.
    #[n(6)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Vec<Attachment>>,
    /// Why.
    #[n(7)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The reply to the reporter.
    #[n(8)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
    /// Result code of finishing or closing.
    #[n(9)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// What was done.
    #[n(10)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measure: Option<String>,
    /// When it was finished, milliseconds since 1970, as claimed.
    #[n(11)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_ms: Option<i64>,
    /// The organisation it is dispatched to.
    #[n(12)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<OrgId>,
    /// The person it is dispatched to.
    #[n(13)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<UserId>,
    /// Co-handlers whose finishing is required.
    #[n(14)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<Vec<OrgId>>,
    /// When it is due, milliseconds since 1970.
    #[n(15)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_ms: Option<i64>,
    /// Instruction to the handler.
    #[n(16)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// Assignments it takes the place of, or takes back, or requests it answers.
    #[n(17)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<ActionId>>,
    /// What was seen on the spot.
    #[n(18)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observation: Option<String>,
    /// When it was seen, milliseconds since 1970.
    #[n(19)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_ms: Option<i64>,
    /// Conclusion of closing.
    #[n(20)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<String>,
    /// The grid it belongs to.
    #[n(21)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid: Option<AreaCode>,
    /// Result of the check for duplicates.
    #[n(22)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate_check: Option<String>,
    /// Satisfaction, 1–5.
    #[n(23)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<u8>,
    /// Where the case came from.
    #[n(24)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Days of a suspension.
    #[n(25)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_days: Option<u16>,
    /// Departments whistled for.
    #[n(26)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub departments: Option<Vec<OrgId>>,
    /// The other case of a merge.
    #[n(27)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<DocId>,
    /// The flag (row of `domain.md` §3.7) that a decision clears.
    #[n(28)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<u8>,
    /// A decision's word, or a supervision's level.
    #[n(29)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// Further labelled values, for instance of an imported record.
    #[n(30)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra: Option<BTreeMap<String, String>>,
}

/// A place: a point, words, or both. WGS-84 (= CGCS2000 to under a metre), in millionths of a degree.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(default)]
pub struct Place {
    /// Latitude, millionths of a degree.
    #[n(0)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lat_e6: Option<i32>,
    /// Longitude, millionths of a degree.
    #[n(1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lng_e6: Option<i32>,
    /// Accuracy of the fix, metres.
    #[n(2)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy_m: Option<u32>,
    /// The address in words.
    #[n(3)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// A photo or voice memo, named by its content; the bytes travel beside the record.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
pub struct Attachment {
    /// SHA-256 of the bytes.
    #[n(0)]
    pub sha256: Hash,
    /// File name.
    #[n(1)]
    pub name: String,
    /// Media type.
    #[n(2)]
    pub mime: String,
    /// Length in bytes.
    #[n(3)]
    pub size: u64,
}
