#if compiler(>=6.0)
internal import FieldgridFFI
#else
import FieldgridFFI
#endif

extension FieldgridError {
    init(_ failure: FieldgridFFI.FieldgridError) {
        switch failure {
        case .Failed(let kind, let given, let refusal, let fields):
            let words = Words(given)
            self = switch kind {
            case .wrongKey: .wrongKey(words)
            case .newerStore: .newerStore(words)
            case .damaged: .damaged(words)
            case .inUse: .inUse(words)
            case .lost: .lost(words)
            case .storageFull: .storage(words, full: true)
            case .storage: .storage(words, full: false)
            case .closed: .closed(words)
            case .notEnrolled: .notEnrolled(words)
            case .alreadyEnrolled: .enrolmentFailed(words, reason: .alreadyEnrolled)
            case .invalidInvite: .enrolmentFailed(words, reason: .invalidInvite)
            case .inviteEnded: .enrolmentFailed(words, reason: .inviteEnded)
            case .unreachable: .enrolmentFailed(words, reason: .unreachable)
            case .untrusted: .enrolmentFailed(words, reason: .untrusted)
            case .clockWrong: .enrolmentFailed(words, reason: .clockWrong)
            case .serverRefused: .enrolmentFailed(words, reason: .serverRefused)
            case .reportOnly: .reportOnly(words)
            case .notApproved: .notApproved(words)
            case .locked: .locked(words)
            case .refused: .refused(words, reason: refusal ?? "")
            case .notFound: .notFound(words)
            case .invalidInput: .invalidInput(words, fields: fields)
            case .incomplete: .incomplete(words, fields: fields)
            case .alreadySaved: .alreadySaved(words)
            }
        }
    }
}
