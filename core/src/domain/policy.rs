//! Policy: what an author may write at all (`domain.md` §5). It decides what is refused.
//!
//! Refused is rare: malformed, forged, out of scope, or a thing the role can never legitimately write. A case action that role, custody or
//! state does not allow is **not** refused when it comes from a role that holds cases: it is accepted, ineffective, and visible with its
//! reason (`case::fold`), because the author may have acted on what was true where he stood. The line: roles that read only their own
//! ([`Reads::Own`]) hold no case beyond their own reports, so a kind to which the table gives them no right at all (a rider who closes a
//! case) cannot be an honest mistake, and is [`Refusal::NotPermitted`]. A kind of a newer version is let in as a note.

use super::action::{Action, ActionKind, Fields};
use super::area::{AreaCode, Level};
use super::case::kinds::{self, Right};
use super::code::codes;
use super::fact::{Body, Fact, FactKind, Reveal, Visit};
use super::grant::{Grant, Role};
use super::household::{self, FieldSpec, HouseholdEdit, TAG_PREFIX, Value};
use super::id::FactId;

/// Longest text of an action, a visit or a reveal, in characters (`domain.md` §4.4).
pub const MAX_TEXT_CHARS: usize = 2000;
/// Most entries in any list of an action.
pub const MAX_LIST: usize = 64;
/// Longest body of a fact that a device writes, in bytes.
pub const MAX_FACT_BYTES: usize = 16 << 10;
/// Salt before a sensitive value, in bytes (S3). It is erased together with the value; what stays is a hash over 2⁶⁴ salts times the values, which
/// cannot be searched. Sixteen bytes would cost a grid's first load 8 KB more.
pub const SALT_BYTES: usize = 8;

codes! {
    /// Why something was refused. Stable; the words for people are in [`Refusal::words`].
    pub enum Refusal {
        /// Not a change, action or fact at all, or one that no command can produce.
        Malformed = 1 "malformed",
        /// Larger than the limits.
        TooLarge = 2 "too_large",
        /// Written under an actor that is not the sending device's.
        WrongActor = 3 "wrong_actor",
        /// Its place in the actor's sequence is taken by something else.
        BadSequence = 4 "bad_sequence",
        /// The area is outside the grant.
        OutOfScope = 5 "out_of_scope",
        /// The role may not write this kind of thing.
        NotPermitted = 6 "not_permitted",
        /// The action names another grant, role or area than the sender's.
        ForgedAuthor = 7 "forged_author",
        /// An existing entry would be overwritten.
        Rewrite = 8 "rewrite",
        /// A decision that had not seen what the phone had been given.
        StaleSeen = 9 "stale_seen",
        /// The device is limited to reports until the centre approves it.
        ReportOnly = 10 "report_only",
        /// The document does not exist and this change does not create it.
        NoSuchRecord = 11 "no_such_record",
        /// The document has reached its limit of changes, authors, bytes or actions.
        RecordFull = 12 "record_full",
        /// The grant had ended.
        GrantEnded = 13 "grant_ended",
        /// It was kept aside, and the centre's administrator did not let it in.
        Rejected = 14 "rejected",
    }
}

impl Refusal {
    /// What to tell a person, in Chinese and English: what happened and what to do.
    #[must_use]
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Malformed => ("内容格式不正确，中心无法读取。请更新应用后重新填写。", "The centre could not read this. Update the app and enter it again."),
            Self::TooLarge => ("内容太长。请缩短文字或分几次填写。", "This is too long. Shorten the text or enter it in several parts."),
            Self::WrongActor => {
                ("这条记录不是以本机身份写的。请联系镇街中心检查本机。", "This was not written as this phone. Ask the town centre to check the phone.")
            }
            Self::BadSequence => (
                "本机的记录顺序与中心不一致。应用会自动重做；如再次出现，请联系镇街中心。",
                "This phone's order of records differs from the centre's. The app redoes it; if it happens again, ask the town centre.",
            ),
            Self::OutOfScope => (
                "地点不在您的负责区域内。请核对地点，或转告负责该处的网格。",
                "The place is outside your area. Check the place, or tell the grid that is in charge of it.",
            ),
            Self::NotPermitted => {
                ("您的角色不能做这一项。可以改为补充说明发给中心。", "Your role may not do this. You can send it to the centre as a supplement.")
            }
            Self::ForgedAuthor => (
                "记录上的身份与本机授权不符。请重新入网；如仍出现，请联系镇街中心。",
                "The author named in this is not the one this phone was given. Enrol again; if it stays, ask the town centre.",
            ),
            Self::Rewrite => ("已有的记录不能改写。请另写一条补充。", "What is already recorded cannot be rewritten. Add a supplement instead."),
            Self::StaleSeen => (
                "作决定时没有看到本机已收到的新情况。请查看最新情况后重新决定。",
                "This decision left out what the phone had already received. Look at what is new and decide again.",
            ),
            Self::ReportOnly => ("本机暂时只能上报。请到镇街中心确认本机。", "This phone may only report for now. Have it approved at the town centre."),
            Self::NoSuchRecord => ("中心没有这条记录。请同步后再试。", "The centre does not have this record. Sync and try again."),
            Self::RecordFull => {
                ("这条记录的修改次数已到上限。请联系镇街中心另开一份。", "This record has reached its limit of changes. Ask the town centre to open a new one.")
            }
            Self::GrantEnded => (
                "您的授权已到期。请到镇街中心重新入网，内容仍保存在本机。",
                "Your authorisation has ended. Enrol again at the town centre; what you wrote is still on this phone.",
            ),
            Self::Rejected => (
                "中心管理员审核后没有采纳。请联系镇街中心了解原因。",
                "The centre's administrator looked at this and did not let it in. Ask the town centre why.",
            ),
            Self::Other(_) => (
                "中心没有接收这一项，原因来自新版本。请更新应用查看。",
                "The centre did not take this, for a reason of a newer version. Update the app to see it.",
            ),
        }
    }
}

