import Foundation

/// Why something was not done. Whatever it was, nothing is half done.
///
/// Cases are added and never change their meaning: have a `default` for those of a newer version, which shows the ``words``.
public enum FieldgridError: Error, Hashable, Sendable {
    /// The key is not the store's. Nothing was changed.
    case wrongKey(Words)

    /// The store was written by a newer version of the app. Nothing was changed.
    case newerStore(Words)

    /// The store's file, or something in it, cannot be read; it was left as it is.
    case damaged(Words)

    /// The store is gone although this phone had one, and what it had not sent with it. Nothing was changed; ``OpenOptions/startAnew`` begins a new one.
    case lost(Words)

    /// Another process has the store open, or a ``Fieldgrid`` of this one that was not closed.
    case inUse(Words)

    /// Storage failed; `full` when no space is left, or the files cannot be written.
    case storage(Words, full: Bool)

    /// This ``Fieldgrid`` was closed.
    case closed(Words)

    /// The phone is not enrolled.
    case notEnrolled(Words)

    /// The phone was not enrolled by this attempt.
    case enrolmentFailed(Words, reason: EnrolmentFailure)

    /// Too long without contact: only reports may be made.
    case reportOnly(Words)

    /// The centre has yet to approve this phone: until then it may only report.
    case notApproved(Words)

    /// Too long without contact: households are locked.
    case locked(Words)

    /// The centre would refuse it, so it was not saved. `reason` is the reason's stable name, for instance `out_of_scope`.
    case refused(Words, reason: String)

    /// The record is not on this phone, or no such edit waits for a decision.
    case notFound(Words)

    /// What was given is not in the right form: a field of a form, an id, a key, a file. `fields` names it, as in `docs/codes.md`.
    case invalidInput(Words, fields: [String])

    /// The form lacks what is required; `fields` names it, as in `docs/codes.md`.
    case incomplete(Words, fields: [String])

    /// The form has saved something else already, which stands; what was changed in it since was not saved.
    case alreadySaved(Words)

    /// What to tell a person: what is the matter and what to do.
    public var words: Words {
        switch self {
        case .wrongKey(let words), .newerStore(let words), .damaged(let words), .inUse(let words), .storage(let words, _), .closed(let words),
            .notEnrolled(let words), .enrolmentFailed(let words, _), .reportOnly(let words), .locked(let words), .refused(let words, _),
            .notFound(let words), .invalidInput(let words, _), .incomplete(let words, _), .lost(let words), .notApproved(let words), .alreadySaved(let words):
            words
        }
    }
}

extension FieldgridError: LocalizedError {
    /// The ``words`` in the person's language.
    public var errorDescription: String? { words.localized }
}

/// Why a phone was not enrolled.
public enum EnrolmentFailure: String, CaseIterable, Hashable, Sendable {
    /// It is enrolled already.
    case alreadyEnrolled

    /// What was given is not an invite, or the server's address in it is wrong.
    case invalidInvite

    /// The invite's code was used, has ended, or is not one of the server's.
    case inviteEnded

    /// The server was not reached.
    case unreachable

    /// What answered is not the server that is meant.
    case untrusted

    /// The phone's clock is wrong.
    case clockWrong

    /// The server was reached and did not take the request.
    case serverRefused
}
