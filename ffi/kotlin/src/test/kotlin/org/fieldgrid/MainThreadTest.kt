package org.fieldgrid

import com.sun.jna.NativeLibrary
import java.util.concurrent.TimeUnit.MILLISECONDS
import kotlin.concurrent.thread
import kotlin.test.AfterTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext

/**
 * No call holds its caller's thread for more than five milliseconds; and a call that did would be seen. Each is made many times, and of the longest pieces of
 * work of all times the median counts: what a call does it does each time, and what a machine does to it now and then. Of 40 pieces of one millisecond, each on a
 * machine with four busy threads a core, five took more than seven.
 */
class MainThreadTest : Phones() {
    @AfterTest
    fun close() = town.close()

    @Test
    fun noCallHoldsItsCallersThread() = day {
        val main = MainThread()
        main.use {
            withContext(main) { useEverything(main) }
        }
        val pieces = main.pieces
        println("main thread: ${pieces.size} pieces, the longest ${pieces.take(5)}; by call ${medians(pieces).take(5)}")
        assertTrue(pieces.size > 1_000)
        assertEquals(emptyList(), medians(pieces).filter { it.nanos > LONGEST })
    }

    /** The median of each kind of call, the longest first; of each call its longest piece. [MainThread.Piece.what] is the kind, and after a `#` which of them. */
    private fun medians(pieces: List<MainThread.Piece>): List<MainThread.Piece> {
        val calls = pieces.groupBy { it.what }.values.map { call -> call.maxBy { it.nanos } }
        val kinds = calls.groupBy { it.what.substringBefore('#') }.values
        // The first time of anything loads its classes.
        return kinds.filter { it.size >= FEW }.map { kind -> kind.sortedBy { it.nanos }[kind.size / 2] }.sortedByDescending { it.nanos }
    }

    private suspend fun useEverything(main: MainThread) = coroutineScope {
        var calls = 0
        suspend fun <T> call(what: String, call: suspend () -> T): T {
            main.doing = "$what#${++calls}"
            return call().also { main.doing = "watching#$calls" }
        }
        val phone = call("open") { open("a") }
        val invite = withContext(kotlinx.coroutines.Dispatchers.IO) { town.invite() }
        call("enrol") { phone.enrol(invite) }
        call("start") { phone.start() }
        val case = call("report") { phone.report(manhole()) }
        val household = call("addHousehold") { phone.addHousehold(household(), listOf(head())) }
        val person = checkNotNull(call("household") { phone.household(household) }).persons.single().id
        val flows: List<Flow<*>> = listOf(phone.observeToday(), phone.observeStatus(), phone.observeCase(case), phone.observeHouseholds(), phone.observeHousehold(household), phone.observeVisits(), phone.observeRefused())
        val watching = flows.map { launch { it.collect {} } }
        for (n in 1..ROUNDS) {
            call("report") { phone.report(manhole("第${n}处")) }
            call("act") { phone.act(case, ActionKind.SUPPLEMENT, ActionFields(text = "第${n}次")) }
            call("editHousehold") { phone.editHousehold(household, FieldEdit("note" to "第${n}次")) }
            call("visit") { phone.visit(household, Visit(VisitKind.ROUTINE, VisitResult.MET)) }
            call("case") { phone.case(case) }
            call("cases") { phone.cases() }
            call("household") { phone.household(household) }
            call("households") { phone.households() }
            call("visits") { phone.visits() }
            call("search") { phone.search("井盖") }
            call("status") { phone.status() }
            call("refused") { phone.refused() }
            call("names") { phone.names() }
            call("grids") { phone.grids() }
            call("idNumberFits") { idNumberFits("610799194509300025") }
            call("wake") { phone.wake() }
            call("words") { caseCategories.values.map { it.words } + CaseState.entries.map { it.words } }
        }
        repeat(FEW) {
            call("setIdNumber") { phone.setIdNumber(household, person, "610799194509300025") }
            call("revealIdNumber") { phone.revealIdNumber(household, person, RevealReason.IDENTITY) }
            call("syncNow") { phone.syncNow() }
            call("stop") { phone.stop() }
            call("start") { phone.start() }
        }
        watching.forEach { it.cancel() }
        call("close") { phone.close() }
        repeat(FEW) {
            val again = call("open") { open("a") }
            call("close") { again.close() }
        }
    }

    @Test
    fun whatHoldsAThreadIsSeen() = day {
        val nap = NativeLibrary.getInstance("c").getFunction("usleep")
        val lock = Any()
        val ways = mapOf<String, () -> Unit>(
            "sleeping" to { Thread.sleep(TOO_LONG) },
            "computing" to { spin() },
            "standing in native code" to { nap.invokeInt(arrayOf(TOO_LONG.toInt() * 1_000)) },
            "waiting for a lock" to {
                val held = java.util.concurrent.CountDownLatch(1)
                thread {
                    synchronized(lock) {
                        held.countDown()
                        Thread.sleep(TOO_LONG)
                    }
                }
                held.await()
                synchronized(lock) {}
            },
            "waiting for a coroutine" to { runBlocking { kotlinx.coroutines.delay(TOO_LONG) } },
        )
        for ((way, hold) in ways) {
            val main = MainThread()
            main.use { withContext(main) { hold() } }
            assertTrue(main.pieces.first().nanos > LONGEST, "$way: ${main.pieces}")
        }
    }

    @Test
    fun aBusyMachineHoldsNobody() = day {
        val busy = (1..4 * Runtime.getRuntime().availableProcessors()).map { thread { repeat(20) { spin() } } }
        val main = MainThread()
        main.use {
            repeat(ROUNDS) { round ->
                main.doing = "computing#$round"
                withContext(main) { spin(MILLISECONDS.toNanos(1)) }
            }
        }
        busy.forEach { it.join() }
        println("busy machine: ${main.pieces.take(5)}")
        assertEquals(emptyList(), medians(main.pieces).filter { it.nanos > LONGEST })
    }

    /** Computes for so long, by the thread's own time. */
    private fun spin(nanos: Long = MILLISECONDS.toNanos(TOO_LONG)) {
        val clock = java.lang.management.ManagementFactory.getThreadMXBean()
        val end = clock.currentThreadCpuTime + nanos
        while (clock.currentThreadCpuTime < end) Thread.onSpinWait()
    }

    private companion object {
        val LONGEST = MILLISECONDS.toNanos(5)
        const val TOO_LONG = 10L
        const val ROUNDS = 40
        const val FEW = 5
    }
}
