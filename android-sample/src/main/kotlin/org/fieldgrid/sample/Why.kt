package org.fieldgrid.sample

import android.app.AlertDialog
import android.content.Context
import android.view.LayoutInflater
import android.view.View
import android.widget.Button
import android.widget.EditText
import android.widget.LinearLayout
import org.fieldgrid.RevealReason
import org.fieldgrid.words

/** Asks why a number is to be shown. A usual reason is one tap; another is said in words. Whoever goes back is shown nothing, and nothing is recorded. */
class Why(context: Context, typed: String = "", private val answered: (RevealReason, String?) -> Unit) {
    private val body = LayoutInflater.from(context).inflate(R.layout.why, null)
    private val other = body.requireViewById<EditText>(R.id.other)
    private val dialog = AlertDialog.Builder(context).setTitle(R.string.why_title).setView(body).setNegativeButton(android.R.string.cancel, null).create()

    /** What was typed so far; `null` when nothing is asked any more. */
    val typed: String? get() = if (dialog.isShowing) other.text.toString() else null

    init {
        val usual = body.requireViewById<LinearLayout>(R.id.usual)
        for (reason in USUAL) {
            usual.add<Button>(R.layout.button).run {
                text = context.say(reason.words).standing()
                contentDescription = context.getString(R.string.why_show_for, context.say(reason.words))
                setOnClickListener { answer(reason) }
            }
        }
        val show = body.requireViewById<View>(R.id.show)
        show.isEnabled = false
        show.setOnClickListener { answer(RevealReason.UNLISTED, other.typed) }
        other.onTyped { show.isEnabled = it.isNotEmpty() }
        other.setText(typed)
        dialog.show()
    }

    private fun answer(reason: RevealReason, words: String? = null) {
        dismiss()
        answered(reason, words)
    }

    fun dismiss() = dialog.dismiss()

    private companion object {
        val USUAL = listOf(RevealReason.IDENTITY, RevealReason.FORM, RevealReason.EMERGENCY, RevealReason.CORRECTION)
    }
}
