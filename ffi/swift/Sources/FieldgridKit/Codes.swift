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

    /// Sent again: a later edit stands for it. Only a history shows it.
    case replaced

    /// Of a newer version than this app.
    case other
}

/// What an author can do about own work that is not let in at the centre.
public enum Remedy: String, CaseIterable, Hashable, Sendable {
    /// Send it again as it was.
    case redo

    /// Send it with other values.
    case correct

    /// Send what it said as a note.
    case note

    /// Give it up. Nobody else does.
    case discard

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

/// Why a number is shown.
public enum RevealReason: String, CaseIterable, Hashable, Sendable {
    /// 核实身份.
    case identity

    /// 填写表格: an official form.
    case form

    /// 紧急情况.
    case emergency

    /// 更正信息.
    case correction

    /// 其他原因: said in words.
    case unlisted

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

    /// The server did not take what was sent, and signed nothing that says why; it is kept and sent again.
    case notTaken

    /// Of a newer version than this app.
    case other
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
