package org.fieldgrid

import org.fieldgrid.internal.quiet

/**
 * Where work is, told from receipts only.
 *
 * @property state Where.
 * @property reason Why it was refused, and what to do.
 * @property receivedMs When the centre received it, milliseconds since 1970, server's clock.
 */
data class Delivery(val state: DeliveryState, val reason: Words? = null, val receivedMs: Long? = null)

/**
 * Where a page ended. Opaque: hand it back for the next.
 *
 * @property key What the list is ordered by.
 * @property n Between equal keys.
 */
data class PageToken(val key: Long, val n: Long)

/**
 * A case in a list.
 *
 * @property id The case.
 * @property state Where it stands.
 * @property open Whether there is still something to do.
 * @property severity How bad it is.
 * @property category Category code, see [caseCategories].
 * @property title Title.
 * @property address Address in words.
 * @property grid The grid's code.
 * @property number The case number, once accepted.
 * @property dueMs When the soonest live assignment is due, milliseconds since 1970.
 * @property updatedMs When it was last changed, milliseconds since 1970.
 * @property flags How many flags a person must decide.
 * @property mine Reported by the phone's person.
 * @property assigned With a live assignment to the phone's person or organisation.
 * @property delivery Where own work on it is.
 */
data class CaseRow(
    val id: String,
    val state: CaseState,
    val open: Boolean = true,
    val severity: Severity? = null,
    val category: String? = null,
    val title: String? = null,
    val address: String? = null,
    val grid: String? = null,
    val number: String? = null,
    val dueMs: Long? = null,
    val updatedMs: Long = 0,
    val flags: Int = 0,
    val mine: Boolean = false,
    val assigned: Boolean = false,
    val delivery: Delivery = Delivery(DeliveryState.THEIRS),
) {
    /** What was typed is in no log. */
    override fun toString() = quiet("CaseRow", id, state)
}

/**
 * A household in a list.
 *
 * @property id The household.
 * @property grid The grid's code.
 * @property address Address.
 * @property head Head or contact.
 * @property phone Phone.
 * @property persons How many live there.
 * @property care How many of them need care.
 * @property masked A masked view: the household itself is not on this phone.
 * @property delivery Where own work on it is.
 */
data class HouseholdRow(
    val id: String,
    val grid: String? = null,
    val address: String? = null,
    val head: String? = null,
    val phone: String? = null,
    val persons: Int = 0,
    val care: Int = 0,
    val masked: Boolean = false,
    val delivery: Delivery = Delivery(DeliveryState.THEIRS),
) {
    /** What was typed is in no log. */
    override fun toString() = quiet("HouseholdRow", id)
}

/**
 * A visit in a list.
 *
 * @property id The visit.
 * @property household The household.
 * @property kind Why.
 * @property result How it went.
 * @property visitedMs When, by the visitor's clock, milliseconds since 1970.
 * @property nextDueMs When the next is due, milliseconds since 1970.
 * @property delivery Where it is.
 * @property needs What they need.
 * @property persons Who was met, by id.
 * @property cases Cases raised during it, by id.
 */
data class VisitRow(
    val id: String,
    val household: String? = null,
    val kind: VisitKind = VisitKind.ROUTINE,
    val result: VisitResult = VisitResult.MET,
    val visitedMs: Long = 0,
    val nextDueMs: Long? = null,
    val delivery: Delivery = Delivery(DeliveryState.THEIRS),
    val needs: String? = null,
    val persons: List<String> = emptyList(),
    val cases: List<String> = emptyList(),
)

/**
 * An own edit: one that waits for a person's decision, or any of [Fieldgrid.history].
 *
 * @property id The edit.
 * @property record The record it is about.
 * @property title What lists call that record.
 * @property madeMs When it was made, milliseconds since 1970, phone's clock.
 * @property delivery Where it is, with the centre's reason.
 * @property actions What it did, when it was on a case; empty for a household or a visit.
 * @property mayBeNote Whether [Fieldgrid.sendAsNote] can send it.
 * @property name What it is called.
 * @property fields What an action on a case said.
 * @property household What was set of a household; `null` when it was not about one.
 * @property persons What was set of its persons, by id.
 * @property visit What a visit said.
 * @property idNumber An ID number, masked.
 * @property backedUp The centre has said that a verified backup covers it.
 * @property remedies What its author can still do about it.
 */