/// Whether this author may write this action on a case in `area` (the case's grid or town, as the server holds it).
///
/// # Errors
/// The reason for a refusal. Ineffective is not refused.
pub fn may_act(grant: &Grant, area: AreaCode, action: &Action) -> Result<(), Refusal> {
    if action.author != grant.author() {
        return Err(Refusal::ForgedAuthor);
    }
    fits(action)?;
    if grant.role == Role::Auditor || matches!(grant.role, Role::Other(_)) {
        return Err(Refusal::NotPermitted);
    }
    let own = reads(grant.role) == Reads::Own;
    if own && kinds::spec(action.kind).is_some_and(|spec| spec.right(grant.role) == Right::No) {
        return Err(Refusal::NotPermitted);
    }
    let in_scope = if action.kind == ActionKind::Report {
        grant.covers(area) && action.fields.grid.is_none_or(|grid| grant.covers(grid))
    } else {
        // A handler's assignment and a reporter's own case may lie outside his scopes; that they are his is for the fold to say.
        (own || grant.role == Role::Department || touches(grant, area)) && action.fields.grid.is_none_or(|grid| around(grant, grid))
    };
    if in_scope { Ok(()) } else { Err(Refusal::OutOfScope) }
}

/// A case that has no grid yet lies in a town, which holds the author's grid.
fn touches(grant: &Grant, area: AreaCode) -> bool {
    grant.scopes.iter().any(|scope| scope.contains(area) || area.contains(*scope))
}

/// Where an author may move a case: within his scopes, or elsewhere in a town that one of them lies in.
fn around(grant: &Grant, grid: AreaCode) -> bool {
    grant.scopes.iter().any(|scope| scope.at(Level::Town).unwrap_or(*scope).contains(grid))
}

/// Shape and size of an action, whoever wrote it.
fn fits(action: &Action) -> Result<(), Refusal> {
    let Fields { score, targets, required, departments, evidence, extra, .. } = &action.fields;
    if !action.seen.is_sorted_by(|a, b| a < b) || score.is_some_and(|score| !(1..=5).contains(&score)) {
        return Err(Refusal::Malformed);
    }
    let lists = [
        action.seen.len(),
        targets.as_ref().map_or(0, Vec::len),
        required.as_ref().map_or(0, Vec::len),
        departments.as_ref().map_or(0, Vec::len),
        evidence.as_ref().map_or(0, Vec::len),
        extra.as_ref().map_or(0, std::collections::BTreeMap::len),
    ];
    if lists.into_iter().any(|len| len > MAX_LIST) || texts(&action.fields).any(|text| text.chars().count() > MAX_TEXT_CHARS) {
        return Err(Refusal::TooLarge);
    }
    Ok(())
}

fn texts(f: &Fields) -> impl Iterator<Item = &str> {
    let plain = [
        &f.title,
        &f.text,
        &f.category,
        &f.reason,
        &f.reply,
        &f.result,
        &f.measure,
        &f.instruction,
        &f.observation,
        &f.conclusion,
        &f.duplicate_check,
        &f.source,
        &f.decision,
    ];
    let place = f.place.iter().filter_map(|place| place.address.as_deref());
    let names = f.evidence.iter().flatten().flat_map(|attachment| [attachment.name.as_str(), attachment.mime.as_str()]);
    let extra = f.extra.iter().flatten().flat_map(|(key, value)| [key.as_str(), value.as_str()]);
    plain.into_iter().filter_map(|text| text.as_deref()).chain(place).chain(names).chain(extra)
}

