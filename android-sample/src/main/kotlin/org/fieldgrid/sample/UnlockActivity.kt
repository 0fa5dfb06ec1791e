package org.fieldgrid.sample

import android.content.Intent
import android.view.View
import android.widget.Button
import android.widget.EditText
import android.widget.TextView
import kotlinx.coroutines.launch

/** The PIN: chosen once, asked for whenever the app was not running. Then on to enrolment, or to today's list. */
class UnlockActivity : Screen(R.layout.unlock, needsStore = false) {
    private val isNew by lazy { !app.phone.exists }

    override fun create() {
        title = getString(if (isNew) R.string.pin_new_title else R.string.pin_title)
        view<TextView>(R.id.why).setText(if (isNew) R.string.pin_new_why else R.string.pin_why)
        view<TextView>(R.id.pin_label).setText(if (isNew) R.string.pin_new else R.string.pin)
        view<View>(R.id.again_label).shown(isNew)
        view<View>(R.id.again).shown(isNew)
        view<Button>(R.id.go).run {
            setText(if (isNew) R.string.pin_new_go else R.string.pin_go)
            setOnClickListener { unlock() }
        }
        if (!app.phone.locked) forward()
    }

    private fun unlock() {
        val pin = view<EditText>(R.id.pin).typed
        when {
            pin.length < SHORTEST -> complain(getString(R.string.pin_short))
            isNew && pin != view<EditText>(R.id.again).typed -> complain(getString(R.string.pin_differs))
            else -> scope.launch { open(pin) }
        }
    }

    private suspend fun open(pin: String) {
        val go = view<Button>(R.id.go)
        go.isEnabled = false
        go.setText(R.string.opening)
        when (val opened = app.phone.unlock(pin.toCharArray())) {
            Unlocked.Open -> forward()
            Unlocked.WrongPin -> complain(getString(R.string.pin_wrong))
            Unlocked.KeysLost -> complain(getString(R.string.keys_lost))
            is Unlocked.Failed -> complain(say(opened.why))
        }
        go.isEnabled = true
        go.setText(if (isNew) R.string.pin_new_go else R.string.pin_go)
    }

    private fun complain(words: String) = view<TextView>(R.id.error).showOrHide(words)

    private fun forward() = scope.launch {
        val next = if (app.phone.enrolled()) TodayActivity::class.java else EnrolActivity::class.java
        startActivity(Intent(this@UnlockActivity, next))
        finish()
    }

    private companion object {
        const val SHORTEST = 6
    }
}
