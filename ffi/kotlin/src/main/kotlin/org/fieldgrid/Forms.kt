package org.fieldgrid

import org.fieldgrid.internal.Library
import org.fieldgrid.internal.quiet

/**
 * What an action says. Which of these a kind needs is in [NextAction.requires]; times that it lacks are filled in.
 *
 * @property text Free text, at most 2,000 characters.
 * @property title A short title.
 * @property category Category code, see [caseCategories].
 * @property severity How bad it is.
 * @property place Where.
 * @property occurredMs When it happened, milliseconds since 1970.
 * @property finishedMs When it was finished, milliseconds since 1970, as claimed.
 * @property seenMs When it was seen, milliseconds since 1970.
 * @property reason Why.
 * @property reply The reply to the reporter.
 * @property result Result code of finishing or closing.
 * @property measure What was done.
 * @property observation What was seen on the spot.
 * @property conclusion Conclusion of closing.
 * @property instruction Instruction to the handler.
 * @property duplicateCheck Result of the check for duplicates.
 * @property score Satisfaction, 1–5.
 * @property dueMs When it is (newly) due, milliseconds since 1970.
 * @property grid The grid it belongs to.
 * @property org The organisation it is dispatched to, by id; [Names.orgs] has them.
 * @property person The person it is dispatched to, by id.
 * @property required Organisations that handle it too and whose finishing is required, by id.
 * @property departments Departments that are whistled for, by id.
 * @property targets The assignments, requests or actions it is about, by id: [Assignment.id], [HistoryEntry.id], [Flag.actions].
 * @property maxDays Days of a suspension.
 * @property row The flag that a decision clears: [Flag.row].
 * @property decision A decision's word, or a supervision's level.
 * @property primary The other case of a merge, by id.
 * @property source Where the case came from, when not from a phone.
 */
data class ActionFields(
    val text: String? = null,
    val title: String? = null,
    val category: String? = null,
    val severity: Severity? = null,
    val place: Place? = null,
    val occurredMs: Long? = null,
    val finishedMs: Long? = null,
    val seenMs: Long? = null,
    val reason: String? = null,
    val reply: String? = null,
    val result: String? = null,
    val measure: String? = null,
    val observation: String? = null,
    val conclusion: String? = null,
    val instruction: String? = null,
    val duplicateCheck: String? = null,
    val score: Int? = null,
    val dueMs: Long? = null,
    val grid: String? = null,
    val org: String? = null,
    val person: String? = null,
    val required: List<String>? = null,
    val departments: List<String>? = null,
    val targets: List<String>? = null,
    val maxDays: Int? = null,
    val row: Int? = null,
    val decision: String? = null,
    val primary: String? = null,
    val source: String? = null,
) {
    /** What was typed is in no log. */
    override fun toString() = quiet("ActionFields", category, severity)
}

/**
 * A place: a point in WGS-84, words, or both.
 *
 * @property address the address in words.
 * @property latitude degrees.
 * @property longitude degrees.
 * @property accuracyM accuracy of the fix, metres.
 */
data class Place(val address: String? = null, val latitude: Double? = null, val longitude: Double? = null, val accuracyM: Int? = null) {
    /** Where somebody was is in no log. */
    override fun toString() = quiet("Place")
}

/**
 * Which cases.
 *
 * @property state in this state.
 * @property open still open, or ended.
 * @property mine reported by the phone's person.
 * @property assigned with a live assignment to the phone's person or organisation.
 * @property category of this category, or of the minor ones under it.
 * @property area in this area, by code.
 * @property order the order.
 */
data class CaseFilter(
    val state: CaseState? = null,
    val open: Boolean? = null,
    val mine: Boolean = false,
    val assigned: Boolean = false,
    val category: String? = null,
    val area: String? = null,
    val order: CaseOrder = CaseOrder.UPDATED,
)

/**
 * Which households.
 *
 * @property area in this grid or area, by code.
 * @property care where someone needs care.
 */
data class HouseholdFilter(val area: String? = null, val care: Boolean = false)

/**
 * The fields of a household or a person that a form sets, and no others. The names are in `docs/codes.md`.
 *
 * @property values by field name; `null` clears the field.
 * @property tags set or not.
 */
data class FieldEdit(val values: Map<String, String?> = emptyMap(), val tags: Map<String, Boolean> = emptyMap()) {
    constructor(vararg values: Pair<String, String?>) : this(mapOf(*values))

    /** What was typed is in no log. */
    override fun toString() = quiet("FieldEdit", values.keys)
}

/**
 * Whether this may be a number of a Chinese identity card: 18 characters whose date and check character are right. A warning at most: a number may be kept all
 * the same, for there are other papers.
 */
fun idNumberFits(number: String): Boolean {
    Library.ready()
    return org.fieldgrid.ffi.idNumberFits(number)
}

/**
 * A visit as its form gives it.
 *
 * @property kind why.
 * @property result how it went.
 * @property persons who was met, by id.
 * @property needs what they need, at most 2,000 characters.
 * @property nextDueMs when the next is due, milliseconds since 1970.
 * @property cases cases raised during it, by id.
 */
data class Visit(
    val kind: VisitKind,
    val result: VisitResult,
    val persons: List<String> = emptyList(),
    val needs: String? = null,
    val nextDueMs: Long? = null,
    val cases: List<String> = emptyList(),
) {
    /** What was typed is in no log. */
    override fun toString() = quiet("Visit", kind, result)
}
