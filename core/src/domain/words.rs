//! What codes are called, in Chinese and English. One table for the phone, the console and the bindings.

use super::action::{ActionKind, Severity};
use super::case::{Ineffective, State};
use super::fact::RevealReason;
use super::grant::Role;

/// A word in both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// 中文.
    pub zh: &'static str,
    /// English.
    pub en: &'static str,
}

impl Words {
    /// In the language `lang` (`zh…` or anything else).
    #[must_use]
    pub fn get(self, lang: &str) -> &'static str {
        if lang.starts_with("zh") { self.zh } else { self.en }
    }
}

const fn words(zh: &'static str, en: &'static str) -> Words {
    Words { zh, en }
}

/// For a code of a newer version.
const NEWER: Words = words("新版内容", "from a newer version");

/// What a state is called.
#[must_use]
pub const fn state(state: State) -> Words {
    match state {
        State::Draft => words("草稿", "draft"),
        State::Reported => words("待受理", "reported"),
        State::Accepted => words("待分派", "accepted"),
        State::Dispatched => words("待签收", "dispatched"),
        State::Handling => words("处置中", "handling"),
        State::Suspended => words("挂起", "suspended"),
        State::Resolved => words("待核查", "resolved"),
        State::Verified => words("待结案", "verified"),
        State::Closed => words("已结案", "closed"),
        State::Rejected => words("不予受理", "rejected"),
        State::Withdrawn => words("已撤回", "withdrawn"),
        State::Merged => words("已并案", "merged"),
        State::Void => words("已作废", "void"),
        State::Other(_) => NEWER,
    }
}

/// What a role is called.
#[must_use]
pub const fn role(role: Role) -> Words {
    match role {
        Role::Rider => words("流动网格员", "rider"),
        Role::Volunteer => words("志愿者", "volunteer"),
        Role::FloorLeader => words("楼层长", "floor leader"),
        Role::FloorGroupLeader => words("分楼层长", "floor-group leader"),
        Role::UnitLeader => words("单元长", "unit leader"),
        Role::BuildingLeader => words("楼栋长", "building leader"),
        Role::GridMember => words("网格员", "grid member"),
        Role::GridHead => words("网格长", "grid head"),
        Role::EstateLead => words("小区负责人", "estate lead"),
        Role::Community => words("社区", "community"),
        Role::Department => words("部门承办人", "department handler"),
        Role::TownDispatcher => words("镇街调度员", "town dispatcher"),
        Role::TownLeader => words("镇街负责人", "town leader"),
        Role::County => words("县区调度平台", "county platform"),
        Role::City => words("市指挥枢纽", "city hub"),
        Role::Auditor => words("审计", "auditor"),
        Role::Other(_) => NEWER,
    }
}

/// What a severity is called.
#[must_use]
pub const fn severity(severity: Severity) -> Words {
    match severity {
        Severity::Normal => words("一般", "normal"),
        Severity::Urgent => words("紧急", "urgent"),
        Severity::Emergency => words("突发", "emergency"),
        Severity::Other(_) => NEWER,
    }
}

