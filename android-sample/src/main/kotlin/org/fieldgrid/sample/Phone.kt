package org.fieldgrid.sample

import java.io.File
import java.io.IOException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.NonCancellable
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

    /** Whether the store is open; an attempt to open it is awaited. */
    suspend fun opened(): Boolean = unlocking.withLock { device != null }

    /**
     * Opens the store with the PIN; a first PIN makes it. It goes on when its caller is cancelled, as by a turn of the phone: an attempt that is left half way
     * would count as a wrong one, and leave a store open that nobody has.
     */
    suspend fun unlock(pin: CharArray): Unlocked = withContext(NonCancellable) { unlocking.withLock { tried(pin) } }

    private suspend fun tried(pin: CharArray): Unlocked {
        if (device != null) return Unlocked.Open
        wait()?.let { return it }
        return try {
            if (!keys.exist) withContext(Dispatchers.IO) { remains() }
            val key = withContext(Dispatchers.Default) { if (keys.exist) keys.open(pin).also { attempts.begin() } else keys.create(pin) }
            device = open(File(folder, "${STORE}db"), key)
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

    /**
     * Erases the phone's store and its key: unsent work too, for good. The key goes first, so what a process that ends half way leaves behind is unreadable, and
     * goes with the next PIN.
     *
     * @throws IOException the storage keeps the key; nothing was erased.
     */
    suspend fun erase() = withContext(NonCancellable) {
        unlocking.withLock {
            withContext(Dispatchers.IO) { keys.forget() }
            device?.let {
                try {
                    it.wipe()
                } catch (_: FieldgridException) {
                    // A storage that is full overwrites nothing: without its key nobody reads what it holds.
                }
                it.closeAndWait()
            }
            device = null
            withContext(Dispatchers.IO) {
                remains()
                attempts.right()
            }
        }
    }

    /** Deletes what is left of a store without a key. */
    private fun remains() = folder.listFiles { file -> file.name.startsWith(STORE) }.orEmpty().forEach(File::delete)

    private companion object {
        /** The store, and what the engine keeps beside it, begin so. */
        const val STORE = "fieldgrid."
    }
}
