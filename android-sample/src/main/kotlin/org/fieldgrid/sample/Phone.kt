package org.fieldgrid.sample

import java.io.File
import java.io.IOException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext
import org.fieldgrid.Fieldgrid
import org.fieldgrid.FieldgridException
import org.fieldgrid.Words
import org.fieldgrid.sample.keys.Attempts
import org.fieldgrid.sample.keys.KeysLost
import org.fieldgrid.sample.keys.StoreKeys

/** What became of an attempt to open the store. */
sealed interface Unlocked {
    data object Open : Unlocked

    /** Nothing was changed. */
    data object WrongPin : Unlocked

    /** After too many wrong ones the next PIN has to wait, for [ms]. Nothing was tried, or nothing was changed. */
    data class Wait(val ms: Long, val wrong: Int) : Unlocked

    data object KeysLost : Unlocked

    /** The phone's storage cannot be used; mostly it is full. */
    data object Full : Unlocked

    data class Failed(val why: Words) : Unlocked
}

/** The phone's store: locked until the PIN is known, then open as long as the process lives. */
class Phone(private val keys: StoreKeys, private val attempts: Attempts, private val folder: File, private val open: suspend (store: File, key: ByteArray) -> Fieldgrid) {
    private val unlocking = Mutex()

    @Volatile
    private var device: Fieldgrid? = null

    /** Whether a PIN was chosen. */
    val exists: Boolean get() = keys.exist

    val locked: Boolean get() = device == null

    /** The engine. Screens that need it are not shown while the store is [locked]. */
    val engine: Fieldgrid get() = checkNotNull(device) { "the store is locked" }

    suspend fun enrolled(): Boolean = engine.status().enrolment != null

    /** Enrols with the centre of the invite, and keeps in sync from then on. */
    suspend fun enrol(invite: String) {
        engine.enrol(invite)
        engine.start()
    }

    /** Whether a PIN has to wait: `null` when it may be tried. */
    suspend fun wait(): Unlocked.Wait? = withContext(Dispatchers.IO) { attempts.wait().takeIf { it > 0 }?.let { Unlocked.Wait(it, attempts.wrong) } }

    /** Opens the store with the PIN; a first PIN makes it. */
    suspend fun unlock(pin: CharArray): Unlocked = unlocking.withLock {
        if (device != null) return Unlocked.Open
        wait()?.let { return it }
        try {
            val key = withContext(Dispatchers.Default) { if (keys.exist) keys.open(pin).also { attempts.begin() } else keys.create(pin) }
            device = open(File(folder, "fieldgrid.db"), key)
            withContext(Dispatchers.IO) { attempts.right() }
            if (enrolled()) engine.start()
            Unlocked.Open
        } catch (_: FieldgridException.WrongKey) {
            wait() ?: Unlocked.WrongPin
        } catch (_: KeysLost) {
            Unlocked.KeysLost
        } catch (_: IOException) {
            Unlocked.Full
        } catch (failed: FieldgridException) {
            withContext(Dispatchers.IO) { attempts.untold() }
            Unlocked.Failed(failed.words)
        }
    }

    /** Closes the store; the PIN opens it again. */
    fun lock() {
        device?.close()
        device = null
    }
}