data class RefusedEdit(
    val id: String,
    val record: String? = null,
    val title: String? = null,
    val madeMs: Long = 0,
    val delivery: Delivery = Delivery(DeliveryState.REFUSED),
    val actions: List<ActionKind> = emptyList(),
    val mayBeNote: Boolean = false,
    val name: Words? = null,
    val fields: ActionFields? = null,
    val household: FieldEdit? = null,
    val persons: Map<String, FieldEdit> = emptyMap(),
    val visit: Visit? = null,
    val idNumber: String? = null,
    val backedUp: Boolean = false,
    val remedies: List<Remedy> = emptyList(),
) {
    /** What was typed is in no log. */
    override fun toString() = quiet("RefusedEdit", id, record, delivery.state)
}

/**
 * Who the phone is to the centre.
 *
 * @property name The person's display name.
 * @property role What he is to the centre.
 * @property scopes The areas he works in, by code.
 * @property org The department or centre he belongs to.
 * @property expiresMs When the grant ends, milliseconds since 1970.
 * @property server Base URL of the server.
 */
data class Enrolment(
    val name: String?,
    val role: Role,
    val scopes: List<String> = emptyList(),
    val org: String? = null,
    val expiresMs: Long = 0,
    val server: String = "",
) {
    /** What was typed is in no log. */
    override fun toString() = quiet("Enrolment", role)
}

/**
 * An action that the phone's person may do next.
 *
 * @property kind What.
 * @property requires What it must say; times that it lacks are filled in.
 */
data class NextAction(val kind: ActionKind, val requires: List<ActionField> = emptyList())

/**
 * One line of a case's history.
 *
 * @property id The action.
 * @property kind What it does.
 * @property role The author's role.
 * @property author The author's name, where the centre has said it.
 * @property org The author's organisation, where the centre has said its name.
 * @property own Done on this phone.
 * @property madeMs When, by its author's clock, milliseconds since 1970.
 * @property text What it says, in words.
 * @property fields All that it says.
 * @property effective Whether it took effect.
 * @property noEffect Why it had no effect.
 * @property delivery Where it is.
 */
data class HistoryEntry(
    val id: String,
    val kind: ActionKind,
    val role: Role,
    val author: String? = null,
    val org: String? = null,
    val own: Boolean = false,
    val madeMs: Long = 0,
    val text: String? = null,
    val fields: ActionFields = ActionFields(),
    val effective: Boolean = true,
    val noEffect: Words? = null,
    val delivery: Delivery = Delivery(DeliveryState.THEIRS),
) {
    /** What was typed is in no log. */
    override fun toString() = quiet("HistoryEntry", id, kind)
}

/**
 * A dispatch of a case.
 *
 * @property id The dispatch.
 * @property org To which organisation.
 * @property person To which person.
 * @property dueMs When it is due, milliseconds since 1970.
 * @property state How far it is.
 * @property required Whether the case waits for this one to finish.
 */
data class Assignment(
    val id: String,
    val org: String? = null,
    val person: String? = null,
    val dueMs: Long? = null,
    val state: AssignmentState = AssignmentState.UNSIGNED,
    val required: Boolean = true,
)

/**
 * Something that two concurrent actions left for people to know or to decide.
 *
 * @property row The row of the merge table that raised it; [ActionFields.row] of a decision names it.
 * @property level How much it matters.
 * @property actions The actions, by [HistoryEntry.id]: two, or one that it is about by itself.
 */
data class Flag(val row: Int, val level: FlagLevel, val actions: List<String>)

