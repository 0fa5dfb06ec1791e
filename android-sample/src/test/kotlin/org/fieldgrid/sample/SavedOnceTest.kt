package org.fieldgrid.sample

import android.app.Activity
import android.content.Context
import android.content.Intent
import android.os.Bundle
import android.os.Looper
import android.view.View
import android.widget.TextView
import java.util.UUID
import kotlin.test.BeforeTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.runBlocking
import org.fieldgrid.ActionFields
import org.fieldgrid.ActionKind
import org.fieldgrid.CaseDetail
import org.fieldgrid.FieldEdit
import org.fieldgrid.Fieldgrid
import org.fieldgrid.FieldgridException
import org.fieldgrid.HouseholdDetail
import org.fieldgrid.Visit
import org.fieldgrid.Words
import org.fieldgrid.fake.FakeFieldgrid
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.Config

/** A screen that is made anew while it saves waits for that save, and one whose process ended is told of it: nothing is saved twice. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestApp::class, qualifiers = "en-w480dp-h800dp-mdpi")
class SavedOnceTest {
    /** Each save waits until the test lets it go on. */
    private class Slow(fake: Fieldgrid = Fake()) : Fieldgrid by fake {
        val saves = mutableListOf<CompletableDeferred<String>>()

        override suspend fun report(fields: ActionFields, form: UUID?) = saved()
        override suspend fun visit(household: String, visit: Visit, form: UUID?) = saved()
        override suspend fun addHousehold(fields: FieldEdit, persons: List<FieldEdit>, form: UUID?) = saved()

        private suspend fun saved() = CompletableDeferred<String>().also(saves::add).await()
    }

    /** A process with what is durable in [store]; it ends before it hears that it saved, when it [ends]. */
    private class Process(private val store: Fieldgrid, private val ends: Boolean) : Fieldgrid by store {
        override suspend fun report(fields: ActionFields, form: UUID?) = saved(store.report(fields, form))
        override suspend fun act(case: String, kind: ActionKind, fields: ActionFields, form: UUID?) = saved(store.act(case, kind, fields, form))
        override suspend fun visit(household: String, visit: Visit, form: UUID?) = saved(store.visit(household, visit, form))
        override suspend fun addHousehold(fields: FieldEdit, persons: List<FieldEdit>, form: UUID?) = saved(store.addHousehold(fields, persons, form))
        override suspend fun editHousehold(id: String, fields: FieldEdit, persons: Map<String, FieldEdit>, form: UUID?) = saved(store.editHousehold(id, fields, persons, form))
        override suspend fun addPerson(household: String, fields: FieldEdit, form: UUID?) = saved(store.addPerson(household, fields, form))
        override fun close() = Unit

        private suspend fun <T> saved(saved: T): T = if (ends) awaitCancellation() else saved
    }

    private class Filled(val intent: (Context) -> Intent, val save: Int, val next: Class<*>?, val fill: (Activity) -> Unit)

    private val forms = listOf(
        Filled({ Intent(it, ReportActivity::class.java) }, R.id.send, null) {
            it.tap("Public facilities")
            it.type(R.id.words, "路口井盖破损")
            it.type(R.id.place, "劳动路口")
        },
        Filled({ VisitActivity.of(it, "h1") }, R.id.save, null) { it.tap("Not at home") },
        Filled({ Intent(it, AddHouseholdActivity::class.java) }, R.id.save, HouseholdActivity::class.java) {
            it.type(it.fieldOf(R.string.household_address), "劳动路12号3号楼2单元602")
            it.type(it.fieldOf(R.string.household_head), "赵大勇")
        },
    )

    private val others = listOf(
        Filled({ ActActivity.of(it, "2", Act.REQUEST_EXTENSION) }, R.id.save, null) { it.type(it.fieldOf(R.string.act_reason), "等材料") },
        Filled({ VisitActivity.of(it, "h1") }, R.id.save, null) {
            it.tap("Not at home")
            it.tap("In a month")
        },
        Filled({ EditActivity.of(it, "h1", HouseholdField.NOTE, "养狗") }, R.id.save, null) { it.type(it.fieldOf("Note"), "养狗，拴着") },
        Filled({ AddPersonActivity.of(it, "h1") }, R.id.save, null) { it.type(it.fieldOf(R.string.person_name), "赵小雨") },
    )

    private val app get() = RuntimeEnvironment.getApplication() as TestApp
    private val engine = Slow()

    @BeforeTest
    fun unlocked() {
        TestApp.engine = { _, _ -> engine }
        runBlocking { app.phone.unlock("246810".toCharArray()) }
    }

    @Test
    fun `a turn while it saves`() = forms.forEach { form ->
        val screen = saving(form)
        repeat(2) {
            screen.turn()
            idle()
            screen.get().press(form.save)
            idle()
        }
        assertEquals(1, engine.saves.size, "saved again by ${screen.get()}")
        assertFalse(screen.get().isFinishing, "it is not saved yet")
        engine.saves.single().complete("h9")
        closes(screen, form)
    }

    @Test
    fun `what could not be saved is told to the screen that is there, and may be saved again`() = forms.forEach { form ->
        val screen = saving(form)
        screen.turn()
        engine.saves.single().completeExceptionally(FieldgridException.Storage(Words("存储已满", "Storage is full"), full = true))
        idle()
        assertEquals("Storage is full", screen.get().requireViewById<TextView>(R.id.error).text.toString())
        screen.get().press(form.save)
        idle()
        assertEquals(2, engine.saves.size)
        engine.saves.last().complete("h9")
        closes(screen, form)
    }

    @Test
    fun `a screen that was given up behind another app, and comes back when it is saved`() = forms.forEach { form ->
        val screen = saving(form)
        val state = Bundle()
        screen.pause().stop().saveInstanceState(state).destroy()
        engine.saves.single().complete("h9")
        idle()
        assertNull(shadowOf(app).nextStartedActivity, "nothing comes in front of another app")
        val back = build(form.intent(app)).create(state).start().restoreInstanceState(state).resume()
        idle()
        closes(back, form)
    }

    @Test
    fun `who goes back does not wait, and begins anew`() {
        val form = forms.last()
        val screen = saving(form)
        screen.get().finish()
        screen.pause().stop().destroy()
        engine.saves.single().complete("h9")
        idle()
        assertNull(shadowOf(app).nextStartedActivity)
        val other = build(form.intent(app)).setup()
        assertTrue(other.get().requireViewById<View>(form.save).isEnabled)
    }

    @Test
    fun `a process that ended after the save`() = (forms + others).forEach { form ->
        val store = store()
        val back = ended(form, store)
        assertFalse(back.get().isFinishing, "it does not know yet")
        back.get().press(form.save)
        closes(back, form)
        assertEquals(1, runBlocking { store.status().unsent }, "saved again by ${back.get()}")
    }

    @Test
    fun `what was changed after that is not passed over, and may be saved as well`() {
        val form = forms.first()
        val store = store()
        val back = ended(form, store)
        back.get().type(R.id.words, "路口井盖破损，有人绊倒")
        back.get().press(form.save)
        idle()
        assertFalse(back.get().isFinishing)
        assertTrue("saved already" in back.get().requireViewById<TextView>(R.id.error).text)
        assertEquals(1, runBlocking { store.status().unsent })
        back.get().press(form.save)
        closes(back, form)
        assertEquals(2, runBlocking { store.status().unsent })
    }

    @Test
    fun `a field that is typed back to what it was, when something else may be saved`() {
        val form = Filled({ EditActivity.of(it, "h1", HouseholdField.NOTE, "养狗") }, R.id.save, null) { it.type(it.fieldOf("Note"), "养狗，拴着") }
        val back = ended(form, store())
        back.get().type(back.get().fieldOf("Note"), "养狗")
        back.get().press(form.save)
        idle()
        assertFalse(back.get().isFinishing)
        assertTrue("saved already" in back.get().requireViewById<TextView>(R.id.error).text)
    }

    private fun store() = FakeFieldgrid().apply {
        online = false
        put(CaseDetail(Sample.cases[1]))
        put(HouseholdDetail(Sample.households[0], persons = Sample.persons))
    }

    /** The form as it comes back an hour after it was saved, in another process. */
    private fun ended(form: Filled, store: Fieldgrid): ActivityController<Activity> {
        enter(Process(store, ends = true), NOON)
        val screen = build(form.intent(app)).setup()
        idle()
        form.fill(screen.get())
        screen.get().press(form.save)
        idle()
        assertEquals(1, runBlocking { store.status().unsent }, "${screen.get()} saved")
        val state = Bundle()
        screen.pause().stop().saveInstanceState(state).destroy()
        app.saves = Saves()
        enter(Process(store, ends = false), NOON + 3_600_000)
        return build(form.intent(app)).create(state).start().restoreInstanceState(state).resume().visible().also { idle() }
    }

    private fun enter(process: Fieldgrid, now: Long) {
        app.phone.lock()
        TestApp.clock = { now }
        TestApp.engine = { _, _ -> process }
        runBlocking { app.phone.unlock("246810".toCharArray()) }
    }

    private fun saving(form: Filled): ActivityController<Activity> {
        engine.saves.clear()
        val screen = build(form.intent(app)).setup()
        idle()
        form.fill(screen.get())
        screen.get().press(form.save)
        idle()
        assertEquals(1, engine.saves.size, "${screen.get()} saves")
        return screen
    }

    private fun closes(screen: ActivityController<Activity>, form: Filled) {
        idle()
        assertTrue(screen.get().isFinishing, "${screen.get()} is done")
        assertEquals(form.next?.name, shadowOf(app).nextStartedActivity?.component?.className)
        assertNull(shadowOf(app).nextStartedActivity, "once")
        screen.pause().stop().destroy()
    }

    /** A finger cannot press what is disabled. */
    private fun Activity.press(id: Int) = requireViewById<View>(id).run { if (isEnabled) performClick() }

    @Suppress("UNCHECKED_CAST")
    private fun build(intent: Intent) = Robolectric.buildActivity(Class.forName(checkNotNull(intent.component).className) as Class<Activity>, intent)

    private fun idle() = shadowOf(Looper.getMainLooper()).idle()
}
