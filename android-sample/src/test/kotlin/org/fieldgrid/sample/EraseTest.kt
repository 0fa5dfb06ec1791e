package org.fieldgrid.sample

import android.content.Intent
import android.os.Looper
import android.view.View
import android.widget.Button
import android.widget.CheckBox
import android.widget.TextView
import java.io.File
import java.time.Duration
import kotlin.test.BeforeTest
import kotlin.test.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertTrue
import kotlinx.coroutines.runBlocking
import org.fieldgrid.ActionFields
import org.fieldgrid.Fieldgrid
import org.fieldgrid.FieldgridException
import org.fieldgrid.Words
import org.fieldgrid.fake.FakeFieldgrid
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

/** Erasing this phone: nothing by accident, the number of what is lost said first, and then nothing is left. [DayTest] does it on the real store. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestApp::class, qualifiers = "en-w480dp-h800dp-mdpi")
class EraseTest {
    private val app get() = RuntimeEnvironment.getApplication() as TestApp
    private val engine = FakeFieldgrid().apply { online = false }
    private val store get() = File(app.noBackupFilesDir, "fieldgrid.db")

    @BeforeTest
    fun unlocked() {
        TestApp.engine = { store, _ ->
            store.writeText("sealed")
            engine
        }
        runBlocking {
            app.phone.unlock(PIN)
            repeat(2) { engine.report(ActionFields(text = "井盖破损")) }
        }
    }

    @Test
    fun `what is lost is ticked first, and again when it is another number`() {
        val screen = Robolectric.buildActivity(PhoneActivity::class.java).setup().get()
        val sure = screen.requireViewById<CheckBox>(R.id.sure)
        val erase = screen.requireViewById<Button>(R.id.erase)
        eventually("how much is lost") { sure.text.toString() == "I understand: 2 that were not received are lost" }
        assertContains(read(screen), "2 are not at the centre yet")
        assertFalse(erase.isEnabled)
        screen.tap(R.id.sure)
        assertTrue(erase.isEnabled)
        runBlocking { engine.report(ActionFields(text = "路灯不亮")) }
        eventually("the new number") { sure.text.toString() == "I understand: 3 that were not received are lost" }
        assertFalse(sure.isChecked)
        assertFalse(erase.isEnabled)
        // Syncing first is offered, and then nothing is lost.
        engine.online = true
        screen.tap("Sync first")
        eventually("that all is at the centre") { sure.text.toString() == "I understand: it has to be enrolled again" }
        assertFalse("Sync first" in read(screen))
        assertTrue(store.exists() && app.phone.exists, "nothing was erased")
    }

    @Test
    fun `then nothing is left`() {
        val screen = Robolectric.buildActivity(PhoneActivity::class.java).setup().get()
        screen.tap(R.id.sure)
        screen.tap(R.id.erase)
        eventually("the first screen") { shadowOf(app).peekNextStartedActivity() != null }
        assertEquals(UnlockActivity::class.java.name, checkNotNull(shadowOf(app).nextStartedActivity.component).className)
        assertTrue(app.phone.locked && !app.phone.exists)
        assertEquals(emptyList(), app.noBackupFilesDir.list().orEmpty().filter { it.startsWith("fieldgrid.") || it == "store.key" || it == "pin.attempts" })
    }

    @Test
    fun `without the PIN it says that nobody can tell how much, and erases too`() {
        app.phone.lock()
        repeat(5) {
            TestApp.engine = { _, _ -> throw FieldgridException.WrongKey(Words("密钥不对", "The key does not fit")) }
            runBlocking { app.phone.unlock("135790".toCharArray()) }
        }
        val lock = Robolectric.buildActivity(UnlockActivity::class.java).setup().get()
        lock.tap(R.id.forgotten)
        val screen = Robolectric.buildActivity(ForgottenActivity::class.java, shadowOf(app).nextStartedActivity).setup().get()
        assertContains(read(screen), "cannot be seen without opening it")
        assertFalse(screen.requireViewById<Button>(R.id.erase).isEnabled)
        screen.tap(R.id.sure)
        screen.tap(R.id.erase)
        eventually("the first screen") { shadowOf(app).peekNextStartedActivity() != null }
        assertFalse(store.exists() || app.phone.exists)
        assertEquals(null, runBlocking { app.phone.wait() }, "wrong PINs were of the store that is gone")
    }

    @Test
    fun `a process that ends half way leaves nothing that opens, and the next PIN clears it away`() {
        app.phone.lock()
        File(app.noBackupFilesDir, "store.key").delete()
        assertTrue(store.exists())
        var left: Boolean? = null
        TestApp.engine = { store, _ ->
            left = store.exists()
            FakeFieldgrid()
        }
        assertEquals(Unlocked.Open, runBlocking { app.phone.unlock("975310".toCharArray()) })
        assertEquals(false, left)
    }

    @Test
    fun `a storage that cannot overwrite keeps nobody from erasing, for the key is gone`() {
        app.phone.lock()
        TestApp.engine = { _, _ ->
            object : Fieldgrid by FakeFieldgrid() {
                override suspend fun wipe() = throw FieldgridException.Storage(Words("存储已满", "Storage is full"))
            }
        }
        runBlocking {
            assertEquals(Unlocked.Open, app.phone.unlock(PIN))
            app.erase()
        }
        assertFalse(store.exists() || app.phone.exists)
    }

    @Test
    fun `a key that stays is said, and nothing is erased`() {
        val key = File(app.noBackupFilesDir, "store.key")
        val bytes = key.readBytes()
        // A folder with something in it is not deleted: as good as a storage that has become read-only.
        key.delete()
        File(key, "x").apply { parentFile!!.mkdirs() }.writeText("x")
        val screen = Robolectric.buildActivity(PhoneActivity::class.java).setup().get()
        screen.tap(R.id.sure)
        screen.tap(R.id.erase)
        eventually("what went wrong") { screen.requireViewById<View>(R.id.error).isShown }
        assertTrue(store.exists() && !app.phone.locked)
        assertTrue(bytes.isNotEmpty())
    }

    private fun read(screen: android.app.Activity): String {
        shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(50))
        return screen.window.decorView.all().filterIsInstance<TextView>().filter { it.isShown }.joinToString("\n") { it.text }
    }

    private companion object {
        val PIN = "246810".toCharArray()
    }
}
