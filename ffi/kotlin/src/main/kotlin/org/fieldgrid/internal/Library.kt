package org.fieldgrid.internal

import org.fieldgrid.FieldgridException
import org.fieldgrid.Words

/**
 * The engine's library. Whoever calls into it first initialises it, and no second thread touches JNA meanwhile: two first calls at once wait for each
 * other's classes for ever (JNA 5.18). So every way into the bindings comes through here.
 */
internal object Library {
    private val lock = Any()

    @Volatile
    private var ready = false

    private var failure: Throwable? = null

    /** Returns when the library is ready. */
    fun ready() {
        if (ready) return
        synchronized(lock) {
            failure?.let { throw missing(it) }
            if (ready) return
            try {
                org.fieldgrid.ffi.uniffiEnsureInitialized()
                ready = true
            } catch (error: LinkageError) {
                failure = error
                throw missing(error)
            } catch (error: RuntimeException) {
                // It was built from other sources than these bindings.
                failure = error
                throw missing(error)
            }
        }
    }

    private fun missing(cause: Throwable) = FieldgridException.LibraryMissing(
        Words("应用安装不完整，请重新安装", "The app is not installed completely; install it again"),
        cause,
    )
}
