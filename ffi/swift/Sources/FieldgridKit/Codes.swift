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

/// Where work is, told from receipts only.
public enum DeliveryState: String, CaseIterable, Hashable, Sendable {
    /// Nothing of this device's own is in it.
    case theirs

    /// On this phone.
    case onPhone

    /// Received by the centre.
    case received

    /// Was received, and is to be delivered again: the centre restored a backup.
    case again

    /// Refused, for a reason.
    case refused

    /// A person decides what is to become of it.
    case decide

    /// The centre waits for what it depends on.
    case waiting

    /// The centre keeps it aside for an administrator.
    case quarantined

    /// Given up by the person.
    case discarded

    /// Of a newer version than this app.
    case other
}

/// How a visit went.
public enum VisitResult: String, CaseIterable, Hashable, Sendable {
    /// 见面.
    case met

    /// 不在家.
    case absent

    /// 拒访.
    case refused

    /// 已搬走.
    case moved

    /// Of a newer version than this app.
    case other
}

/// Why a visit was made.
public enum VisitKind: String, CaseIterable, Hashable, Sendable {
    /// 日常.
    case routine

    /// 关爱.
    case care

    /// 安全检查.
    case safety

    /// 信息采集.
    case collection

    /// 撤离.
    case muster

    /// Of a newer version than this app.
    case other
}

/// What a person is to the centre.
public enum Role: String, CaseIterable, Hashable, Sendable {
    /// 流动网格员: a delivery rider who reports what he sees.
    case rider

    /// 志愿者.
    case volunteer

    /// 楼层长.
    case floorLeader

    /// 分楼层长.
    case floorGroupLeader

    /// 单元长.
    case unitLeader

    /// 楼栋长.
    case buildingLeader

    /// 网格员.
    case gridMember

    /// 网格长.
    case gridHead

    /// 小区党组织(物业)负责人.
    case estateLead

    /// 社区/村.
    case community

    /// 部门承办人.
    case department

    /// 镇街调度员.
    case townDispatcher

    /// 镇街负责人.
    case townLeader

    /// 县区调度平台.
    case county

    /// 市指挥枢纽.
    case city

    /// 审计.
    case auditor

    /// Of a newer version than this app.
    case other
}

/// Why the phone waits before it asks the centre again.
public enum WaitReason: String, CaseIterable, Hashable, Sendable {
    /// Nothing is wrong: the next look is due later.
    case scheduled

    /// No connection to the server.
    case noNetwork

    /// The server did not answer in time.
    case timeout

    /// The server is busy, or this phone asked too often; it said when to come again.
    case serverBusy

    /// The server failed.
    case serverFailed

    /// The device is not enrolled.
    case notEnrolled

    /// The server does not recognise the device's signature.
    case notRecognised

    /// The device is revoked.
    case revoked

    /// The server speaks a newer version of the protocol, or no longer this one.
    case needsUpdate

    /// The phone's clock is outside the time for which the server's certificate holds.
    case clock

    /// The server's certificate is not trusted.
    case untrusted

    /// What came back is not an answer to the request: a login page of the network, or a damaged answer.
    case badAnswer

    /// The server does not take the request.
    case rejected

    /// The phone's own storage failed.
    case storage

    /// The server is older than this phone and cannot read its work yet.
    case serverOutdated

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

/// How much a line of the log matters.
public enum LogLevel: String, CaseIterable, Hashable, Sendable {
    /// Something failed.
    case error

    /// Something is odd.
    case warn

    /// What happens.
    case info

    /// Each step.
    case debug
}