/// Whether this author may make this edit to a household in `area`.
///
/// # Errors
/// The reason for a refusal.
pub fn may_edit(grant: &Grant, area: AreaCode, edit: &HouseholdEdit) -> Result<(), Refusal> {
    if !grant.role.holds_households() {
        return Err(Refusal::NotPermitted);
    }
    if !grant.covers(area) {
        return Err(Refusal::OutOfScope);
    }
    match edit {
        HouseholdEdit::Create(fields) => fields.iter().try_for_each(|(name, value)| field(household::household_field(name), name, value))?,
        HouseholdEdit::Set(name, value) => field(household::household_field(name), name, value)?,
        HouseholdEdit::AddPerson(_, fields) => fields.iter().try_for_each(|(name, value)| field(household::person_field(name), name, value))?,
        HouseholdEdit::SetPerson(_, name, value) => field(household::person_field(name), name, value)?,
    }
    let grid = match edit {
        HouseholdEdit::Create(fields) => household::text(fields, "grid"),
        HouseholdEdit::Set(name, Value::Text(text)) if name == "grid" => Some(text.as_str()),
        _ => None,
    };
    match grid.map(str::parse::<AreaCode>) {
        Some(Err(_)) => Err(Refusal::Malformed),
        Some(Ok(grid)) if !grant.covers(grid) => Err(Refusal::OutOfScope),
        _ => Ok(()),
    }
}

/// A field that the tables know, with a value of its type and not too long. Cleared (null) is allowed everywhere.
fn field(spec: Option<FieldSpec>, name: &str, value: &Value) -> Result<(), Refusal> {
    let spec = spec.ok_or(Refusal::Malformed)?;
    match value {
        Value::Null => Ok(()),
        Value::Bool(_) if name.starts_with(TAG_PREFIX) => Ok(()),
        Value::Int(_) if name == "area" => Ok(()),
        Value::Text(_) if name.starts_with(TAG_PREFIX) => Err(Refusal::Malformed),
        Value::Text(text) if text.chars().count() > spec.max_chars => Err(Refusal::TooLarge),
        Value::Text(text) if spec.sensitivity == household::Sensitivity::S3 && text.parse::<FactId>().is_err() => Err(Refusal::Malformed),
        Value::Text(_) => Ok(()),
        Value::Bool(_) | Value::Int(_) => Err(Refusal::Malformed),
    }
}

/// Whether this author may write this fact about something in `area`.
///
/// # Errors
/// The reason for a refusal.
pub fn may_state(grant: &Grant, area: AreaCode, fact: &Fact) -> Result<(), Refusal> {
    if !states(grant.role, fact.kind) {
        return Err(Refusal::NotPermitted);
    }
    let Body::Held(body) = &fact.body else { return Err(Refusal::Malformed) };
    if body.len() > MAX_FACT_BYTES {
        return Err(Refusal::TooLarge);
    }
    if !touches(grant, area) || fact.area.is_some_and(|area| !touches(grant, area)) {
        return Err(Refusal::OutOfScope);
    }
    // A command binds everyone below: it reaches no further than who gives it.
    if fact.kind == FactKind::Command && !(grant.covers(area) && fact.area.is_none_or(|area| grant.covers(area))) {
        return Err(Refusal::OutOfScope);
    }
    if matches!(fact.kind, FactKind::Visit | FactKind::Sensitive | FactKind::Reveal) && fact.subject.is_none() {
        return Err(Refusal::Malformed);
    }
    let long = |text: Option<String>| text.is_some_and(|text| text.chars().count() > MAX_TEXT_CHARS);
    let too_large = match fact.kind {
        FactKind::Visit => {
            let visit: Visit = minicbor::decode(body).map_err(|_| Refusal::Malformed)?;
            long(visit.needs) || visit.persons.len() > MAX_LIST || visit.cases.len() > MAX_LIST
        }
        FactKind::Reveal => long(minicbor::decode::<Reveal>(body).map_err(|_| Refusal::Malformed)?.note),
        FactKind::Sensitive if body.len() <= SALT_BYTES => return Err(Refusal::Malformed),
        _ => false,
    };
    if too_large { Err(Refusal::TooLarge) } else { Ok(()) }
}

/// Which facts a role may state (`domain.md` §5: visit, muster, command; §4.3: reveal). What the server states no device does.
const fn states(role: Role, kind: FactKind) -> bool {
    let town = matches!(role, Role::TownDispatcher | Role::TownLeader);
    let upper = matches!(role, Role::TownLeader | Role::County | Role::City);
    match kind {
        FactKind::Visit | FactKind::Sensitive => role.holds_households(),
        FactKind::Reveal => role.holds_households() || town || matches!(role, Role::Department),
        FactKind::Muster => !matches!(role, Role::County | Role::City | Role::Auditor | Role::Other(_)),
        FactKind::Command => upper,
        FactKind::Acknowledgement => role.holds_households() || town || matches!(role, Role::Department),
        _ => false,
    }
}

/// Whether the role reads the grid streams in its scopes (documents whole), the town's desk, its organisation's assignments, or only its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// The grids in the grant's scopes.
    Grids,
    /// The town's desk.
    Desk,
    /// What is assigned to the organisation.
    Assignments,
    /// Only what it reported itself.
    Own,
}

/// What a role reads.
#[must_use]
pub const fn reads(role: Role) -> Reads {
    match role {
        Role::GridMember | Role::GridHead | Role::Community => Reads::Grids,
        Role::TownDispatcher | Role::TownLeader | Role::County | Role::City => Reads::Desk,
        Role::Department => Reads::Assignments,
        _ => Reads::Own,
    }
}

#[cfg(test)]
mod tests;
