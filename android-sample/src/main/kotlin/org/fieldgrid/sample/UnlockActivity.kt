package org.fieldgrid.sample

import android.content.Intent
import android.text.format.DateUtils
import android.view.View
import android.widget.Button
import android.widget.EditText
import android.widget.TextView
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch

/** The PIN: chosen once, asked for whenever the app was not running. Then on to enrolment, to today's list, or back to where one was. */
class UnlockActivity : Screen(R.layout.unlock, needsStore = false) {
    private val isNew by lazy { !app.phone.exists }
    private var keyLost = false

    override fun create() {
        title = getString(if (isNew) R.string.pin_new_title else R.string.pin_title)
        view<TextView>(R.id.why).setText(if (isNew) R.string.pin_new_why else R.string.pin_why)
        view<TextView>(R.id.pin_label).setText(if (isNew) R.string.pin_new else R.string.pin)
        view<View>(R.id.again_label).shown(isNew)
        view<View>(R.id.again).shown(isNew)
        view<View>(R.id.back).shown(false)
        view<View>(R.id.go).setOnClickListener { unlock() }
        view<Button>(R.id.forgotten).run {
            shown(!isNew)
            setOnClickListener { startActivity(ForgottenActivity.of(context, keyLost)) }
        }
        ready()
        scope.launch { if (app.phone.opened()) forward() else app.phone.wait()?.let { hold(it) } }
    }

    /** Behind may wait what was half typed: who leaves, leaves the app. */
    @Suppress("OVERRIDE_DEPRECATION")
    override fun onBackPressed() {
        moveTaskToBack(true)
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
            Unlocked.KeysLost -> {
                keyLost = true
                view<Button>(R.id.forgotten).setText(R.string.lost_go)
                view<View>(R.id.go).shown(false)
                complain(listOf(R.string.keys_lost, R.string.lost_what).joinToString("\n", transform = ::getString))
            }
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

    /** To the screen that waits behind, or the first. */
    private suspend fun forward() {
        if (!intent.getBooleanExtra(BEFORE, false)) {
            val next = if (app.phone.enrolled()) TodayActivity::class.java else EnrolActivity::class.java
            startActivity(Intent(this, next))
        }
        finish()
    }

    companion object {
        private const val BEFORE = "before"

        /** Before a screen that waits for the store. */
        fun before(screen: Screen): Intent = Intent(screen, UnlockActivity::class.java).putExtra(BEFORE, true)

        private const val SHORTEST = 6
        private const val SECOND = 1_000L
    }
}
