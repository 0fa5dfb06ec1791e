package org.fieldgrid.sample

import java.io.File
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertIs
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlinx.coroutines.runBlocking
import org.fieldgrid.FieldgridException
import org.fieldgrid.Words
import org.fieldgrid.fake.FakeFieldgrid
import org.fieldgrid.sample.keys.Attempts
import org.fieldgrid.sample.keys.StoreKeys
import org.junit.Rule
import org.junit.rules.TemporaryFolder

class AttemptsTest {
    @get:Rule
    val folder = TemporaryFolder()

    private var now = 1_000_000L
    private val file by lazy { File(folder.root, "pin.attempts") }

    /** As a process that has just begun finds it. */
    private val attempts get() = Attempts(file) { now }

    @Test
    fun `five are free, then each waits longer`() {
        repeat(4) { attempts.begin() }
        assertEquals(0, attempts.wait())
        val waits = (1..10).map {
            attempts.begin()
            attempts.wait().also { now += it }
        }
        assertEquals(listOf(30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600).map { it * 1_000L }, waits)
        assertEquals(0, attempts.wait())
        attempts.right()
        assertEquals(0, attempts.wrong)
    }

    @Test
    fun `a restart does not shorten the wait, and setting the clock does nothing`() {
        repeat(7) { attempts.begin() }
        now += 20_000
        assertEquals(100_000, attempts.wait())
        // The phone was off and on: its running clock begins anew, earlier or later than it stood.
        now = 10_000
        assertEquals(110_000, attempts.wait())
        now = 119_000
        assertEquals(1_000, attempts.wait())
    }

    @Test
    fun `what could not be told is no wrong one, and a damaged file is no way around`() {
        repeat(5) { attempts.begin() }
        attempts.begin()
        attempts.untold()
        assertEquals(5, attempts.wrong)
        file.writeText("0 x")
        assertEquals(30_000, attempts.wait())
    }

    @Test
    fun `the right PIN has to wait too, is taken then, and nothing is lost`() = runBlocking {
        val keys = StoreKeys(File(folder.root, "store.key"), PlainSeal, rounds = 1_000)
        val pin = "246810".toCharArray()
        val right = keys.create(pin)
        val store = FakeFieldgrid()
        var opened = 0
        val open = { Phone(keys, attempts, folder.root) { _, key -> if (key.contentEquals(right)) store.also { opened++ } else throw FieldgridException.WrongKey(Words("密钥不对", "wrong")) } }
        repeat(4) { assertEquals(Unlocked.WrongPin, open().unlock("135790".toCharArray())) }
        assertEquals(Unlocked.Wait(30_000, 5), open().unlock("135790".toCharArray()))
        assertIs<Unlocked.Wait>(open().unlock(pin))
        assertEquals(0, opened, "not even looked at")
        now += 30_000
        assertNull(open().wait())
        assertEquals(Unlocked.Open, open().unlock(pin))
        assertEquals(0, attempts.wrong)
        assertTrue(keys.exist)
    }
}
