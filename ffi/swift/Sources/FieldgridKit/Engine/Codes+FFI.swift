// The codes of the bindings, and those of the public interface: written out, so that a new one does not compile until it is in both.

#if compiler(>=6.0)
internal import FieldgridFFI
#else
import FieldgridFFI
#endif

extension CaseState {
    init(_ code: FieldgridFFI.CaseState) {
        self = switch code {
        case .draft: .draft
        case .reported: .reported
        case .accepted: .accepted
        case .dispatched: .dispatched
        case .handling: .handling
        case .suspended: .suspended
        case .resolved: .resolved
        case .verified: .verified
        case .closed: .closed
        case .rejected: .rejected
        case .withdrawn: .withdrawn
        case .merged: .merged
        case .void: .void
        case .other: .other
        }
    }
}

extension FieldgridFFI.CaseState {
    init(_ code: CaseState) {
        self = switch code {
        case .draft: .draft
        case .reported: .reported
        case .accepted: .accepted
        case .dispatched: .dispatched
        case .handling: .handling
        case .suspended: .suspended
        case .resolved: .resolved
        case .verified: .verified
        case .closed: .closed
        case .rejected: .rejected
        case .withdrawn: .withdrawn
        case .merged: .merged
        case .void: .void
        case .other: .other
        }
    }
}

extension Severity {
    init(_ code: FieldgridFFI.Severity) {
        self = switch code {
        case .normal: .normal
        case .urgent: .urgent
        case .emergency: .emergency
        case .other: .other
        }
    }
}

extension FieldgridFFI.Severity {
    init(_ code: Severity) {
        self = switch code {
        case .normal: .normal
        case .urgent: .urgent
        case .emergency: .emergency
        case .other: .other
        }
    }
}

extension ActionKind {
    init(_ code: FieldgridFFI.ActionKind) {
        self = switch code {
        case .report: .report
        case .supplement: .supplement
        case .rate: .rate
        case .selfResolve: .selfResolve
        case .sign: .sign
        case .progress: .progress
        case .requestReturn: .requestReturn
        case .requestExtension: .requestExtension
        case .finish: .finish
        case .checkIn: .checkIn
        case .object: .object
        case .requestReopen: .requestReopen
        case .verifyFail: .verifyFail
        case .accept: .accept
        case .dispatch: .dispatch
        case .recall: .recall
        case .approveReturn: .approveReturn
        case .denyReturn: .denyReturn
        case .approveExtension: .approveExtension
        case .denyExtension: .denyExtension
        case .suspend: .suspend
        case .resume: .resume
        case .escalate: .escalate
        case .delegate: .delegate
        case .whistle: .whistle
        case .whistleEnd: .whistleEnd
        case .rateDepartment: .rateDepartment
        case .supervise: .supervise
        case .superviseEnd: .superviseEnd
        case .reopen: .reopen
        case .denyReopen: .denyReopen
        case .resolveFlag: .resolveFlag
        case .edit: .edit
        case .unmerge: .unmerge
        case .mergeIn: .mergeIn
        case .verifyPass: .verifyPass
        case .close: .close
        case .reject: .reject
        case .withdraw: .withdraw
        case .merge: .merge
        case .void: .void
        case .other: .other
        }
    }
}

extension FieldgridFFI.ActionKind {
    init(_ code: ActionKind) {
        self = switch code {
        case .report: .report
        case .supplement: .supplement
        case .rate: .rate
        case .selfResolve: .selfResolve
        case .sign: .sign
        case .progress: .progress
        case .requestReturn: .requestReturn
        case .requestExtension: .requestExtension
        case .finish: .finish
        case .checkIn: .checkIn
        case .object: .object
        case .requestReopen: .requestReopen
        case .verifyFail: .verifyFail
        case .accept: .accept
        case .dispatch: .dispatch
        case .recall: .recall
        case .approveReturn: .approveReturn
        case .denyReturn: .denyReturn
        case .approveExtension: .approveExtension
        case .denyExtension: .denyExtension
        case .suspend: .suspend
        case .resume: .resume
        case .escalate: .escalate
        case .delegate: .delegate
        case .whistle: .whistle
        case .whistleEnd: .whistleEnd
        case .rateDepartment: .rateDepartment
        case .supervise: .supervise
        case .superviseEnd: .superviseEnd
        case .reopen: .reopen
        case .denyReopen: .denyReopen
        case .resolveFlag: .resolveFlag
        case .edit: .edit
        case .unmerge: .unmerge
        case .mergeIn: .mergeIn
        case .verifyPass: .verifyPass
        case .close: .close
        case .reject: .reject
        case .withdraw: .withdraw
        case .merge: .merge
        case .void: .void
        case .other: .other
        }
    }
}

extension DeliveryState {
    init(_ code: FieldgridFFI.DeliveryState) {
        self = switch code {
        case .theirs: .theirs
        case .onPhone: .onPhone
        case .received: .received
        case .again: .again
        case .refused: .refused
        case .decide: .decide
        case .waiting: .waiting
        case .quarantined: .quarantined
        case .discarded: .discarded
        case .replaced: .replaced
        case .other: .other
        }
    }
}

extension VisitResult {
    init(_ code: FieldgridFFI.VisitResult) {
        self = switch code {
        case .met: .met
        case .absent: .absent
        case .refused: .refused
        case .moved: .moved
        case .other: .other
        }
    }
}

