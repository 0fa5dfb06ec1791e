package org.fieldgrid

import java.io.File
import java.util.UUID
import kotlinx.coroutines.flow.Flow
import org.fieldgrid.internal.Engine

/**
 * A phone: everything its screens need, answered from the encrypted store on it, one call a screen.
 *
 * - **Threads.** Every call may be made from any thread, also the main thread, and blocks none.
 * - **Cancelling.** A call whose coroutine is cancelled goes on to its end, or was never begun; nothing is half done.
 * - **Flows** give the current value first, then each other one; who collects slowly sees the latest. Nothing runs on the collector's thread but its own
 *   code, and native memory is given back when collecting ends.
 * - **Errors** are [FieldgridException]s, with words for a person in Chinese and English.
 * - **A form is saved once**, whatever happens to the process between the save and the closing of the form. What saves takes the form's id: a random [UUID], made
 *   when the form is opened and kept with what was typed. The same form with the same is answered what it was then, and nothing is written, whatever has become
 *   of the edit; with something else it is [FieldgridException.AlreadySaved]. Times and ids that the phone fills in do not count; those that the app reckons do.
 *
 * `FakeFieldgrid`, in an artifact of its own, stands in for it in the tests of apps.
 */
interface Fieldgrid : AutoCloseable {
    // ---- who the phone is

    /**
     * Enrols with the centre, by the text of its code (`fieldgrid:1?…`).
     *
     * @throws FieldgridException the phone is as it was, and may try again.
     */
    suspend fun enrol(invite: String)

    /**
     * Forgets everything on this phone, unsent work too, for good: it is given to someone else. A phone that the centre revoked does so by itself at its next
     * contact, and says in [DeviceStatus.wiped] what had become of its work.
     */
    suspend fun wipe()

    // ---- the status screen, and the sync line of every other

    /** How the phone stands, now. */
    suspend fun status(): DeviceStatus

    /** How the phone stands. */
    fun observeStatus(): Flow<DeviceStatus>

    // ---- cases

    /** Cases, a page at a time; [after] is the [Page.next] of the page before. [Pages] makes one list of them, as one scrolls. */
    suspend fun cases(filter: CaseFilter = CaseFilter(), limit: Int = PAGE, after: PageToken? = null): Page<CaseRow>

    /** A page of cases. */
    fun observeCases(filter: CaseFilter = CaseFilter(), limit: Int = PAGE, after: PageToken? = null): Flow<Page<CaseRow>>

    /** Today's list: what is open, what is due first, then the latest change. */
    fun observeToday(limit: Int = PAGE, after: PageToken? = null): Flow<Page<CaseRow>> = observeCases(CaseFilter(order = CaseOrder.TODAY), limit, after)

    /** A case with its history and what may be done next; `null` when it is not on this phone. */
    suspend fun case(id: String): CaseDetail?

    /** A case; `null` as long as it is not on this phone. */
    fun observeCase(id: String): Flow<CaseDetail?>

    /**
     * Reports a new case, which happened now unless [fields] say when. It needs a category, a place and words (or a title); without a severity it is as
     * bad as its category is by default. What it lacks is said at once ([FieldgridException.Incomplete]), with the fields. Saved, durably, when it returns.
     *
     * @return the case's id.
     * @throws FieldgridException nothing is saved, and what the form holds is the app's to keep. So with all that follow.
     */
    suspend fun report(fields: ActionFields, form: UUID? = null): String

    /** Acts on a case. What a kind must say is in [NextAction.requires], else it is [FieldgridException.Incomplete]; times are filled in. */
    suspend fun act(case: String, kind: ActionKind, fields: ActionFields = ActionFields(), form: UUID? = null): String

    // ---- households

    /** Households, a page at a time. */
    suspend fun households(filter: HouseholdFilter = HouseholdFilter(), limit: Int = PAGE, after: PageToken? = null): Page<HouseholdRow>

    /** A page of households. */
    fun observeHouseholds(filter: HouseholdFilter = HouseholdFilter(), limit: Int = PAGE, after: PageToken? = null): Flow<Page<HouseholdRow>>

    /** A household with its persons and latest visits; `null` when it is not on this phone. */
    suspend fun household(id: String): HouseholdDetail?

    /** A household; `null` as long as it is not on this phone. */
    fun observeHousehold(id: String): Flow<HouseholdDetail?>

    /** The grids that this phone works in, by code, with their names: one of them is a new household's. In the order of their codes. */
    suspend fun grids(): Map<String, String>

    /** Adds a household with its persons; `grid`, of [grids], and `address` belong in every one. Its id. */
    suspend fun addHousehold(fields: FieldEdit, persons: List<FieldEdit> = emptyList(), form: UUID? = null): String

    /** Saves a form: exactly the fields that were changed, the household's and those of [persons] by id. Nothing that a colleague changed meanwhile is undone. */
    suspend fun editHousehold(id: String, fields: FieldEdit = FieldEdit(), persons: Map<String, FieldEdit> = emptyMap(), form: UUID? = null)

    /** Adds a person to a household; the person's id. */
    suspend fun addPerson(household: String, fields: FieldEdit, form: UUID? = null): String

    /** Keeps a person's ID number, beside the household and never in it. */
    suspend fun setIdNumber(household: String, person: String, value: String, form: UUID? = null)

