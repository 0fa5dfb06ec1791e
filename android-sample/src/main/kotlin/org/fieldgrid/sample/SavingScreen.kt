package org.fieldgrid.sample

import android.content.Intent
import android.os.Bundle
import android.view.View
import android.widget.TextView
import java.util.UUID
import kotlinx.coroutines.launch
import org.fieldgrid.FieldgridException

/** A screen that closes when what is on it is saved on the phone; it never waits for the network. It saves once, also when it is made anew meanwhile. */
abstract class SavingScreen(layout: Int) : Screen(layout) {
    /** Of this screen and of those that it is made anew as. */
    private var id = UUID.randomUUID().toString()
    private lateinit var button: View

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
                app.saves.begin(id, ::save)
                close()
            }
        }
    }

    /** Closes when it is saved. */
    private fun close() {
        button.isEnabled = false
        scope.launch {
            try {
                next(app.saves.end(id))?.let(::startActivity)
                finish()
            } catch (refused: FieldgridException) {
                complain(say(refused.words))
                button.isEnabled = true
            }
        }
    }

    override fun keep(state: Bundle) = state.putString(SAVES_AS, id)

    override fun restore(state: Bundle) {
        id = state.getString(SAVES_AS) ?: id
        if (id in app.saves) close()
    }

    override fun onDestroy() {
        if (isFinishing) app.saves.leave(id)
        super.onDestroy()
    }

    private fun complain(words: String?) = view<TextView>(R.id.error).showOrHide(words)

    private companion object {
        const val SAVES_AS = "saves_as"
    }
}
