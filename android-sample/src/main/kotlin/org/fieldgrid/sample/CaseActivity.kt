package org.fieldgrid.sample

import android.content.Context
import android.content.Intent
import android.widget.Button
import android.widget.LinearLayout
import android.widget.TextView
import org.fieldgrid.CaseDetail
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
        val offered = Act.offered(case.next.map { it.kind })
        if (offered.isNotEmpty()) heading(R.string.case_next)
        offered.forEachIndexed { at, act ->
            add<Button>(if (at == 0) R.layout.button_primary else R.layout.button).run {
                setText(act.label)
                setOnClickListener { startActivity(ActActivity.of(context, case.row.id, act)) }
            }
        }
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

    private fun row(entry: HistoryEntry) = Row(
        words.action(entry.kind),
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
