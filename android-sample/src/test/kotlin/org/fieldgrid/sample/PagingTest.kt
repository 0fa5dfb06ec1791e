package org.fieldgrid.sample

import android.content.Intent
import android.widget.ListView
import android.widget.TextView
import java.util.concurrent.atomic.AtomicInteger
import kotlin.test.Test
import kotlin.test.assertTrue
import kotlinx.coroutines.flow.onCompletion
import kotlinx.coroutines.flow.onStart
import kotlinx.coroutines.runBlocking
import org.fieldgrid.Fieldgrid
import org.fieldgrid.HouseholdDetail
import org.fieldgrid.HouseholdFilter
import org.fieldgrid.HouseholdRow
import org.fieldgrid.PageToken
import org.fieldgrid.fake.FakeFieldgrid
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

/** A list of a thousand is scrolled to its end, and only what is on the screen is watched. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestApp::class, qualifiers = "en-w480dp-h800dp-mdpi")
class PagingTest {
    private class Counting(val fake: FakeFieldgrid = FakeFieldgrid()) : Fieldgrid by fake {
        val watched = AtomicInteger()
        val most = AtomicInteger()

        override fun observeHouseholds(filter: HouseholdFilter, limit: Int, after: PageToken?) = fake.observeHouseholds(filter, limit, after)
            .onStart { most.accumulateAndGet(watched.incrementAndGet(), ::maxOf) }
            .onCompletion { watched.decrementAndGet() }
    }

    private val app get() = RuntimeEnvironment.getApplication() as TestApp

    @Test
    fun `a thousand households`() {
        val engine = Counting()
        for (n in 1..HOUSEHOLDS) engine.fake.put(HouseholdDetail(HouseholdRow("$n", address = "劳动路${n}号")))
        TestApp.engine = { _, _ -> engine }
        runBlocking { app.phone.unlock("246810".toCharArray()) }
        val screen = Robolectric.buildActivity(HouseholdsActivity::class.java, Intent(app, HouseholdsActivity::class.java)).setup().visible()
        val list = screen.get().requireViewById<ListView>(R.id.list)
        eventually("the first page") { list.count > 0 }
        while (list.count < HOUSEHOLDS || list.lastVisiblePosition < HOUSEHOLDS - 1) {
            val before = list.lastVisiblePosition
            list.setSelection(before)
            eventually("what comes after row $before") { list.lastVisiblePosition > before || list.count == HOUSEHOLDS && list.lastVisiblePosition == HOUSEHOLDS - 1 }
        }
        assertTrue(list.all().filterIsInstance<TextView>().any { it.text == "劳动路${HOUSEHOLDS}号" })
        assertTrue(engine.most.get() <= 4, "${engine.most} pages were watched at once")
        screen.pause().stop()
        eventually("that nothing is watched behind") { engine.watched.get() == 0 }
        screen.restart().start().resume()
        eventually("the list where it was") { list.count == HOUSEHOLDS && list.lastVisiblePosition == HOUSEHOLDS - 1 }
    }

    private companion object {
        const val HOUSEHOLDS = 1_000
    }
}
