package org.fieldgrid

/**
 * Why something was not done. Whatever it was, nothing is half done.
 *
 * @property words what to tell a person: what is the matter and what to do.
 */
sealed class FieldgridException(val words: Words, cause: Throwable? = null) : Exception(words.en, cause) {
    /** The key is not the store's. Nothing was changed. */
    class WrongKey(words: Words) : FieldgridException(words)

    /** The store was written by a newer version of the app. Nothing was changed. */
    class NewerStore(words: Words) : FieldgridException(words)

    /** The store's file, or something in it, cannot be read; it was left as it is. */
    class Damaged(words: Words) : FieldgridException(words)

    /**
     * The store is gone although this phone had one, and what it had not sent with it. Nothing was changed; [OpenOptions.startAnew] begins a new one, which
     * is a person's to say.
     */
    class Lost(words: Words) : FieldgridException(words)

    /** The engine's library is not there, or not the one that belongs to these classes ([cause]). */
    class LibraryMissing(words: Words, cause: Throwable) : FieldgridException(words, cause)

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

    /** The centre has yet to approve this phone: until then it may only report. */
    class NotApproved(words: Words) : FieldgridException(words)

    /** Too long without contact: households are locked. */
    class Locked(words: Words) : FieldgridException(words)

    /** The centre would refuse it, so it was not saved. */
    class Refused(
        words: Words,
        /** The reason's stable name, for instance `out_of_scope`. */
        val reason: String,
        /** The fields that it is about, where it is about one: `docs/codes.md`, "What a form may save". */
        val fields: List<String> = emptyList(),
    ) : FieldgridException(words)

    /** The form lacks what is required. */
    class Incomplete(words: Words, /** What it lacks, by the names of `docs/codes.md`. */ val fields: List<String>) : FieldgridException(words)

    /** The record is not on this phone, or no such edit waits for a decision. */
    class NotFound(words: Words) : FieldgridException(words)

    /** What was given is not in the right form: a field of a form, an id, a key, a file. */
    class InvalidInput(words: Words, /** What of it, by the names of `docs/codes.md`. */ val fields: List<String> = emptyList()) : FieldgridException(words)

    /** The form has saved something else already, which stands; what was changed in it since was not saved. */
    class AlreadySaved(words: Words) : FieldgridException(words)
}