/// What an action is called.
#[must_use]
pub const fn action(kind: ActionKind) -> Words {
    match kind {
        ActionKind::Report => words("上报", "report"),
        ActionKind::Supplement => words("补充", "supplement"),
        ActionKind::Rate => words("满意度评价", "rating"),
        ActionKind::SelfResolve => words("即办即结", "resolved on the spot"),
        ActionKind::Sign => words("签收", "signed for"),
        ActionKind::Progress => words("过程反馈", "progress"),
        ActionKind::RequestReturn => words("申请退回", "return requested"),
        ActionKind::RequestExtension => words("申请延期", "extension requested"),
        ActionKind::Finish => words("处置完成", "finished"),
        ActionKind::CheckIn => words("报到", "checked in"),
        ActionKind::Object => words("异议", "objection"),
        ActionKind::RequestReopen => words("申请重办", "reopening requested"),
        ActionKind::VerifyFail => words("核查不通过", "verification failed"),
        ActionKind::Accept => words("受理", "accepted"),
        ActionKind::Dispatch => words("派遣", "dispatched"),
        ActionKind::Recall => words("撤派", "recalled"),
        ActionKind::ApproveReturn => words("同意退回", "return approved"),
        ActionKind::DenyReturn => words("不同意退回", "return denied"),
        ActionKind::ApproveExtension => words("同意延期", "extension approved"),
        ActionKind::DenyExtension => words("不同意延期", "extension denied"),
        ActionKind::Suspend => words("挂起", "suspended"),
        ActionKind::Resume => words("恢复", "resumed"),
        ActionKind::Escalate => words("上报上级", "escalated"),
        ActionKind::Delegate => words("交办", "delegated"),
        ActionKind::Whistle => words("吹哨", "whistle"),
        ActionKind::WhistleEnd => words("结束吹哨", "whistle ended"),
        ActionKind::RateDepartment => words("评价部门", "department rated"),
        ActionKind::Supervise => words("督办", "supervised"),
        ActionKind::SuperviseEnd => words("结束督办", "supervision ended"),
        ActionKind::Reopen => words("重办", "reopened"),
        ActionKind::DenyReopen => words("不同意重办", "reopening denied"),
        ActionKind::ResolveFlag => words("裁决", "decided"),
        ActionKind::Edit => words("更正", "corrected"),
        ActionKind::Unmerge => words("取消并案", "unmerged"),
        ActionKind::MergeIn => words("并入", "merged in"),
        ActionKind::VerifyPass => words("核查通过", "verification passed"),
        ActionKind::Close => words("结案", "closed"),
        ActionKind::Reject => words("不予受理", "rejected"),
        ActionKind::Withdraw => words("撤回", "withdrawn"),
        ActionKind::Merge => words("并案", "merged"),
        ActionKind::Void => words("作废", "voided"),
        ActionKind::Other(_) => NEWER,
    }
}

/// What a reason for showing a value is called.
#[must_use]
pub const fn reveal_reason(reason: RevealReason) -> Words {
    match reason {
        RevealReason::Identity => words("核实身份", "checking who somebody is"),
        RevealReason::Form => words("填写表格", "filling in a form"),
        RevealReason::Emergency => words("紧急情况", "an emergency"),
        RevealReason::Correction => words("更正信息", "correcting the record"),
        RevealReason::Unlisted => words("其他原因", "another reason"),
        RevealReason::Other(_) => NEWER,
    }
}

/// Why an action had no effect.
#[must_use]
pub const fn ineffective(reason: Ineffective) -> Words {
    match reason {
        Ineffective::Role => words("该角色无此权限", "the role has no right to this"),
        Ineffective::Scope => words("不在负责区域内", "outside the author's area"),
        Ineffective::Custody => words("案件由其他层级持有", "the case is held at another level"),
        Ineffective::State => words("当前状态不允许", "the case was not in a state that allows it"),
        Ineffective::Round => words("该轮次已结束", "that round is over"),
        Ineffective::Assignment => words("派单不属于本人或已失效", "not the author's assignment, or no longer live"),
        Ineffective::Fields => words("缺少必填内容", "something required is missing"),
        Ineffective::SamePerson => words("处置人不能核查自己的工作", "the finisher cannot verify his own work"),
        Ineffective::Superseded => words("同时发生的另一操作优先", "a concurrent action took precedence"),
        Ineffective::UnknownKind => words("新版操作，请升级", "of a newer version: update to see it"),
        Ineffective::NotReporter => words("只有上报人可以操作", "only the reporter may do this"),
        Ineffective::SeenMissing => words("所依据的操作尚未到达", "an action it had seen is not here"),
        Ineffective::Late => words("超过时限", "too late"),
        Ineffective::Other(_) => NEWER,
    }
}
