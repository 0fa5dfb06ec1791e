package org.fieldgrid.sample

import android.content.Context
import android.content.Intent
import android.widget.Button
import android.widget.LinearLayout
import android.widget.TextView
import org.fieldgrid.Assignment
import org.fieldgrid.AssignmentState
import org.fieldgrid.CaseDetail
import org.fieldgrid.Flag
import org.fieldgrid.FlagLevel
import org.fieldgrid.HistoryEntry
import org.fieldgrid.words

/** A case: where it stands, what may be done next, and everything that was done, with what became of it. */
class CaseActivity : Screen(R.layout.body) {
    override fun create() {
        title = getString(R.string.case_title)
        showSyncLine()
        val id = checkNotNull(intent.getStringExtra(ID)) { "a case's screen is opened with its id" }
        val body = view<LinearLayout>(R.id.body)
        engine.observeCase(id).shows { case ->
            body.removeAllViews()
            if (case == null) body.add<TextView>(R.layout.paragraph).setText(R.string.case_gone) else body.show(case)
        }
    }

    private fun LinearLayout.show(case: CaseDetail) {
        row(words.row(case.row).copy(line = facts(case)))
        if (case.parked) add<TextView>(R.layout.paragraph).setText(R.string.case_parked)
        if (!case.whole) add<TextView>(R.layout.paragraph).setText(R.string.case_progress)
        case.flags.forEach { add<TextView>(if (it.level == FlagLevel.MUST) R.layout.notice else R.layout.mark).show(mark(it, case.history)) }
        if (case.refused.isNotEmpty()) {
            add<Button>(R.layout.today_above).run {
                shown(true)
                text = resources.getQuantityString(R.plurals.refused_count, case.refused.size, case.refused.size)
                setOnClickListener { go<RefusedActivity>() }
            }
        }
        val offered = Act.offered(case.next.map { it.kind })
        if (offered.isNotEmpty()) heading(R.string.case_next)
        offered.forEachIndexed { at, act ->
            add<Button>(if (at == 0) R.layout.button_primary else R.layout.button).run {
                setText(act.label)
                setOnClickListener { startActivity(ActActivity.of(context, case.row.id, act)) }
            }
        }
        if (case.assignments.isNotEmpty()) heading(R.string.case_assignments)
        case.assignments.forEach { row(row(it)) }
        if (case.history.isNotEmpty()) heading(R.string.case_history)
        case.history.asReversed().forEach { row(row(it)) }
    }

    private fun facts(case: CaseDetail) = listOfNotNull(
        case.text,
        words.category(case.row.category),
        case.row.address,
        case.row.number,
        case.reply?.let { getString(R.string.case_reply, it) },
    ).joinToString("\n")

    /** What two people did without knowing of each other. */
    private fun mark(flag: Flag, history: List<HistoryEntry>): Mark {
        val done = history.filter { it.id in flag.actions }.joinToString(" · ") { words.action(it.kind) }
        return when (flag.level) {
            FlagLevel.MUST -> Mark(R.drawable.ic_question, getString(R.string.case_flag_must, done), R.color.warn)
            FlagLevel.INFO -> Mark(R.drawable.ic_question, getString(R.string.case_flag_info, done))
        }
    }

    private fun row(assignment: Assignment) = Row(
        listOfNotNull(assignment.org, assignment.person).joinToString(" · "),
        marks = listOfNotNull(Mark(icon(assignment.state), getString(label(assignment.state))), assignment.dueMs?.takeIf { assignment.state.isLive }?.let(times::due)),
    )

    private val AssignmentState.isLive get() = this == AssignmentState.UNSIGNED || this == AssignmentState.SIGNED

    private fun icon(state: AssignmentState): Int = when (state) {
        AssignmentState.UNSIGNED -> R.drawable.ic_state_new
        AssignmentState.SIGNED -> R.drawable.ic_state_working
        AssignmentState.PAUSED -> R.drawable.ic_state_paused
        AssignmentState.FINISHED -> R.drawable.ic_state_check
        AssignmentState.RECALLED, AssignmentState.SUPERSEDED -> R.drawable.ic_state_ended
    }

    private fun label(state: AssignmentState): Int = when (state) {
        AssignmentState.UNSIGNED -> R.string.assignment_unsigned
        AssignmentState.SIGNED -> R.string.assignment_signed
        AssignmentState.PAUSED -> R.string.assignment_paused
        AssignmentState.FINISHED -> R.string.assignment_finished
        AssignmentState.RECALLED -> R.string.assignment_recalled
        AssignmentState.SUPERSEDED -> R.string.assignment_superseded
    }

    private fun row(entry: HistoryEntry) = Row(
        words.action(entry.kind).standing(),
        listOfNotNull(
            entry.text,
            getString(R.string.by, if (entry.own) getString(R.string.me) else entry.author ?: say(entry.role.words), times.dayAndTime(entry.madeMs)),
        ).joinToString("\n"),
        listOfNotNull(
            entry.noEffect?.let { Mark(R.drawable.ic_no_effect, getString(R.string.no_effect, say(it)), R.color.bad) }
                ?: Mark(R.drawable.ic_state_check, getString(R.string.took_effect)),
            words.mark(entry.delivery),
        ),
    )

    companion object {
        private const val ID = "case"

        fun of(context: Context, id: String): Intent = Intent(context, CaseActivity::class.java).putExtra(ID, id)
    }
}
