package org.fieldgrid.sample

import android.widget.Button
import android.widget.LinearLayout
import android.widget.TextView
import org.fieldgrid.RefusedEdit

/** What the centre did not take: kept until its author decides. */
class RefusedActivity : Screen(R.layout.body) {
    override fun create() {
        title = getString(R.string.refused_title)
        showSyncLine()
        val body = view<LinearLayout>(R.id.body)
        engine.observeRefused().shows { refused ->
            body.removeAllViews()
            body.add<TextView>(R.layout.paragraph).setText(if (refused.isEmpty()) R.string.refused_empty else R.string.refused_why)
            refused.forEach { body.show(it) }
        }
    }

    private fun LinearLayout.show(edit: RefusedEdit) {
        val case = edit.record.takeIf { edit.actions.isNotEmpty() }
        row(Row(what(edit), listOfNotNull(edit.title, times.dayAndTime(edit.madeMs)).joinToString("\n"), listOfNotNull(words.mark(edit.delivery))), case?.let { { startActivity(CaseActivity.of(context, it)) } }).below(16)
        if (edit.mayBeNote) {
            add<Button>(R.layout.button_primary).run {
                setText(R.string.refused_note)
                setOnClickListener { doing { engine.sendAsNote(checkNotNull(edit.record), edit.id) } }
            }
        }
        add<Button>(R.layout.button).run {
            setText(R.string.refused_discard)
            setOnClickListener {
                setText(R.string.refused_discard_sure)
                setOnClickListener { doing { engine.discard(checkNotNull(edit.record), edit.id) } }
            }
        }
    }

    private fun what(edit: RefusedEdit): String = when {
        edit.actions.isNotEmpty() -> edit.actions.joinToString { words.action(it) }.standing()
        edit.title == null -> getString(R.string.refused_visit)
        else -> getString(R.string.refused_household)
    }
}