extension FieldgridFFI.VisitResult {
    init(_ code: VisitResult) {
        self = switch code {
        case .met: .met
        case .absent: .absent
        case .refused: .refused
        case .moved: .moved
        case .other: .other
        }
    }
}

extension VisitKind {
    init(_ code: FieldgridFFI.VisitKind) {
        self = switch code {
        case .routine: .routine
        case .care: .care
        case .safety: .safety
        case .collection: .collection
        case .muster: .muster
        case .other: .other
        }
    }
}

extension FieldgridFFI.VisitKind {
    init(_ code: VisitKind) {
        self = switch code {
        case .routine: .routine
        case .care: .care
        case .safety: .safety
        case .collection: .collection
        case .muster: .muster
        case .other: .other
        }
    }
}

extension FieldgridFFI.RevealReason {
    init(_ code: RevealReason) {
        self = switch code {
        case .identity: .identity
        case .form: .form
        case .emergency: .emergency
        case .correction: .correction
        case .unlisted: .unlisted
        case .other: .other
        }
    }
}

extension Role {
    init(_ code: FieldgridFFI.Role) {
        self = switch code {
        case .rider: .rider
        case .volunteer: .volunteer
        case .floorLeader: .floorLeader
        case .floorGroupLeader: .floorGroupLeader
        case .unitLeader: .unitLeader
        case .buildingLeader: .buildingLeader
        case .gridMember: .gridMember
        case .gridHead: .gridHead
        case .estateLead: .estateLead
        case .community: .community
        case .department: .department
        case .townDispatcher: .townDispatcher
        case .townLeader: .townLeader
        case .county: .county
        case .city: .city
        case .auditor: .auditor
        case .other: .other
        }
    }
}

extension FieldgridFFI.Role {
    init(_ code: Role) {
        self = switch code {
        case .rider: .rider
        case .volunteer: .volunteer
        case .floorLeader: .floorLeader
        case .floorGroupLeader: .floorGroupLeader
        case .unitLeader: .unitLeader
        case .buildingLeader: .buildingLeader
        case .gridMember: .gridMember
        case .gridHead: .gridHead
        case .estateLead: .estateLead
        case .community: .community
        case .department: .department
        case .townDispatcher: .townDispatcher
        case .townLeader: .townLeader
        case .county: .county
        case .city: .city
        case .auditor: .auditor
        case .other: .other
        }
    }
}

extension Remedy {
    init(_ code: FieldgridFFI.Remedy) {
        self = switch code {
        case .redo: .redo
        case .correct: .correct
        case .note: .note
        case .discard: .discard
        case .other: .other
        }
    }
}

extension WaitReason {
    init(_ code: FieldgridFFI.WaitReason) {
        self = switch code {
        case .scheduled: .scheduled
        case .noNetwork: .noNetwork
        case .timeout: .timeout
        case .serverBusy: .serverBusy
        case .serverFailed: .serverFailed
        case .notEnrolled: .notEnrolled
        case .notRecognised: .notRecognised
        case .revoked: .revoked
        case .needsUpdate: .needsUpdate
        case .clock: .clock
        case .untrusted: .untrusted
        case .badAnswer: .badAnswer
        case .rejected: .rejected
        case .storage: .storage
        case .serverOutdated: .serverOutdated
        case .notTaken: .notTaken
        case .other: .other
        }
    }
}

extension ActionField {
    init(_ code: FieldgridFFI.ActionField) {
        self = switch code {
        case .category: .category
        case .place: .place
        case .occurredAt: .occurredAt
        case .severity: .severity
        case .evidence: .evidence
        case .score: .score
        case .measure: .measure
        case .photo: .photo
        case .photos: .photos
        case .spot: .spot
        case .finishedAt: .finishedAt
        case .reason: .reason
        case .dueAt: .dueAt
        case .result: .result
        case .observation: .observation
        case .seenAt: .seenAt
        case .grid: .grid
        case .duplicateCheck: .duplicateCheck
        case .org: .org
        case .instruction: .instruction
        case .targets: .targets
        case .maxDays: .maxDays
        case .departments: .departments
        case .decision: .decision
        case .row: .row
        case .header: .header
        case .conclusion: .conclusion
        case .reply: .reply
        case .primary: .primary
        }
    }
}

extension FieldgridFFI.CaseOrder {
    init(_ code: CaseOrder) {
        self = switch code {
        case .updated: .updated
        case .due: .due
        case .today: .today
        }
    }
}

extension AssignmentState {
    init(_ code: FieldgridFFI.AssignmentState) {
        self = switch code {
        case .unsigned: .unsigned
        case .signed: .signed
        case .finished: .finished
        case .recalled: .recalled
        case .superseded: .superseded
        case .paused: .paused
        }
    }
}

extension FlagLevel {
    init(_ code: FieldgridFFI.FlagLevel) {
        self = switch code {
        case .info: .info
        case .must: .must
        }
    }
}

extension LogLevel {
    init(_ code: FieldgridFFI.LogLevel) {
        self = switch code {
        case .error: .error
        case .warn: .warn
        case .info: .info
        case .debug: .debug
        }
    }
}

extension FieldgridFFI.LogLevel {
    init(_ code: LogLevel) {
        self = switch code {
        case .error: .error
        case .warn: .warn
        case .info: .info
        case .debug: .debug
        }
    }
}
