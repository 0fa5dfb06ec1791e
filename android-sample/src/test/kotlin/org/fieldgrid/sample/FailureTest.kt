package org.fieldgrid.sample

import android.content.Intent
import android.view.View
import android.widget.TextView
import kotlin.test.BeforeTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.runBlocking
import org.fieldgrid.Fieldgrid
import org.fieldgrid.FieldgridException
import org.fieldgrid.HouseholdFilter
import org.fieldgrid.Page
import org.fieldgrid.PageToken
import org.fieldgrid.SyncResult
import org.fieldgrid.Words
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

/** A screen that cannot show what it is for says why, and shows it as soon as it can. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestApp::class, qualifiers = "en-w480dp-h800dp-mdpi")
class FailureTest {
    private class Locked(private val fake: Fieldgrid = Fake()) : Fieldgrid by fake {
        var locked = true

        override fun observeHouseholds(filter: HouseholdFilter, limit: Int, after: PageToken?) = flow {
            if (locked) throw FieldgridException.Locked(Words("住户已锁定", "Households are locked"))
            emit(Page(Sample.households))
        }

        override suspend fun syncNow(): SyncResult = throw FieldgridException.Storage(Words("存储已满", "Storage is full"))
    }

    private val app get() = RuntimeEnvironment.getApplication() as TestApp
    private val engine = Locked()

    @BeforeTest
    fun unlocked() {
        TestApp.clock = { NOON }
        TestApp.engine = { _, _ -> engine }
        runBlocking { app.phone.unlock("246810".toCharArray()) }
    }

    @Test
    fun `locked households`() {
        val screen = Robolectric.buildActivity(HouseholdsActivity::class.java, Intent(app, HouseholdsActivity::class.java)).setup().get()
        val failure = screen.requireViewById<TextView>(R.id.failure)
        eventually("what is wrong with the list") { failure.text.toString() == "Households are locked" }
        screen.tap(R.id.sync_line)
        eventually("what is wrong with the sync, too") { failure.text.toString() == "Households are locked\nStorage is full" }
        engine.locked = false
        eventually("the list") { "王秀英" in screen.window.decorView.all().filterIsInstance<TextView>().filter(View::isShown).joinToString { it.text } }
        assertEquals("Storage is full", failure.text.toString(), "what was wrong with the list is no longer said")
    }

    @Test
    fun `a store that is closed under a screen`() {
        engine.locked = false
        val list = Robolectric.buildActivity(HouseholdsActivity::class.java, Intent(app, HouseholdsActivity::class.java)).setup()
        app.phone.lock()
        list.pause().stop().restart().start().resume().visible()
        eventually("the list, of the engine that it had") { "王秀英" in list.get().window.decorView.all().filterIsInstance<TextView>().filter(View::isShown).joinToString { it.text } }
        list.pause().stop().destroy()
    }
}
