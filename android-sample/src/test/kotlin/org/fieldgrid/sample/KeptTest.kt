package org.fieldgrid.sample

import android.app.Activity
import android.content.Context
import android.content.Intent
import android.os.Bundle
import android.os.Looper
import android.os.Parcel
import android.widget.Button
import android.widget.CompoundButton
import android.widget.EditText
import android.widget.Spinner
import java.time.Duration
import kotlin.test.BeforeTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertIs
import kotlin.test.assertTrue
import kotlinx.coroutines.runBlocking
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.Config

/** What was half typed is still there when the phone was turned, and when the system has ended the process behind another app: after the PIN. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestApp::class, qualifiers = "en-w480dp-h800dp-mdpi")
class KeptTest {
    private class Half(val name: String, val intent: (Context) -> Intent, val type: (Activity) -> Unit, val least: Int)

    private val halves = listOf(
        Half("enrol", { Intent(it, EnrolActivity::class.java) }, { it.type(R.id.invite, "fieldgrid:1?server=") }, 1),
        Half("report", { Intent(it, ReportActivity::class.java) }, {
            it.tap("Public facilities")
            it.type(R.id.words, "路口井盖破损")
            it.type(R.id.place, "劳动路口")
            it.tap("Street lamp out")
        }, 4),
        Half("act", { ActActivity.of(it, "2", Act.FINISH) }, {
            it.tap("Partly solved")
            it.type(it.fieldOf(R.string.act_measure), "已放警示牌")
        }, 2),
        Half("visit", { VisitActivity.of(it, "h1") }, {
            it.tap("Not at home")
            it.tap("Care")
            it.type(it.fieldOf(R.string.visit_needs), "换灯泡")
            it.tap("In a month")
        }, 4),
        Half("edit", { EditActivity.of(it, "h1", HouseholdField.NOTE, "养狗") }, { it.type(it.fieldOf("Note"), "养狗，拴着") }, 1),
        Half("household", { Intent(it, AddHouseholdActivity::class.java) }, {
            it.type(it.fieldOf(R.string.household_address), "劳动路12号3号楼2单元602")
            it.type(it.fieldOf(R.string.household_head), "赵大勇")
            it.type(it.fieldOf(R.string.household_phone), "12012345670")
            repeat(2) { _ -> it.tap("One more person") }
            it.type(it.fieldOf(R.string.person_name), "赵小雨")
            it.type(it.fieldOf(R.string.person_name), "孙梅")
            it.window.decorView.all().filterIsInstance<Spinner>().last().setSelection(1)
        }, 7),
        Half("person", { AddPersonActivity.of(it, "h1") }, { it.type(it.fieldOf(R.string.person_name), "赵小雨") }, 2),
        Half("search", { Intent(it, SearchActivity::class.java) }, { it.type(R.id.typed, "劳动") }, 1),
    )

    private val app get() = RuntimeEnvironment.getApplication() as TestApp

    @BeforeTest
    fun unlocked() {
        TestApp.clock = { NOON }
        TestApp.engine = { _, _ -> Fake() }
        runBlocking { app.phone.unlock(PIN.toCharArray()) }
    }

    @Test
    fun `a turned phone`() = halves.forEach { half ->
        val (screen, typed) = typed(half)
        assertEquals(typed, read(turn(screen)), half.name)
    }

    @Test
    fun `a process that was ended`() = halves.forEach { half ->
        val (screen, typed) = typed(half)
        val state = Bundle()
        screen.pause().stop().saveInstanceState(state).destroy()
        app.phone.lock()

        val intent = half.intent(app)
        val back = build(intent).create(through(state)).start().restoreInstanceState(through(state)).resume()
        val pin = checkNotNull(shadowOf(app).nextStartedActivity) { half.name }
        assertEquals(UnlockActivity::class.java.name, checkNotNull(pin.component).className)
        // Memory is short again, before anybody has given the PIN.
        val again = Bundle()
        back.pause().stop().saveInstanceState(again)
        assertEquals(state.keySet() - IGNORED, again.keySet() - IGNORED, half.name)

        unlock(pin)
        assertEquals(null, shadowOf(app).nextStartedActivity, "${half.name}: on to no other screen")
        back.restart().start().resume().visible()
        settle()
        assertEquals(typed, read(back.get()), half.name)
        back.pause().stop().destroy()
    }

    @Test
    fun `an ID number and a PIN are given to nobody to keep`() {
        val number = "610799201506010033"
        val screen = build(IdNumberActivity.of(app, "h1", Sample.persons[1])).setup()
        screen.get().type(screen.get().fieldOf(R.string.id_number), number)
        assertFalse(number in words(screen), "in what the system keeps")
        assertEquals(number, turn(screen).requireViewById<EditText>(turnedField(screen)).text.toString(), "a turned phone loses it")

        app.phone.lock()
        val lock = build(Intent(app, UnlockActivity::class.java)).setup()
        lock.get().type(R.id.pin, "975310")
        assertFalse("975310" in words(lock))
        val report = build(Intent(app, EnrolActivity::class.java).also { runBlocking { app.phone.unlock(PIN.toCharArray()) } }).setup()
        report.get().type(R.id.invite, "fieldgrid:1?server=x")
        assertTrue("fieldgrid:1?server=x" in words(report), "this would be seen")
    }

    @Test
    fun `a turn while the store opens loses no attempt and needs no second PIN`() {
        app.phone.lock()
        var opened = 0
        TestApp.engine = { _, _ ->
            kotlinx.coroutines.delay(OPENING_MS)
            opened++
            Fake()
        }
        val screen = build(Intent(app, UnlockActivity::class.java)).setup()
        screen.get().type(R.id.pin, PIN)
        screen.get().tap(R.id.go)
        shadowOf(Looper.getMainLooper()).idle()
        turn(screen)
        eventually("today's list") { shadowOf(app).peekNextStartedActivity() != null }
        assertEquals(TodayActivity::class.java.name, checkNotNull(shadowOf(app).nextStartedActivity.component).className)
        assertEquals(1, opened)
        assertFalse(java.io.File(app.noBackupFilesDir, "pin.attempts").exists())
    }

    @Test
    fun `who leaves the PIN leaves the app, and what was typed stays`() {
        app.phone.lock()
        val screen = build(Intent(app, AddHouseholdActivity::class.java)).setup()
        val lock = build(shadowOf(app).nextStartedActivity).setup()
        @Suppress("DEPRECATION")
        lock.get().onBackPressed()
        assertFalse(lock.get().isFinishing)
        assertFalse(screen.get().isFinishing)
        assertIs<AddHouseholdActivity>(screen.get())
    }

    private fun typed(half: Half): Pair<ActivityController<Activity>, List<String>> {
        val screen = build(half.intent(app)).setup()
        settle()
        half.type(screen.get())
        settle()
        val typed = read(screen.get())
        assertTrue(typed.size >= half.least, "${half.name}: $typed")
        return screen to typed
    }

    private fun unlock(intent: Intent) {
        val screen = build(intent).setup()
        screen.get().type(R.id.pin, PIN)
        screen.get().tap(R.id.go)
        eventually("an open store") { screen.get().isFinishing }
        screen.pause().stop().destroy()
    }

    private fun turn(screen: ActivityController<Activity>): Activity = screen.turn().also { settle() }

    private fun turnedField(screen: ActivityController<Activity>) = screen.get().fieldOf(R.string.id_number)

    /** All that was typed, chosen and picked, as it is on the screen. */
    private fun read(screen: Activity): List<String> = screen.window.decorView.all().filter { it.isShown }.mapNotNull { view ->
        when (view) {
            is EditText -> view.text.toString()
            is CompoundButton -> view.text.toString().takeIf { view.isChecked }
            is Spinner -> view.selectedItem.toString()
            is Button -> view.text.toString().takeIf { view.isSelected }
            else -> null
        }
    }.toList()

    /** What the system is given to keep, as text: strings lie in it in two bytes a letter. */
    private fun words(screen: ActivityController<Activity>): String {
        val state = Bundle().also(screen::saveInstanceState)
        val parcel = Parcel.obtain().apply { writeBundle(state) }
        return state.deep() + parcel.marshall().toString(Charsets.UTF_16LE)
    }

    private fun Bundle.deep(): String = keySet().joinToString { key ->
        @Suppress("DEPRECATION")
        when (val value = get(key)) {
            is Bundle -> value.deep()
            else -> value.toString()
        }
    }

    /** Another process gets a copy. */
    private fun through(state: Bundle): Bundle {
        val parcel = Parcel.obtain().apply { writeBundle(state) }
        parcel.setDataPosition(0)
        return checkNotNull(parcel.readBundle(javaClass.classLoader))
    }

    @Suppress("UNCHECKED_CAST")
    private fun build(intent: Intent) = Robolectric.buildActivity(Class.forName(checkNotNull(intent.component).className) as Class<Activity>, intent)

    private fun settle() = shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(600))

    private companion object {
        const val PIN = "246810"
        const val OPENING_MS = 300L

        /** What the framework adds by itself. */
        val IGNORED = setOf("android:viewHierarchyState", "android:lastAutofillId", "android:fragments", "@android:autofillResetNeeded")
    }
}
