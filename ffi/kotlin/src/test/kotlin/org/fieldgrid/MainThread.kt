package org.fieldgrid

import java.nio.file.Files
import java.nio.file.Path
import java.util.concurrent.Callable
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit.MILLISECONDS
import java.util.concurrent.TimeUnit.SECONDS
import java.util.concurrent.locks.LockSupport
import kotlin.concurrent.thread
import kotlin.coroutines.CoroutineContext
import kotlinx.coroutines.CoroutineDispatcher

/**
 * A main thread, which takes how long each piece of work holds it: everything between the work's first and last instruction, whether it computes, waits for
 * a lock, sleeps or stands in native code. Only what nobody's code can help is left out: that a busy machine gave the thread no processor, and that the
 * whole process stood still, as for the collector of garbage.
 */
class MainThread : CoroutineDispatcher(), AutoCloseable {
    /** [what] held the thread for [nanos]. */
    data class Piece(val what: String, val nanos: Long) {
        override fun toString() = "%s %.1f ms".format(what, nanos / MILLISECONDS.toNanos(1).toDouble())
    }

    private val thread = Executors.newSingleThreadExecutor()
    private val queue = thread.submit(Callable { RunQueue() }).get()
    private val pauses = Pauses()
    private class Taken(val what: String, val from: Long, val to: Long, val queued: Long)

    private val taken = ConcurrentLinkedQueue<Taken>()

    /** What the thread is doing from now on. */
    @Volatile
    var doing = ""

    /** All pieces so far, the longest first. A pause is known only when it is over, so this is asked for afterwards. */
    val pieces: List<Piece> get() = taken.map { Piece(it.what, it.to - it.from - it.queued - pauses.between(it.from, it.to)) }.sortedByDescending { it.nanos }

    override fun dispatch(context: CoroutineContext, block: Runnable) = thread.execute {
        val what = doing
        val waited = queue.nanos
        val from = System.nanoTime()
        block.run()
        val to = System.nanoTime()
        taken += Taken(what, from, to, queue.nanos - waited)
    }

    override fun close() {
        thread.shutdown()
        // Who waited for a piece goes on before the piece is noted.
        check(thread.awaitTermination(10, SECONDS))
        pauses.close()
    }
}

/** How long the thread that makes it has waited for a processor, in all. Linux tells; elsewhere it is nothing. */
class RunQueue {
    private val told = Path.of("/proc/thread-self").takeIf { Files.exists(it) }?.let { Path.of("/proc", Files.readSymbolicLink(it).toString(), "schedstat") }

    val nanos: Long get() = told?.let { Files.readString(it).split(" ")[1].toLong() } ?: 0
}

/** When the whole process stood still: seen by a thread that only naps. */
class Pauses : AutoCloseable {
    private class Pause(val from: Long, val to: Long, val nanos: Long)

    private val seen = ConcurrentLinkedQueue<Pause>()

    @Volatile
    private var running = true
    private val sleeper = thread(name = "pauses", isDaemon = true, priority = Thread.MAX_PRIORITY) { watch() }

    /** How much of a span of `System.nanoTime` it stood still. */
    fun between(from: Long, to: Long): Long = seen.sumOf { minOf(it.nanos, maxOf(0L, minOf(to, it.to) - maxOf(from, it.from))) }

    override fun close() {
        running = false
        sleeper.join()
    }

    private fun watch() {
        val queue = RunQueue()
        while (running) {
            val waited = queue.nanos
            val from = System.nanoTime()
            LockSupport.parkNanos(NAP)
            val to = System.nanoTime()
            val overslept = to - from - NAP - (queue.nanos - waited)
            if (overslept > NAP) seen += Pause(from, to, overslept)
        }
    }

    private companion object {
        val NAP = MILLISECONDS.toNanos(1)
    }
}
