package org.fieldgrid.sample

import android.content.Intent
import android.os.Bundle
import android.view.View
import android.widget.TextView
import java.util.UUID
import kotlin.math.abs
import kotlinx.coroutines.launch
import org.fieldgrid.FieldgridException

/**
 * A screen that closes when what is on it is saved on the phone; it never waits for the network. It saves once, also when it is made anew meanwhile, and when the
 * process ends between the save and the closing.
 */
abstract class SavingScreen(layout: Int) : Screen(layout) {
    /** Of this screen and of those that it is made anew as, in other processes too: what it saves, it saves under this id. */
    protected var form: UUID = UUID.randomUUID()
        private set

    /** When it was first pressed to save; `null` before, and when that came to nothing. What is reckoned from now is the same when it is pressed again. */
    protected var pressedMs: Long? = null
        private set

    /** It was pressed in a process that ended: it may be saved, and then nothing else is. */
    protected var mayBeSaved = false
        private set
    private lateinit var button: View

    /** Whether it is being saved: what comes now comes too late for that. */
    protected val isSaving: Boolean get() = form in app.saves

    /** What is missing, in words; `null` when it may be saved. */
    abstract fun missing(): String?

    /** Saves it. What comes of it is for [next]. */
    abstract suspend fun save(): Any

    /** The screen that comes next, if it is not the one before. */
    protected open fun next(saved: Any): Intent? = null

    /** Called in [create]. */
    protected fun savesBy(button: View) {
        this.button = button
        button.setOnClickListener {
            val missing = missing()
            complain(missing)
            if (missing == null) {
                pressedMs = pressedMs ?: app.now()
                app.saves.begin(form, ::save)
                close()
            }
        }
    }

    /** Closes when it is saved. */
    private fun close() {
        button.isEnabled = false
        scope.launch {
            try {
                next(app.saves.end(form))?.let(::startActivity)
                finish()
            } catch (refused: FieldgridException) {
                // What was changed since may be saved all the same, knowingly: as another form's.
                if (refused is FieldgridException.AlreadySaved) form = UUID.randomUUID()
                pressedMs = null
                mayBeSaved = false
                complain(say(refused.words))
                button.isEnabled = true
            }
        }
    }

    override fun keep(state: Bundle) {
        state.putString(FORM, form.toString())
        pressedMs?.let { state.putLong(PRESSED, it) }
    }

    override fun restore(state: Bundle) {
        form = state.getString(FORM)?.let(UUID::fromString) ?: form
        mayBeSaved = state.containsKey(PRESSED) && !isSaving
        // Who comes back on another day and says "in three days" means from then.
        pressedMs = state.getLong(PRESSED).takeIf { state.containsKey(PRESSED) && abs(app.now() - it) < Times.DAY / 2 }
        if (isSaving) close()
    }

    override fun onDestroy() {
        if (isFinishing) app.saves.leave(form)
        super.onDestroy()
    }

    private fun complain(words: String?) = view<TextView>(R.id.error).showOrHide(words)

    private companion object {
        const val FORM = "form"
        const val PRESSED = "pressed"
    }
}
