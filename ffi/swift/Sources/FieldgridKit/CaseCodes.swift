/// Where a case stands. Computed from what was done, never set.
public enum CaseState: String, CaseIterable, Hashable, Sendable {
    /// No effective report yet.
    case draft

    /// 待受理.
    case reported

    /// 待分派.
    case accepted

    /// 待签收.
    case dispatched

    /// 处置中.
    case handling

    /// 挂起.
    case suspended

    /// 待核查.
    case resolved

    /// 待结案.
    case verified

    /// 已结案.
    case closed

    /// 不予受理.
    case rejected

    /// 撤回.
    case withdrawn

    /// 并案.
    case merged

    /// 作废.
    case void

    /// Of a newer version than this app.
    case other
}

/// How bad it is.
public enum Severity: String, CaseIterable, Hashable, Sendable {
    /// 一般.
    case normal

    /// 紧急.
    case urgent

    /// 突发.
    case emergency

    /// Of a newer version than this app.
    case other
}

/// What an action does.
public enum ActionKind: String, CaseIterable, Hashable, Sendable {
    /// 上报.
    case report

    /// 补充.
    case supplement

    /// 满意度.
    case rate

    /// 即办即结.
    case selfResolve

    /// 签收.
    case sign

    /// 过程反馈.
    case progress

    /// 申请退回.
    case requestReturn

    /// 申请延期.
    case requestExtension

    /// 处置完成.
    case finish

    /// 报到.
    case checkIn

    /// 异议.
    case object

    /// 申请重办.
    case requestReopen

    /// 核查不通过.
    case verifyFail

    /// 受理.
    case accept

    /// 派遣.
    case dispatch

    /// 撤派.
    case recall

    /// 同意退回.
    case approveReturn

    /// 不同意退回.
    case denyReturn

    /// 同意延期.
    case approveExtension

    /// 不同意延期.
    case denyExtension

    /// 挂起.
    case suspend

    /// 恢复.
    case resume

    /// 上报上级.
    case escalate

    /// 交办.
    case delegate

    /// 吹哨.
    case whistle

    /// 结束吹哨.
    case whistleEnd

    /// 评价部门.
    case rateDepartment

    /// 督办.
    case supervise

    /// 结束督办.
    case superviseEnd

    /// 重办.
    case reopen

    /// 不同意重办.
    case denyReopen

    /// 裁决.
    case resolveFlag

    /// 更正.
    case edit

    /// 取消并案.
    case unmerge

    /// 并入.
    case mergeIn

    /// 核查通过.
    case verifyPass

    /// 结案.
    case close

    /// 不予受理.
    case reject

    /// 撤回.
    case withdraw

    /// 并案.
    case merge

    /// 作废.
    case void

    /// Of a newer version than this app.
    case other
}

/// What an action must say.
public enum ActionField: String, CaseIterable, Hashable, Sendable {
    /// Category code.
    case category

    /// A point or an address.
    case place

    /// When it happened.
    case occurredAt

    /// How bad it is.
    case severity

    /// Text, photo or voice.
    case evidence

    /// Satisfaction, 1–5.
    case score

    /// What was done.
    case measure

    /// A photo.
    case photo

    /// Photos before and after.
    case photos

    /// Where the author stood, as a fix.
    case spot

    /// When it was finished.
    case finishedAt

    /// Why.
    case reason

    /// When it is (newly) due.
    case dueAt

    /// Result code.
    case result

    /// What was seen on the spot.
    case observation

    /// When it was seen.
    case seenAt

    /// The grid it belongs to.
    case grid

    /// Result of the check for duplicates.
    case duplicateCheck

    /// The organisation it is given to.
    case org

    /// What is to be done.
    case instruction

    /// The assignments, requests or actions it is about.
    case targets

    /// Longest time.
    case maxDays

    /// Departments.
    case departments

    /// A level or a decision's word.
    case decision

    /// The row of the flag.
    case row

    /// At least one header field.
    case header

    /// Conclusion.
    case conclusion

    /// The reply to the reporter.
    case reply

    /// The other case.
    case primary
}

/// How much a flag matters.
public enum FlagLevel: String, CaseIterable, Hashable, Sendable {
    /// For information.
    case info

    /// A person must decide.
    case must
}

/// What a list of cases is ordered by.
public enum CaseOrder: String, CaseIterable, Hashable, Sendable {
    /// The latest change first.
    case updated

    /// Only open cases with a due time, soonest first.
    case due

    /// A day's list: open cases, what is due soonest first, then the others, the latest change first.
    case today
}

/// How far an assignment is.
public enum AssignmentState: String, CaseIterable, Hashable, Sendable {
    /// Given, not yet signed for.
    case unsigned

    /// Signed for; work goes on.
    case signed

    /// Finished.
    case finished

    /// Taken back.
    case recalled

    /// Superseded by a later dispatch.
    case superseded

    /// Paused until a person decides.
    case paused
}
