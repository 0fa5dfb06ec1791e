package org.fieldgrid.sample

import java.io.File
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext
import org.fieldgrid.Fieldgrid
import org.fieldgrid.FieldgridException
import org.fieldgrid.Words
import org.fieldgrid.sample.keys.KeysLost
import org.fieldgrid.sample.keys.StoreKeys

/** What became of an attempt to open the store. */
sealed interface Unlocked {
    data object Open : Unlocked

    /** Nothing was changed. */
    data object WrongPin : Unlocked

    data object KeysLost : Unlocked

    data class Failed(val why: Words) : Unlocked
}

/** The phone's store: locked until the PIN is known, then open as long as the process lives. */
class Phone(private val keys: StoreKeys, private val folder: File, private val open: suspend (store: File, key: ByteArray) -> Fieldgrid) {
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

    /** Opens the store with the PIN; a first PIN makes it. */
    suspend fun unlock(pin: CharArray): Unlocked = unlocking.withLock {
        if (device != null) return Unlocked.Open
        try {
            val key = withContext(Dispatchers.Default) { if (keys.exist) keys.open(pin) else keys.create(pin) }
            device = open(File(folder, "fieldgrid.db"), key)
            if (enrolled()) engine.start()
            Unlocked.Open
        } catch (_: FieldgridException.WrongKey) {
            Unlocked.WrongPin
        } catch (_: KeysLost) {
            Unlocked.KeysLost
        } catch (failed: FieldgridException) {
            Unlocked.Failed(failed.words)
        }
    }

    /** Closes the store; the PIN opens it again. */
    fun lock() {
        device?.close()
        device = null
    }
}