/**
 * A case on its screen.
 *
 * @property row As in lists.
 * @property text What was reported.
 * @property place Where, with the point if there was a fix.
 * @property occurredMs When it happened, milliseconds since 1970.
 * @property source Where it came from, when not from a phone.
 * @property gridName What the grid is called.
 * @property reply The reply to the reporter.
 * @property whole Whether the case is here whole, or only its progress may be known.
 * @property round The round of work, from 1: each rework and each reopening begins one.
 * @property reopenPending Closed, but somebody asked to reopen it or something contradicts it.
 * @property flags What people should know or decide.
 * @property history What was done, in order, with what became of it.
 * @property assignments Who is at work on it.
 * @property next What the phone's person may do next.
 * @property refused Own edits that wait for a decision.
 * @property parked The record could not take a change that arrived; it was reported.
 */
data class CaseDetail(
    val row: CaseRow,
    val text: String? = null,
    val place: Place? = null,
    val occurredMs: Long? = null,
    val source: String? = null,
    val gridName: String? = null,
    val reply: String? = null,
    val whole: Boolean = true,
    val round: Int = 1,
    val reopenPending: Boolean = false,
    val flags: List<Flag> = emptyList(),
    val history: List<HistoryEntry> = emptyList(),
    val assignments: List<Assignment> = emptyList(),
    val next: List<NextAction> = emptyList(),
    val refused: List<RefusedEdit> = emptyList(),
    val parked: Boolean = false,
) {
    /** What was typed is in no log. */
    override fun toString() = quiet("CaseDetail", row)
}

/**
 * A person of a household.
 *
 * @property id The person.
 * @property name Name.
 * @property fields All fields that hold something, by name.
 * @property tags Tags that are set.
 * @property care Whether he needs care.
 * @property hasIdNumber Whether an ID number is kept; see [Fieldgrid.revealIdNumber].
 * @property ended Moved away or died.
 */
data class Person(
    val id: String,
    val name: String? = null,
    val fields: Map<String, String> = emptyMap(),
    val tags: List<String> = emptyList(),
    val care: Boolean = false,
    val hasIdNumber: Boolean = false,
    val ended: Boolean = false,
) {
    /** What was typed is in no log. */
    override fun toString() = quiet("Person", id)
}

/**
 * Values of a field that concurrent edits also gave; the one that shows is in the fields.
 *
 * @property person The person; `null` for the household itself.
 * @property field The field.
 * @property values The other values.
 */
data class Alternative(val person: String?, val field: String, val values: List<String>) {
    /** What was typed is in no log. */
    override fun toString() = quiet("Alternative", person, field)
}

/**
 * A household on its screen.
 *
 * @property row As in lists.
 * @property fields All fields that hold something, by name; empty when only a masked view is here.
 * @property tags Tags that are set.
 * @property persons Who lives or lived there.
 * @property alternatives What concurrent edits also said.
 * @property visits The latest visits.
 * @property refused Own edits that wait for a decision.
 * @property parked The record could not take a change that arrived; it was reported.
 */
data class HouseholdDetail(
    val row: HouseholdRow,
    val fields: Map<String, String> = emptyMap(),
    val tags: List<String> = emptyList(),
    val persons: List<Person> = emptyList(),
    val alternatives: List<Alternative> = emptyList(),
    val visits: List<VisitRow> = emptyList(),
    val refused: List<RefusedEdit> = emptyList(),
    val parked: Boolean = false,
) {
    /** What was typed is in no log. */
    override fun toString() = quiet("HouseholdDetail", row)
}

/**
 * Why sync waits.
 *
 * @property reason Why.
 * @property words What to tell a person.
 * @property ms How long at most, milliseconds.
 */
data class SyncWait(val reason: WaitReason, val words: Words, val ms: Long = 0)

/**
 * What a sync came to.
 *
 * @property wait Why it ended before everything was exchanged; `null` when it is done.
 * @property unsent Own edits that the centre does not have. Only where there are none was everything exchanged.
 * @property whyUnsent Why; `null` when there are none.
 * @property aside Own edits that the centre has and keeps aside.
 * @property entries Entries that came, of others and of the centre.
 * @property refused Own items that were refused.
 * @property sentBytes Bytes sent.
 * @property receivedBytes Bytes received.
 */
