package org.fieldgrid

/**
 * Why something was not done. Whatever it was, nothing is half done.
 *
 * @property words what to tell a person: what is the matter and what to do.
 */
sealed class FieldgridException(val words: Words) : Exception(words.en) {
    /** The key is not the store's. Nothing was changed. */
    class WrongKey(words: Words) : FieldgridException(words)

    /** The store was written by a newer version of the app. Nothing was changed. */
    class NewerStore(words: Words) : FieldgridException(words)

    /** The store's file, or something in it, cannot be read; it was left as it is. */
    class Damaged(words: Words) : FieldgridException(words)

    /** Another process or another opening uses the store. */
    class InUse(words: Words) : FieldgridException(words)

    /** Storage failed. */
    class Storage(words: Words, /** No space is left, or the files cannot be written. */ val full: Boolean = false) : FieldgridException(words)

    /** This [Fieldgrid] was closed. */
    class Closed(words: Words) : FieldgridException(words)

    /** The phone is not enrolled. */
    class NotEnrolled(words: Words) : FieldgridException(words)

    /** The phone was not enrolled by this attempt. */
    class EnrolmentFailed(words: Words, /** Why. */ val reason: Reason) : FieldgridException(words) {
        /** Why a phone was not enrolled. */
        enum class Reason { ALREADY_ENROLLED, INVALID_INVITE, INVITE_ENDED, UNREACHABLE, UNTRUSTED, CLOCK_WRONG, SERVER_REFUSED }
    }

    /** Too long without contact: only reports may be made. */
    class ReportOnly(words: Words) : FieldgridException(words)

    /** Too long without contact: households are locked. */
    class Locked(words: Words) : FieldgridException(words)

    /** The centre would refuse it, so it was not saved. */
    class Refused(words: Words, /** The reason's stable name, for instance `out_of_scope`. */ val reason: String) : FieldgridException(words)

    /** The record is not on this phone, or no such edit waits for a decision. */
    class NotFound(words: Words) : FieldgridException(words)

    /** An id, a code or a key that was given is not one. */
    class InvalidInput(words: Words) : FieldgridException(words)

    /** The form has saved something else already, which stands; what was changed in it since was not saved. */
    class AlreadySaved(words: Words) : FieldgridException(words)
}
