package org.fieldgrid.sample

import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.async

/** The saves of all screens. They outlive their screens: one that is made anew finds its save here, and does not begin it again. */
class Saves {
    private val scope = MainScope()
    private val saves = mutableMapOf<String, Deferred<Any>>()

    operator fun contains(screen: String): Boolean = screen in saves

    fun begin(screen: String, save: suspend () -> Any) {
        // At once: it reads from a screen that may be gone soon.
        saves[screen] = scope.async(start = CoroutineStart.UNDISPATCHED) { save() }
    }

    /** Waits for the end of a screen's save, and gives what came of it, once. Who is cancelled meanwhile leaves it to the next. */
    suspend fun end(screen: String): Any {
        val save = saves.getValue(screen)
        save.join()
        saves -= screen
        return save.await()
    }

    /** Nobody waits for it any more; it goes on. */
    fun leave(screen: String) {
        saves -= screen
    }
}
