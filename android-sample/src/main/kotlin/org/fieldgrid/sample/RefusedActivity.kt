package org.fieldgrid.sample

import android.widget.Button
import android.widget.LinearLayout
import android.widget.TextView
import org.fieldgrid.EditRow

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

    private fun LinearLayout.show(edit: EditRow) {
        val case = edit.doc.takeIf { edit.kinds.isNotEmpty() }
        row(Row(what(edit), times.dayAndTime(edit.madeMs), listOfNotNull(words.mark(edit.delivery))), case?.let { { startActivity(CaseActivity.of(context, it)) } }).below(16)
        if (edit.kinds.isNotEmpty()) {
            add<Button>(R.layout.button_primary).run {
                setText(R.string.refused_note)
                setOnClickListener { doing { engine.sendAsNote(checkNotNull(edit.doc), edit.edit) } }
            }
        }
        add<Button>(R.layout.button).run {
            setText(R.string.refused_discard)
            setOnClickListener {
                setText(R.string.refused_discard_sure)
                setOnClickListener { doing { engine.discard(checkNotNull(edit.doc), edit.edit) } }
            }
        }
    }

    private fun what(edit: EditRow): String = when {
        edit.kinds.isNotEmpty() -> edit.kinds.joinToString { words.action(it) }
        edit.fact -> getString(R.string.refused_visit)
        else -> getString(R.string.refused_household)
    }
}
