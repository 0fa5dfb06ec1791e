package org.fieldgrid.sample

import android.content.Intent
import java.io.File
import java.time.Duration
import kotlin.concurrent.thread
import kotlin.test.AfterTest
import kotlin.test.BeforeTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import kotlinx.coroutines.async
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.runBlocking
import org.fieldgrid.Fieldgrid
import org.fieldgrid.OpenOptions
import org.fieldgrid.ffi.categories
import org.junit.Rule
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

/** The watch of [DayTest] sees what it is there for, on the real library: so that a day without findings means something. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestApp::class)
class MainThreadTest {
    @get:Rule
    val folder = TemporaryFolder()

    private lateinit var engine: Fieldgrid

    @BeforeTest
    fun open() = thread { engine = runBlocking { Fieldgrid.open(OpenOptions(File(folder.root, "fieldgrid.db"), ByteArray(32))) } }.join()

    @AfterTest
    fun close() = engine.close()

    @Test
    fun `a call that is waited for in place is seen`() {
        val held = watched { runBlocking { repeat(CALLS) { engine.search("劳动", 10) } } }
        assertTrue(held.any { it.ms > MainThreadWatch.LONGEST_MS })
    }

    @Test
    fun `work of the engine on the main thread is seen`() {
        val held = watched { repeat(CALLS) { categories() } }
        assertTrue(held.any { it.ms > MainThreadWatch.LONGEST_MS })
    }

    @Test
    fun `calls that the main thread goes on beside are not`() {
        val held = heldEachTime {
            val calls = MainScope().async { repeat(CALLS) { engine.search("劳动", 10) } }
            while (!calls.isCompleted) {
                shadowOf(android.os.Looper.getMainLooper()).idle()
                Thread.sleep(1)
            }
        }
        assertTrue(held.isEmpty(), held.joinToString("\n\n"))
    }

    @Test
    fun `a screen that waits is seen`() {
        TestApp.engine = { _, _ -> Fake() }
        val app = RuntimeEnvironment.getApplication() as TestApp
        TestApp.clock = { NOON }
        thread { runBlocking { app.phone.unlock("246810".toCharArray()) } }.join()
        fun show(hold: () -> Unit) {
            var asked = 0
            // A screen with a due time asks what time it is.
            TestApp.clock = {
                if (asked++ == 0) hold()
                NOON
            }
            Robolectric.buildActivity(TodayActivity::class.java, Intent(app, TodayActivity::class.java)).setup()
            shadowOf(android.os.Looper.getMainLooper()).idleFor(Duration.ofSeconds(1))
            assertTrue(asked > 0)
        }
        assertEquals(emptyList(), heldEachTime { show {} })
        assertTrue(watched { show { Thread.sleep(TOO_LONG_MS) } }.any { it.ms > TOO_LONG_MS / 2 })
    }

    /** What work does it does each time, and what a machine does to it once: classes are loaded the first time, and garbage is collected at some other. */
    private fun heldEachTime(work: () -> Unit): List<MainThreadWatch.Held> {
        var held = watched(work)
        repeat(TIMES) { if (held.isNotEmpty()) held = watched(work) }
        return held
    }

    private fun watched(work: () -> Unit): List<MainThreadWatch.Held> = MainThreadWatch().use { watch ->
        work()
        watch.close()
        watch.held()
    }

    private companion object {
        const val CALLS = 1_000
        const val TIMES = 4
        const val TOO_LONG_MS = 30L
    }
}
