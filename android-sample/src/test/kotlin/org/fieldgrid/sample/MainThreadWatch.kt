package org.fieldgrid.sample

import java.lang.management.ManagementFactory
import java.util.concurrent.TimeUnit.MILLISECONDS
import java.util.concurrent.locks.LockSupport
import kotlin.concurrent.thread

/**
 * Watches the main thread: twice in a millisecond it looks at what is on its stack, and takes the time during which the engine, or a wait for anything
 * but the looper's next message, stays on it.
 *
 * It needs no help of what it watches, so nothing can be called around it: not a blocking call that was forgotten, not a `runBlocking`, not the engine's
 * own code in a callback.
 */
class MainThreadWatch(private val main: Thread = Thread.currentThread()) : AutoCloseable {
    /** The main thread was held for [ms]; the stack says where. */
    data class Held(val ms: Double, val stack: List<StackTraceElement>) {
        override fun toString() = "%.1f ms\n%s".format(ms, stack.take(STACK).joinToString("\n") { "    at $it" })
    }

    private val found = mutableListOf<Held>()

    @Volatile
    private var running = true

    /** How often it looked. A watch that seldom looks sees little. */
    @Volatile
    var looks = 0
        private set

    private val watcher = thread(name = "main thread watch", isDaemon = true, priority = Thread.MAX_PRIORITY) { watch() }

    /** Every time the main thread was held longer than [LONGEST_MS], so far. */
    fun held(): List<Held> = synchronized(found) { found.toList() }

    override fun close() {
        running = false
        watcher.join()
    }

    private fun watch() {
        val threads = ManagementFactory.getThreadMXBean()
        var held = 0L
        var seen = 0
        var stack: List<StackTraceElement> = emptyList()
        var lookedAt = System.nanoTime()
        var cpuThen = threads.getThreadCpuTime(main.id)
        while (running) {
            val frames = main.stackTrace.asList()
            val waits = main.state != Thread.State.RUNNABLE || frames.firstOrNull()?.isNativeMethod == true
            val now = System.nanoTime()
            val cpu = threads.getThreadCpuTime(main.id)
            looks++
            if (frames.any(::holds) && frames.none(::loads)) {
                // A thread that could run and was not let to, on a busy machine, is held by nobody.
                if (seen++ > 0) held += if (waits) now - lookedAt else cpu - cpuThen
                stack = frames
            } else if (seen > 0) {
                report(held, seen, stack)
                seen = 0
                held = 0
            }
            lookedAt = now
            cpuThen = cpu
            LockSupport.parkNanos(PERIOD_NANOS)
        }
        report(held, seen, stack)
    }

    private fun report(nanos: Long, seen: Int, stack: List<StackTraceElement>) {
        // Two looks, however far apart, may be two short calls.
        val ms = nanos / MILLISECONDS.toNanos(1).toDouble()
        if (seen > 2 && ms > LONGEST_MS) synchronized(found) { found += Held(ms, stack) }
    }

    private fun holds(frame: StackTraceElement): Boolean = ENGINE.any(frame.className::startsWith) && NOT_IT.none(frame.className::startsWith)

    /** Robolectric rewrites each class when it is first used, for many milliseconds. A phone's classes lie ready. */
    private fun loads(frame: StackTraceElement): Boolean = frame.className == "java.lang.ClassLoader"

    companion object {
        const val LONGEST_MS = 5.0
        private const val PERIOD_NANOS = 500_000L
        private const val STACK = 25

        /** The sample itself, and the server's process, which no phone waits for. */
        private val NOT_IT = listOf("org.fieldgrid.sample.", "org.fieldgrid.Town")

        /** The engine's Kotlin and what calls into Rust; a coroutine that is waited for in place. */
        private val ENGINE = listOf("org.fieldgrid.", "uniffi.", "com.sun.jna.", "kotlinx.coroutines.BlockingCoroutine")
    }
}