data class SyncResult(
    val wait: SyncWait? = null,
    val entries: Long = 0,
    val refused: Long = 0,
    val sentBytes: Long = 0,
    val receivedBytes: Long = 0,
    val unsent: Int = 0,
    val whyUnsent: Words? = null,
    val aside: Int = 0,
)

/**
 * How the phone stands: the status screen, and the sync line of every other.
 *
 * @property enrolment Who it is; `null` before enrolment.
 * @property unsent Own edits and facts that the centre does not have yet.
 * @property again Of these, how many were received once and are to be delivered again: the centre restored a backup.
 * @property refused Refused, and waiting for a person's decision.
 * @property received Received by the centre.
 * @property cases Cases on this phone.
 * @property households Households on this phone.
 * @property parked Records that could not take a change.
 * @property splitViews Places at which the centre signed two contents: its administrator is to be told.
 * @property contactMs The phone's clock at the last contact, milliseconds since 1970.
 * @property reportOnly Reports only, households are locked: too long without contact, or awaiting approval.
 * @property awaitsApproval The centre has yet to approve this phone.
 * @property wiped What had become of the work when the centre revoked this phone and its store was wiped; until it enrols again.
 * @property leaseLeftMs How much longer everything may be done without contact, milliseconds; `null` when it has ended.
 * @property copied The store was found to be a copy; it gets a new life at the next contact.
 * @property background Whether the background keeps in sync.
 * @property syncing Whether a round is under way.
 * @property wait Why sync waits, when something is wrong.
 * @property nextTryMs When it tries again, milliseconds since 1970.
 */
data class DeviceStatus(
    val enrolment: Enrolment? = null,
    val unsent: Int = 0,
    val again: Int = 0,
    val refused: Int = 0,
    val received: Int = 0,
    val cases: Int = 0,
    val households: Int = 0,
    val parked: Int = 0,
    val splitViews: Int = 0,
    val contactMs: Long? = null,
    val reportOnly: Boolean = false,
    val awaitsApproval: Boolean = false,
    val wiped: Wiped? = null,
    val leaseLeftMs: Long? = null,
    val copied: Boolean = false,
    val background: Boolean = false,
    val syncing: Boolean = false,
    val wait: SyncWait? = null,
    val nextTryMs: Long? = null,
)

/**
 * What had become of the phone's work when the centre revoked it and its store was wiped.
 *
 * @property atMs When, milliseconds since 1970, phone's clock.
 * @property received Edits and facts that the centre had received.
 * @property keptAside Those that the centre keeps aside until its administrator decides.
 * @property lost Those that never reached the centre, or were refused.
 */
data class Wiped(val atMs: Long, val received: Int = 0, val keptAside: Int = 0, val lost: Int = 0)

/**
 * What a comparison with another phone's note came to.
 *
 * @property same Places at which the centre told both phones the same.
 * @property split Places at which it signed two contents: its administrator is to be told.
 * @property unknown Places that this phone has not; the centre is shown them.
 */
data class Compared(val same: Int, val split: Int, val unknown: Int)

/**
 * Names for codes and ids.
 *
 * @property areas Areas by code.
 * @property orgs Organisations by id.
 * @property people People by id.
 */
data class Names(
    val areas: Map<String, String> = emptyMap(),
    val orgs: Map<String, String> = emptyMap(),
    val people: Map<String, String> = emptyMap(),
) {
    /** What was typed is in no log. */
    override fun toString() = quiet("Names")
}

/**
 * A line of the log.
 *
 * @property level How much it matters.
 * @property target The part of the engine.
 * @property text What it says.
 */
data class LogLine(val level: LogLevel, val target: String, val text: String)

/**
 * Some rows of a list.
 *
 * @property rows the rows.
 * @property next where the next page begins; `null` at the end.
 */
data class Page<out T>(val rows: List<T>, val next: PageToken? = null)

/** What a search found. */
sealed interface Hit {
    /** A case. */
    data class Case(/** As in lists. */ val row: CaseRow) : Hit

    /** A household. */
    data class Household(/** As in lists. */ val row: HouseholdRow) : Hit
}
