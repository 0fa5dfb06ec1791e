package org.fieldgrid.sample

import android.app.Activity
import android.content.Intent
import android.os.Looper
import android.view.View
import android.widget.CompoundButton
import android.widget.ListView
import android.widget.Spinner
import android.widget.TextView
import java.util.concurrent.TimeUnit.SECONDS
import org.robolectric.Robolectric
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController

/** A person at the phone: reads what the screen in front shows, taps, types, and waits no longer than anybody would. */
class Hands(private val app: TestApp) {
    private var front: ActivityController<out Activity> = launch(Intent(app, UnlockActivity::class.java))
    private val behind = ArrayDeque<ActivityController<out Activity>>()

    val screen: Activity get() = front.get()

    /** Everything that can be read on the screen, lists to their end. */
    fun words(): String = screen.window.decorView.all().filter { it.isShown }.filterIsInstance<TextView>().joinToString("\n") { it.text }

    fun type(id: Int, words: String) = screen.type(id, words)

    /** Types into the field with this label, instead of what was there. */
    fun type(label: String, words: String) {
        eventually("“$label”, to type") { find(label) != null }
        screen.type(screen.fieldOf(label), words)
    }

    /** Picks from what the field with this label offers. */
    fun pick(label: String, words: String) {
        val spinner = screen.requireViewById<Spinner>(checkNotNull(find(label) as? TextView).labelFor)
        spinner.setSelection((0 until spinner.count).first { spinner.getItemAtPosition(it) == words })
    }

    fun tap(id: Int) {
        screen.tap(id)
        follow()
    }

    fun tap(words: String) {
        eventually("“$words”, to tap") { find(words) != null }
        val found = checkNotNull(find(words))
        val row = generateSequence(found) { it.parent as? View }.first { it.parent is ListView || it.isClickable }
        val list = row.parent as? ListView
        check(if (list != null) list.performItemClick(row, list.getPositionForView(row), 0) else row.performClick() || row is CompoundButton)
        follow()
    }

    private fun find(words: String): View? = screen.window.decorView.all().find { it.isShown && it is TextView && it.text.toString() == words }

    /** Back to the screen before. */
    fun back() {
        screen.finish()
        follow()
    }

    fun eventually(what: String, true_: () -> Boolean) {
        val end = System.nanoTime() + SECONDS.toNanos(PATIENCE)
        while (!true_()) {
            check(System.nanoTime() < end) { "not seen: $what. The screen says:\n${words()}" }
            shadowOf(Looper.getMainLooper()).idle()
            follow()
            Thread.sleep(2)
        }
    }

    fun reads(words: String) = eventually(words) { words in words() }

    inline fun <reified S : Screen> reaches() = eventually(S::class.java.simpleName) { screen is S }

    /** Does what the system does: shows the activity that was started, and the one before when one was finished. */
    private fun follow() {
        val started = shadowOf(app).nextStartedActivity
        if (started != null) {
            front.pause().stop()
            if (!screen.isFinishing) behind.addLast(front) else front.destroy()
            front = launch(started)
        } else if (screen.isFinishing) {
            front.pause().stop().destroy()
            front = behind.removeLast().apply { restart().start().resume().visible() }
        }
    }

    @Suppress("UNCHECKED_CAST")
    private fun launch(intent: Intent): ActivityController<out Activity> =
        Robolectric.buildActivity(Class.forName(checkNotNull(intent.component).className) as Class<Activity>, intent).setup()

    private companion object {
        const val PATIENCE = 20L
    }
}
