package org.fieldgrid.sample

import android.app.Activity
import android.os.Looper
import android.view.View
import android.widget.Button
import android.widget.EditText
import android.widget.TextView
import java.time.Duration
import kotlin.test.BeforeTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertTrue
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.runBlocking
import org.fieldgrid.Fieldgrid
import org.fieldgrid.RevealReason
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.shadows.ShadowDialog

/** An ID number is shown for a reason, for a minute, and to nobody who comes back later. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestApp::class, qualifiers = "en-w480dp-h800dp-mdpi")
class RevealTest {
    private class Recorded(fake: Fieldgrid = Fake()) : Fieldgrid by fake {
        val reasons = mutableListOf<Pair<RevealReason, String?>>()
        var read = CompletableDeferred(NUMBER)

        override suspend fun revealIdNumber(household: String, person: String, reason: RevealReason, note: String?): String? {
            reasons += reason to note
            return read.await()
        }
    }

    private val app get() = RuntimeEnvironment.getApplication() as TestApp
    private val engine = Recorded()

    @BeforeTest
    fun unlocked() {
        TestApp.engine = { _, _ -> engine }
        runBlocking { app.phone.unlock("246810".toCharArray()) }
    }

    @Test
    fun `nothing is shown before it is said why`() {
        val screen = open().get()
        screen.tap("Show it (this is recorded)")
        assertTrue(engine.reasons.isEmpty())
        asked().tap("Cancel")
        pass(Duration.ofSeconds(1))
        assertTrue(engine.reasons.isEmpty() && NUMBER !in screen.words())
    }

    @Test
    fun `a usual reason is one tap`() {
        val screen = open().get()
        val usual = listOf(
            "Checking who somebody is" to RevealReason.IDENTITY, "Filling in a form" to RevealReason.FORM, "An emergency" to RevealReason.EMERGENCY,
            "Correcting the record" to RevealReason.CORRECTION,
        )
        for ((words, reason) in usual) {
            screen.tap("Show it (this is recorded)")
            val button = asked().all().filterIsInstance<Button>().single { it.text == words }
            assertEquals("Show it, for: ${words.replaceFirstChar(Char::lowercase)}", button.contentDescription)
            button.performClick()
            pass(Duration.ofSeconds(1))
            assertFalse(ShadowDialog.getLatestDialog().isShowing)
            assertTrue(NUMBER in screen.words())
            assertEquals(reason to null, engine.reasons.last())
        }
        assertEquals(usual.size, engine.reasons.size)
    }

    @Test
    fun `another reason is said in words`() {
        val controller = open()
        controller.get().tap("Show it (this is recorded)")
        assertFalse(button("Show it").isEnabled, "words first")
        other().setText("补办")
        controller.turn()
        assertEquals("补办", other().text.toString(), "a turned phone asks on")
        other().setText("补办社保卡")
        assertTrue(button("Show it").isEnabled)
        asked().tap("Show it")
        pass(Duration.ofSeconds(1))
        assertTrue(NUMBER in controller.get().words())
        assertEquals(listOf<Pair<RevealReason, String?>>(RevealReason.UNLISTED to "补办社保卡"), engine.reasons)
        assertFalse(ShadowDialog.getLatestDialog().isShowing)
        controller.turn()
        assertFalse(ShadowDialog.getLatestDialog().isShowing, "what was answered is not asked again")
    }

    @Test
    fun `for a minute`() {
        val screen = open().get()
        reveal(screen)
        pass(Duration.ofSeconds(40))
        reveal(screen)
        pass(Duration.ofSeconds(50))
        assertTrue(NUMBER in screen.words(), "a minute from when it was asked for last")
        pass(Duration.ofSeconds(11))
        assertFalse(NUMBER in screen.words())
    }

    @Test
    fun `not to who comes back`() {
        val controller = open()
        reveal(controller.get())
        controller.pause().stop()
        assertFalse(NUMBER in controller.get().words())
        controller.restart().start().resume().visible()
        assertFalse(NUMBER in controller.get().words())

        engine.read = CompletableDeferred()
        controller.get().tap("Show it (this is recorded)")
        asked().tap("An emergency")
        pass(Duration.ofSeconds(1))
        controller.pause().stop()
        engine.read.complete(NUMBER)
        pass(Duration.ofSeconds(1))
        controller.restart().start().resume().visible()
        assertFalse(NUMBER in controller.get().words(), "it came after the screen was left")

        engine.read = CompletableDeferred(NUMBER)
        reveal(controller.get())
        assertFalse(NUMBER in controller.turn().words())
    }

    private fun open() = Robolectric.buildActivity(IdNumberActivity::class.java, IdNumberActivity.of(app, "h1", Sample.persons[0])).setup()

    private fun reveal(screen: Activity) {
        screen.tap("Show it (this is recorded)")
        asked().tap("An emergency")
        pass(Duration.ofSeconds(1))
        assertTrue(NUMBER in screen.words())
    }

    private fun button(words: String) = asked().all().filterIsInstance<Button>().single { it.text == words }

    private fun other() = asked().requireViewById<EditText>(R.id.other)

    private fun Activity.words() = window.decorView.all().filter(View::isShown).filterIsInstance<TextView>().joinToString("\n") { it.text }

    private fun pass(time: Duration) = shadowOf(Looper.getMainLooper()).idleFor(time)

    private companion object {
        const val NUMBER = "610799194509300025"
    }
}
