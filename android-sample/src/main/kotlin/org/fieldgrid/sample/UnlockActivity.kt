package org.fieldgrid.sample

import android.content.Intent
import android.text.format.DateUtils
import android.view.View
import android.widget.Button
import android.widget.EditText
import android.widget.TextView
import kotlinx.coroutines.delay
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
        view<View>(R.id.go).setOnClickListener { unlock() }
        ready()
        if (app.phone.locked) scope.launch { app.phone.wait()?.let { hold(it) } } else forward()
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
            is Unlocked.Wait -> hold(opened)
            Unlocked.Full -> complain(getString(R.string.storage_full))
            Unlocked.KeysLost -> complain(getString(R.string.keys_lost))
            is Unlocked.Failed -> complain(say(opened.why))
        }
        ready()
    }

    /** Too many were wrong: says how long the next has to wait, and lets nobody try meanwhile. */
    private suspend fun hold(wait: Unlocked.Wait) {
        complain(resources.getQuantityString(R.plurals.pin_wait, wait.wrong, wait.wrong))
        val go = view<Button>(R.id.go)
        go.isEnabled = false
        var left: Unlocked.Wait? = wait
        while (left != null) {
            go.text = getString(R.string.pin_wait_left, DateUtils.formatElapsedTime((left.ms + SECOND - 1) / SECOND))
            delay(minOf(left.ms, SECOND))
            left = app.phone.wait()
        }
        complain(null)
        ready()
    }

    private fun ready() = view<Button>(R.id.go).run {
        isEnabled = true
        setText(if (isNew) R.string.pin_new_go else R.string.pin_go)
    }

    private fun complain(words: String?) = view<TextView>(R.id.error).showOrHide(words)

    private fun forward() = scope.launch {
        val next = if (app.phone.enrolled()) TodayActivity::class.java else EnrolActivity::class.java
        startActivity(Intent(this@UnlockActivity, next))
        finish()
    }

    private companion object {
        const val SHORTEST = 6
        const val SECOND = 1_000L
    }
}
