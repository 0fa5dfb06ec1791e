package org.fieldgrid.sample

import android.content.Context
import org.fieldgrid.ActionKind
import org.fieldgrid.CaseRow
import org.fieldgrid.CaseState
import org.fieldgrid.Delivery
import org.fieldgrid.DeliveryState
import org.fieldgrid.HouseholdRow
import org.fieldgrid.Severity
import org.fieldgrid.Words
import org.fieldgrid.caseCategories
import org.fieldgrid.words

/** The engine's words in the language of the screen. */
fun Context.say(words: Words): String = if (resources.configuration.locales[0].language == "zh") words.zh else words.en

/** As words that stand by themselves begin. Chinese is as it was. */
fun String.standing() = replaceFirstChar(Char::uppercase)

/** What records look like in lists and at the head of their screens. */
class Say(private val context: Context, private val times: Times) {
    fun row(case: CaseRow) = Row(
        title = case.title ?: category(case.category) ?: context.getString(R.string.case_title),
        line = listOfNotNull(category(case.category).takeIf { case.title != null }, case.address).joinToString(" · "),
        marks = listOfNotNull(
            severity(case.severity),
            Mark(icon(case.state), context.say(case.state.words).standing()),
            case.dueMs?.let(times::due),
            Mark(R.drawable.ic_question, context.getString(R.string.case_flags, case.flags), R.color.warn).takeIf { case.flags > 0 },
            mark(case.delivery),
        ),
    )

    fun row(household: HouseholdRow) = Row(
        title = listOfNotNull(household.address, household.head).joinToString(" · ").ifEmpty { context.getString(R.string.household_title) },
        line = listOfNotNull(context.resources.getQuantityString(R.plurals.persons, household.persons, household.persons), household.phone).joinToString(" · "),
        marks = listOfNotNull(
            Mark(R.drawable.ic_care, context.resources.getQuantityString(R.plurals.care, household.care, household.care), R.color.warn).takeIf { household.care > 0 },
            mark(household.delivery),
        ),
    )

    fun mark(delivery: Delivery): Mark? = when (delivery.state) {
        DeliveryState.THEIRS -> null
        DeliveryState.ON_PHONE -> Mark(R.drawable.ic_on_phone, context.getString(R.string.on_phone), R.color.warn)
        DeliveryState.RECEIVED -> Mark(
            R.drawable.ic_received,
            delivery.receivedMs?.let { context.getString(R.string.received_at, times.at(it)) } ?: context.getString(R.string.received),
            R.color.accent,
        )
        DeliveryState.AGAIN -> Mark(R.drawable.ic_on_phone, context.getString(R.string.again), R.color.warn)
        DeliveryState.REFUSED -> Mark(
            R.drawable.ic_refused,
            delivery.reason?.let { context.getString(R.string.refused_because, context.say(it)) } ?: context.getString(R.string.refused),
            R.color.bad,
        )
        DeliveryState.DECIDE -> Mark(R.drawable.ic_question, context.getString(R.string.decide), R.color.bad)
        DeliveryState.WAITING -> Mark(R.drawable.ic_waiting, context.getString(R.string.waiting), R.color.warn)
        DeliveryState.QUARANTINED -> Mark(R.drawable.ic_waiting, context.getString(R.string.quarantined), R.color.warn)
        DeliveryState.DISCARDED, DeliveryState.REPLACED -> Mark(R.drawable.ic_no_effect, context.getString(R.string.discarded))
        DeliveryState.OTHER -> Mark(R.drawable.ic_question, context.getString(R.string.newer))
    }

    fun category(code: String?): String? = caseCategories[code]?.let { context.say(it.words) }

    fun action(kind: ActionKind): String = context.say(kind.words)

    private fun severity(severity: Severity?): Mark? = when (severity) {
        Severity.URGENT, Severity.EMERGENCY -> Mark(R.drawable.ic_overdue, context.say(severity.words).standing(), R.color.bad)
        else -> null
    }

    private fun icon(state: CaseState): Int = when (state) {
        CaseState.DRAFT, CaseState.REPORTED -> R.drawable.ic_state_new
        CaseState.ACCEPTED, CaseState.DISPATCHED, CaseState.HANDLING -> R.drawable.ic_state_working
        CaseState.SUSPENDED -> R.drawable.ic_state_paused
        CaseState.RESOLVED, CaseState.VERIFIED -> R.drawable.ic_state_check
        CaseState.CLOSED, CaseState.REJECTED, CaseState.WITHDRAWN, CaseState.MERGED, CaseState.VOID -> R.drawable.ic_state_ended
        CaseState.OTHER -> R.drawable.ic_question
    }
}
