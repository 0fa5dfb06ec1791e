package org.fieldgrid.sample.keys

import java.io.File
import java.util.concurrent.TimeUnit.HOURS
import java.util.concurrent.TimeUnit.SECONDS

/**
 * Counts wrong PINs: five are free, then each has to wait, half a minute first, twice as long after each further one, an hour at most. It keeps a thumb from
 * trying them all, and destroys nothing.
 *
 * An attempt is written down before it is made, so ending the process in between helps nobody. The time is the one that the phone has been [running] for,
 * which nobody can set; after a restart only what has passed since then counts.
 */
class Attempts(private val file: File, private val running: () -> Long) {
    private data class Told(val wrong: Int, val at: Long)

    /** How many were wrong, one after the other. */
    val wrong: Int get() = told().wrong

    /** How long the next one has to wait, milliseconds. */
    fun wait(): Long {
        val (wrong, at) = told()
        if (wrong < FREE) return 0
        val wait = (FIRST_MS shl (wrong - FREE).coerceAtMost(DOUBLED)).coerceAtMost(LONGEST_MS)
        val now = running()
        val passed = if (now < at) now else now - at
        return (wait - passed).coerceAtLeast(0)
    }

    /** An attempt is about to be made: it is a wrong one, unless it is said to be [right] or [untold]. */
    fun begin() = tell(Told(wrong + 1, running()))

    fun right() {
        file.delete()
    }

    /** Whether the last attempt was right could not be told. */
    fun untold() = told().let { tell(it.copy(wrong = it.wrong - 1)) }

    private fun tell(told: Told) = file.writeWhole("${told.wrong} ${told.at}".toByteArray())

    private fun told(): Told {
        if (!file.exists()) return Told(0, 0)
        val (wrong, at) = file.readText().split(" ").map(String::toLongOrNull).let { it.getOrNull(0) to it.getOrNull(1) }
        // What cannot be read was not written here.
        return if (wrong == null || at == null) Told(FREE, running()) else Told(wrong.toInt(), at)
    }

    private companion object {
        const val FREE = 5
        val FIRST_MS = SECONDS.toMillis(30)
        val LONGEST_MS = HOURS.toMillis(1)
        const val DOUBLED = 7
    }
}
