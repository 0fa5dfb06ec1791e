package org.fieldgrid.sample

import android.content.ClipboardManager
import android.content.Intent
import android.view.View
import android.widget.EditText
import android.widget.TextView
import kotlinx.coroutines.launch
import org.fieldgrid.FieldgridException

/** Enrolment: the centre's invite, pasted or typed. The only screen that waits for the network. */
class EnrolActivity : Screen(R.layout.enrol) {
    override fun create() {
        title = getString(R.string.enrol_title)
        val invite = view<EditText>(R.id.invite)
        view<View>(R.id.paste).setOnClickListener {
            val clip = service<ClipboardManager>().primaryClip
            if (clip != null && clip.itemCount > 0) invite.setText(clip.getItemAt(0).coerceToText(this))
        }
        view<View>(R.id.go).setOnClickListener {
            if (invite.typed.isEmpty()) complain(getString(R.string.invite_empty)) else scope.launch { enrol(invite.typed) }
        }
    }

    private suspend fun enrol(invite: String) {
        complain(null)
        busy(true)
        try {
            app.phone.enrol(invite)
            startActivity(Intent(this, TodayActivity::class.java))
            finish()
        } catch (refused: FieldgridException) {
            complain(say(refused.words))
        } finally {
            busy(false)
        }
    }

    private fun busy(yes: Boolean) {
        view<View>(R.id.busy).shown(yes)
        view<View>(R.id.go).isEnabled = !yes
    }

    private fun complain(words: String?) = view<TextView>(R.id.error).showOrHide(words)
}
