package org.fieldgrid.sample

import android.content.Context
import android.content.Intent
import android.os.Bundle
import android.text.InputType.TYPE_CLASS_TEXT
import android.text.InputType.TYPE_TEXT_FLAG_CAP_CHARACTERS
import android.text.InputType.TYPE_TEXT_FLAG_NO_SUGGESTIONS
import android.view.View
import android.view.WindowManager.LayoutParams.FLAG_SECURE
import android.widget.Button
import android.widget.EditText
import android.widget.LinearLayout
import android.widget.TextView
import kotlinx.coroutines.Job
import kotlinx.coroutines.delay
import org.fieldgrid.Person
import org.fieldgrid.RevealReason
import org.fieldgrid.idNumberFits

/**
 * A person's ID number: who will be able to see it, entering it, and looking at it, for a reason, which is recorded first. It is on no screenshot, shown for a
 * minute at most, and hidden when the screen is left.
 */
class IdNumberActivity : Form() {
    private val household by lazy { checkNotNull(intent.getStringExtra(HOUSEHOLD)) }
    private val person by lazy { checkNotNull(intent.getStringExtra(PERSON)) }
    private lateinit var number: EditText
    private lateinit var seen: View
    private var why: Why? = null
    private var showing: Job? = null

    /** What was odd and is to be saved all the same, when the button is pressed again. */
    private var odd: String? = null

    override fun fields(into: LinearLayout) {
        window.addFlags(FLAG_SECURE)
        title = getString(R.string.id_title, intent.getStringExtra(NAME))
        into.add<TextView>(R.layout.paragraph).setText(R.string.id_who)
        val known = intent.getBooleanExtra(KNOWN, false)
        seen = into.row(Row(""))
        hide()
        if (known) {
            into.add<Button>(R.layout.button).run {
                setText(R.string.id_reveal)
                setOnClickListener { ask() }
            }
        }
        val label = getString(if (known) R.string.id_number_other else R.string.id_number)
        number = line(into, label, TYPE_CLASS_TEXT or TYPE_TEXT_FLAG_CAP_CHARACTERS or TYPE_TEXT_FLAG_NO_SUGGESTIONS, LONGEST, secret = true)
    }

    private fun ask(typed: String = "") {
        why = Why(this, typed, ::reveal)
    }

    private fun reveal(reason: RevealReason, note: String?) {
        showing?.cancel()
        showing = doing {
            val number = engine.revealIdNumber(household, person, reason, note)
            seen.show(if (number == null) Row(getString(R.string.id_not_here)) else Row(number, getString(R.string.id_shown)))
            seen.shown(true)
            delay(SHOWN_MS)
            hide()
        }
    }

    private fun hide() {
        seen.show(Row(""))
        seen.shown(false)
    }

    override fun onStop() {
        // Also a number that is only just coming.
        showing?.cancel()
        if (this::seen.isInitialized) hide()
        super.onStop()
    }

    override fun onDestroy() {
        why?.dismiss()
        super.onDestroy()
    }

    override fun keep(state: Bundle) {
        super.keep(state)
        why?.typed?.let { state.putString(WHY, it) }
    }

    override fun restore(state: Bundle) {
        super.restore(state)
        state.getString(WHY)?.let(::ask)
    }

    override fun missing(): String? {
        val typed = number.typed
        return when {
            typed.isEmpty() -> getString(R.string.required, getString(R.string.id_number))
            idNumberFits(typed) || typed == odd -> null
            else -> getString(R.string.id_odd).also { odd = typed }
        }
    }

    override suspend fun save() = engine.setIdNumber(household, person, number.typed, form)

    companion object {
        private const val HOUSEHOLD = "household"
        private const val PERSON = "person"
        private const val NAME = "name"
        private const val KNOWN = "known"
        private const val WHY = "why"
        private const val LONGEST = 40
        private const val SHOWN_MS = 60_000L

        fun of(context: Context, household: String, person: Person): Intent = Intent(context, IdNumberActivity::class.java)
            .putExtra(HOUSEHOLD, household).putExtra(PERSON, person.id).putExtra(NAME, person.name ?: context.getString(R.string.no_name)).putExtra(KNOWN, person.hasIdNumber)
    }
}
