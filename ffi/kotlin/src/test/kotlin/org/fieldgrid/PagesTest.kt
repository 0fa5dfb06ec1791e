package org.fieldgrid

import java.util.concurrent.TimeUnit.SECONDS
import java.util.concurrent.atomic.AtomicInteger
import java.util.concurrent.atomic.AtomicReference
import kotlin.test.AfterTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlinx.coroutines.CoroutineExceptionHandler
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.onCompletion
import kotlinx.coroutines.flow.onStart
import kotlinx.coroutines.job
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout

/** A list as one scrolls through it, on the real engine. */
class PagesTest : Phones() {
    @AfterTest
    fun close() = town.close()

    /** A screen of ten rows. */
    private inner class Screen(scope: CoroutineScope, phone: Fieldgrid) {
        private val watched = AtomicInteger()
        private val pages = Pages(HouseholdRow::id) { after ->
            phone.observeHouseholds(after = after).onStart { watched.incrementAndGet() }.onCompletion { watched.decrementAndGet() }
        }
        private val rows = MutableStateFlow(Pages.Rows<HouseholdRow>(emptyList(), true))
        private val collecting = scope.launch { pages.rows.collect { rows.value = it } }

        val addresses get() = rows.value.list.map { it.address }

        suspend fun at(row: Int): List<HouseholdRow> {
            pages.look(row, row + 9)
            return shows { it.list.size > row + 9 || !it.more }.list.drop(row).take(10).also { fewAreWatched() }
        }

        suspend fun shows(what: (Pages.Rows<HouseholdRow>) -> Boolean) = rows.becomes(what)

        suspend fun leave() = collecting.cancelAndJoin()

        /** What is left behind is watched no more; it ends in its own time. */
        private suspend fun fewAreWatched() = withTimeout(30_000) { while (watched.get() > FEW) delay(1) }
    }

    @Test
    fun aLongListIsWatchedWhereOneLooks() = day {
        phone("a").use { phone ->
            for (n in 1..HOUSEHOLDS) phone.addHousehold(household("民主街%04d号".format(n)))
            coroutineScope {
                val screen = Screen(this, phone)
                var row = 0
                while (screen.shows { it.list.isNotEmpty() }.let { it.more || row < it.list.size - 10 }) {
                    screen.at(row)
                    row += 10
                }
                val all = phone.everything()
                assertEquals(HOUSEHOLDS, all.size)
                assertEquals(all.map { it.address }, screen.addresses)

                // What changes where one looks is shown: the latest change comes first, so it is gone from here.
                val edited = screen.at(HOUSEHOLDS - 10)[4].id
                phone.editHousehold(edited, FieldEdit("phone" to "12012345678"))
                screen.shows { rows -> rows.list.none { it.id == edited } }

                // What came meanwhile at the other end is there when one comes to it; nothing is missing or twice on the way.
                for (n in 1..70) phone.addHousehold(household("劳动路%04d号".format(n)))
                val now = phone.everything().map { it.address }
                for (at in HOUSEHOLDS downTo 0 step 100) screen.at(at)
                for (at in 0 until now.size step 10) {
                    screen.at(at)
                    screen.shows { rows -> rows.list.map { it.address }.drop(at).take(10) == now.drop(at).take(10) }
                }
                assertEquals(now, screen.addresses)
                screen.leave()
            }
        }
    }

    @Test
    fun whoComesBackGoesOnWhereHeWas() = day {
        phone("a").use { phone ->
            for (n in 1..120) phone.addHousehold(household("民主街%04d号".format(n)))
            val pages = Pages(HouseholdRow::id) { after -> phone.observeHouseholds(after = after) }
            pages.look(105, 114)
            assertEquals(120, pages.rows.first { !it.more }.list.size)
            phone.addHousehold(household("民主街0121号"))
            val first = pages.rows.first()
            assertEquals(120, first.list.size, "nothing that was loaded is loaded again before it is shown")
            pages.look(0, 9)
            pages.rows.first { it.list.first().address == "民主街0121号" }
        }
    }

    /** A screen that is left and comes back at once does not wait until its collector has ended, and that may just be taking a page. */
    @Test
    fun whoComesBackAtOnceDisturbsNobody() = runBlocking(Dispatchers.Default) {
        var even = false
        val pages = Pages<Int>({ it }) { after ->
            flow {
                while (true) {
                    even = !even
                    emit(Page(listOf(after?.n?.toInt() ?: 0), PageToken(0, (after?.n ?: 0) + 1).takeIf { even }))
                }
            }
        }
        pages.look(0, 20)
        val failed = AtomicReference<Throwable>()
        val screen = CoroutineScope(SupervisorJob() + CoroutineExceptionHandler { _, why -> failed.set(why) })
        val end = System.nanoTime() + SECONDS.toNanos(3)
        var seen = 0
        while (System.nanoTime() < end && failed.get() == null) {
            val collecting = screen.launch { pages.rows.collect { seen++ } }
            delay(1)
            collecting.cancel()
        }
        screen.coroutineContext.job.cancelAndJoin()
        assertNull(failed.get(), failed.get()?.stackTraceToString())
        assertTrue(seen > 0)
    }

    private suspend fun Fieldgrid.everything(): List<HouseholdRow> = buildList {
        var page = households(limit = 500)
        addAll(page.rows)
        while (page.next != null) page = households(limit = 500, after = page.next).also { addAll(it.rows) }
    }

    private companion object {
        const val HOUSEHOLDS = 1_000

        /** Pages: ten rows and 25 beside them on either side, 50 a page. */
        const val FEW = 4
    }
}
