package org.fieldgrid.sample

import java.util.UUID
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.async

/** The saves of all screens. They outlive their screens: one that is made anew finds its save here, and does not begin it again. */
class Saves {
    private val scope = MainScope()
    private val saves = mutableMapOf<UUID, Deferred<Any>>()

    operator fun contains(form: UUID): Boolean = form in saves

    fun begin(form: UUID, save: suspend () -> Any) {
        // At once: it reads from a screen that may be gone soon.
        saves[form] = scope.async(start = CoroutineStart.UNDISPATCHED) { save() }
    }

    /** Waits for the end of a screen's save, and gives what came of it, once. Who is cancelled meanwhile leaves it to the next. */
    suspend fun end(form: UUID): Any {
        val save = saves.getValue(form)
        save.join()
        saves -= form
        return save.await()
    }

    /** Nobody waits for it any more; it goes on. */
    fun leave(form: UUID) {
        saves -= form
    }
}
