package org.fieldgrid.sample

import java.io.File
import java.lang.management.ManagementFactory
import java.util.concurrent.TimeUnit.MILLISECONDS
import java.util.concurrent.locks.LockSupport
import kotlin.concurrent.thread
import org.fieldgrid.RunQueue

/**
 * Watches the main thread: twice in a millisecond it looks at what is on its stack, and takes the time during which it stays there
 *
 * - in the engine, or in a coroutine that is waited for in place: what it computes, and what it waits;
 * - in the sample's own code, and in the framework where the sample has called it: what it waits, whether it sleeps or waits for a lock. What they compute says
 *   nothing of a phone: here Robolectric interprets the framework, and the first of everything is loaded.
 *
 * It needs no help of what it watches, so nothing can be called around it. That a busy machine gave the thread no processor counts for nobody. Of a time in which
 * it did not look itself little counts: perhaps the whole process stood still, as for the collector of garbage.
 */
class MainThreadWatch(private val main: Thread = Thread.currentThread()) : AutoCloseable {
    /** The main thread was held for [ms]; the stack says where. */
    data class Held(val ms: Double, val stack: List<StackTraceElement>) {
        override fun toString() = "%.1f ms\n%s".format(ms, stack.take(STACK).joinToString("\n") { "    at $it" })
    }

    private enum class Holder { ENGINE, SAMPLE }

    private val found = mutableListOf<Held>()
    private val queue = RunQueue()
    private val tests = HashMap<String, Boolean>()

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
        var queuedThen = queue.nanos
        while (running) {
            val frames = main.stackTrace.asList()
            val state = main.state
            val now = System.nanoTime()
            val cpu = threads.getThreadCpuTime(main.id)
            val queued = queue.nanos
            looks++
            val holder = holder(frames)
            val blocked = state != Thread.State.RUNNABLE
            if (holder == Holder.ENGINE || holder == Holder.SAMPLE && blocked) {
                val waits = blocked || frames.first().isNativeMethod
                if (seen++ > 0) held += (if (waits) now - lookedAt - (queued - queuedThen) else cpu - cpuThen).coerceIn(0, UNSEEN_NANOS)
                stack = frames
            } else if (seen > 0) {
                report(held, seen, stack)
                seen = 0
                held = 0
            }
            lookedAt = now
            cpuThen = cpu
            queuedThen = queued
            LockSupport.parkNanos(PERIOD_NANOS)
        }
        report(held, seen, stack)
    }

    private fun report(nanos: Long, seen: Int, stack: List<StackTraceElement>) {
        // Two looks, however far apart, may be two short calls.
        val ms = nanos / MILLISECONDS.toNanos(1).toDouble()
        if (seen > 2 && ms > LONGEST_MS) synchronized(found) { found += Held(ms, stack) }
    }

    /** Who of engine and sample is at work: the innermost, where a test's stand-in is whoever calls it. */
    private fun holder(frames: List<StackTraceElement>): Holder? {
        // Robolectric rewrites each class when it is first used, for many milliseconds. A phone's classes lie ready.
        if (frames.any { it.className == "java.lang.ClassLoader" }) return null
        for (frame in frames) {
            val name = frame.className
            when {
                isTest(name) -> Unit
                name.startsWith(SAMPLE) -> return Holder.SAMPLE
                ENGINE.any(name::startsWith) -> return Holder.ENGINE
            }
        }
        return null
    }

    /** Tests are in the sample's package too; and no phone waits for the server's process. */
    private fun isTest(name: String) = name.startsWith(TOWN) ||
        name.startsWith(SAMPLE) && tests.getOrPut(name) { File(TESTS, name.substringBefore("\$\$Lambda").replace('.', '/') + ".class").exists() }

    companion object {
        const val LONGEST_MS = 5.0
        private const val PERIOD_NANOS = 500_000L

        /** What counts between two looks at most: a collection of garbage was 27 ms. */
        private const val UNSEEN_NANOS = 2_500_000L
        private const val STACK = 25
        private const val SAMPLE = "org.fieldgrid.sample."
        private const val TOWN = "org.fieldgrid.Town"
        private const val TESTS = "target/test-classes"

        /** The engine's Kotlin and what calls into Rust; a coroutine that is waited for in place. */
        private val ENGINE = listOf("org.fieldgrid.", "uniffi.", "com.sun.jna.", "kotlinx.coroutines.BlockingCoroutine")
    }
}