    /**
     * Reads a person's ID number. That it was read, and why, is recorded first, and synced; [note] says what the [reason] does not, in at most 2,000 characters.
     * The app hides the number after a minute, and asks again.
     *
     * @return `null` when there is none on this phone.
     */
    suspend fun revealIdNumber(household: String, person: String, reason: RevealReason, note: String? = null): String?

    // ---- visits

    /** Visits, of one household or all, the latest first. */
    suspend fun visits(household: String? = null, limit: Int = PAGE, after: PageToken? = null): Page<VisitRow>

    /** A page of visits. */
    fun observeVisits(household: String? = null, limit: Int = PAGE, after: PageToken? = null): Flow<Page<VisitRow>>

    /** Records a visit; its id. */
    suspend fun visit(household: String, visit: Visit, form: UUID? = null): String

    // ---- search, and what was refused

    /** Cases and households that match what was typed, Chinese included; nothing typed matches nothing. */
    suspend fun search(typed: String, limit: Int = PAGE, after: PageToken? = null): Page<Hit>

    /** Own work that the centre refused and its author has not decided about. */
    fun observeRefused(): Flow<List<RefusedEdit>>

    /** Own work that the centre refused, now. */
    suspend fun refused(): List<RefusedEdit>

    /** Gives up a refused edit of a record. */
    suspend fun discard(record: String, edit: String)

    /** Sends what a refused edit of a case said as a note, where [RefusedEdit.mayBeNote]. */
    suspend fun sendAsNote(case: String, edit: String)

    /** Sends own work again as it was, where [RefusedEdit.remedies] has [Remedy.REDO]. Should the centre have it after all, it is there once. */
    suspend fun redo(record: String, edit: String)

    /** Sends an action on a case with other values: all that it says. */
    suspend fun correct(record: String, edit: String, fields: ActionFields)

    /** Sends a household's edit with other values: all that it sets, of the household and of its persons by id. */
    suspend fun correct(record: String, edit: String, fields: FieldEdit, persons: Map<String, FieldEdit> = emptyMap())

    /** Sends a visit with other values; when it was stays. */
    suspend fun correct(record: String, edit: String, visit: Visit)

    /** Sends another ID number in place of one. */
    suspend fun correctIdNumber(record: String, edit: String, value: String)

    /** Everything that was typed on this phone, newest first: what it said, where it is, and what can still be done about it. */
    suspend fun history(limit: Int = PAGE, after: PageToken? = null): Page<RefusedEdit>

    /** What the centre signed for this phone, as text for a QR code: another phone compares it. */
    suspend fun headsNote(): String

    /**
     * Compares another phone's [headsNote] with what the centre told this one. A contradiction is kept and sent to the centre.
     *
     * @throws FieldgridException.InvalidInput it is no note of this centre's signatures.
     */
    suspend fun compare(note: String): Compared

    /** Names of areas, organisations and people, for pickers. Screens have theirs already. */
    suspend fun names(): Names

    // ---- sync

    /** Syncs once, until everything is exchanged, or something makes it wait ([SyncResult.wait]). */
    suspend fun syncNow(): SyncResult

    /** Keeps in sync from now on; before enrolment, from then on. */
    suspend fun start()

    /** Stops keeping in sync, within five seconds. */
    suspend fun stop()

    /** The app is in front, or the network is back: what waits in the background tries now. */
    suspend fun wake()

    /**
     * Closes: flows and calls end with [FieldgridException.Closed] from here on, and the store's files are closed in the background. It waits for nothing, so
     * it may be called on the main thread, and [open] may follow at once. Twice is once.
     */
    override fun close()

    /** Closes, and returns when the store's files are closed: for an app that is going to move or delete them. */
    suspend fun closeAndWait()

    companion object {
        /** How many rows a page has unless said otherwise. A `limit` is brought into 1 … 500. */
        const val PAGE: Int = 50

        /**
         * Opens the phone's store, or makes it. When another [Fieldgrid] of this process is just being closed, it waits for that.
         *
         * @throws FieldgridException.WrongKey nothing was changed. So with every other: the file is as it was.
         * @throws FieldgridException.Lost the store is gone although this phone had one.
         * @throws FieldgridException.InUse another process has it open, or a [Fieldgrid] that was not closed.
         */
        suspend fun open(options: OpenOptions): Fieldgrid = Engine.open(options)

        /** What the engine says about its work, from now on, up to [most]: for developers. No personal data is in it. */
        fun observeLog(most: LogLevel = LogLevel.INFO): Flow<LogLine> = Engine.log(most)
    }
}

/**
 * Where a store is and what opens it.
 *
 * @property path the database file.
 * @property key the raw key of 32 bytes, from the platform's keystore. The engine keeps it in memory only.
 * @property life a small file that backups do not reach (Android: in `noBackupFilesDir`), which tells a restored store from the one closed last; by default
 *   beside the database.
 * @property caPem certificates of a private CA to trust beside the public ones.
 * @property startAnew begins a new store where [life] tells of one that is gone, instead of [FieldgridException.Lost]. A store that is there is opened.
 */
class OpenOptions(
    val path: File,
    val key: ByteArray,
    val life: File? = null,
    val caPem: ByteArray? = null,
    val startAnew: Boolean = false,
)
