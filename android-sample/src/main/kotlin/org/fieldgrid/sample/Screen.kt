package org.fieldgrid.sample

import android.app.Activity
import android.content.Intent
import android.os.Build
import android.os.Bundle
import android.view.View
import android.view.WindowInsets
import android.widget.FrameLayout
import android.widget.ImageButton
import android.widget.TextView
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.cancel
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.retryWhen
import kotlinx.coroutines.launch
import org.fieldgrid.DeviceStatus
import org.fieldgrid.Fieldgrid
import org.fieldgrid.FieldgridException

/**
 * A screen: a bar with its title, and what it shows below. What it [shows] it watches while it is in front.
 *
 * A screen that needs the phone's store waits behind [UnlockActivity] while the store is locked: after the system has ended the process, it comes back with
 * what was typed.
 */
abstract class Screen(private val layout: Int, private val needsStore: Boolean = true) : Activity() {
    protected val scope: CoroutineScope = MainScope()
    protected val app: SampleApp get() = application as SampleApp

    /** The engine, once the store is open. It stays this one: what still runs when the store is closed is told so, as of every failure. */
    protected lateinit var engine: Fieldgrid
        private set
    protected val times: Times by lazy { Times(this, app.now) }
    protected val words: Say by lazy { Say(this, times) }

    private val watches = mutableListOf<suspend () -> Unit>()
    private val failures = mutableMapOf<Any, String>()
    private var watching: Job? = null
    private var filled = false

    /** What the system kept, until the screen is filled. */
    private var kept: Bundle? = null

    /** Fills the screen. The store is open, if the screen needs it. */
    abstract fun create()

    final override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        kept = state
        if (needsStore && app.phone.locked) unlock() else fill()
    }

    /** After the PIN; the screen was not filled before. */
    override fun onRestart() {
        super.onRestart()
        if (filled) return
        if (app.phone.locked) {
            unlock()
        } else {
            fill()
            kept?.let(::onRestoreInstanceState)
        }
    }

    private fun unlock() = startActivity(UnlockActivity.before(this))

    private fun fill() {
        if (needsStore) engine = app.phone.engine
        setContentView(R.layout.screen)
        layoutInflater.inflate(layout, requireViewById<FrameLayout>(R.id.content))
        requireViewById<ImageButton>(R.id.back).run {
            if (isTaskRoot) visibility = View.GONE
            setOnClickListener { finish() }
        }
        keepClearOfBars(requireViewById(R.id.root))
        create()
        filled = true
    }

    /** Writes down what was typed or chosen and the views do not keep by themselves. */
    protected open fun keep(state: Bundle) = Unit

    /** Shows it again, after [create]. */
    protected open fun restore(state: Bundle) = Unit

    final override fun onSaveInstanceState(state: Bundle) {
        if (filled) {
            super.onSaveInstanceState(state)
            keep(state)
        } else {
            kept?.let(state::putAll)
        }
    }

    final override fun onRestoreInstanceState(state: Bundle) {
        if (!filled) return
        super.onRestoreInstanceState(state)
        restore(state)
    }

    override fun onStart() {
        super.onStart()
        watching = scope.launch { watches.forEach { watch -> launch { watch() } } }
    }

    override fun onStop() {
        watching?.cancel()
        super.onStop()
    }

    override fun onDestroy() {
        scope.cancel()
        super.onDestroy()
    }

    override fun setTitle(title: CharSequence) {
        super.setTitle(title)
        requireViewById<TextView>(R.id.title).text = title
    }

    /** Shows each value of the flow while the screen is in front. Called in [create]. Where there is no value, it says why, and tries again. */
    protected fun <T> Flow<T>.shows(show: (T) -> Unit) {
        val flow = this
        watches += {
            flow.retryWhen { failed, _ ->
                if (failed is FieldgridException) {
                    tell(flow, failed)
                    delay(AGAIN_MS)
                }
                failed is FieldgridException
            }.collect {
                tell(flow, null)
                show(it)
            }
        }
    }

    /** Does what a tap asked for; says why, when it could not be done. */
    protected fun doing(work: suspend () -> Unit) = scope.launch {
        try {
            work()
            tell(scope, null)
        } catch (failed: FieldgridException) {
            tell(scope, failed)
        }
    }

    /** Says what went wrong with [what], until it goes right. */
    private fun tell(what: Any, failed: FieldgridException?) {
        if (failed == null) failures -= what else failures[what] = say(failed.words)
        view<TextView>(R.id.failure).showOrHide(failures.values.distinct().joinToString("\n"))
    }

    /** Shows how the phone stands with the centre, above everything; a tap syncs. */
    protected fun showSyncLine(also: (DeviceStatus) -> Unit = {}) {
        val line = view<TextView>(R.id.sync_line)
        line.shown(true)
        line.setOnClickListener { doing { engine.syncNow() } }
        engine.observeStatus().shows { status ->
            line.text = syncLine(this, times, status)
            also(status)
        }
    }

    protected inline fun <reified S : Screen> go() = startActivity(Intent(this, S::class.java))

    protected fun <V : View> view(id: Int): V = requireViewById(id)

    /** From Android 15 on, the app draws under the bars of the system. */
    private fun keepClearOfBars(root: View) = root.setOnApplyWindowInsetsListener { view, insets ->
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) {
            val bars = insets.getInsets(WindowInsets.Type.systemBars() or WindowInsets.Type.displayCutout() or WindowInsets.Type.ime())
            view.setPadding(bars.left, bars.top, bars.right, bars.bottom)
        } else {
            @Suppress("DEPRECATION")
            view.setPadding(insets.systemWindowInsetLeft, insets.systemWindowInsetTop, insets.systemWindowInsetRight, insets.systemWindowInsetBottom)
        }
        insets
    }

    private companion object {
        const val AGAIN_MS = 2_000L
    }
}
