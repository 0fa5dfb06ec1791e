package org.fieldgrid.sample

import kotlin.test.AfterTest
import kotlin.test.BeforeTest
import kotlin.test.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import kotlinx.coroutines.runBlocking
import org.fieldgrid.Fieldgrid
import org.fieldgrid.OpenOptions
import org.fieldgrid.Town
import org.junit.Rule
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

/** A grid member's day, through the screens: on the real library, in SQLCipher, with a real server. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestApp::class, qualifiers = "en-w480dp-h800dp-mdpi")
class DayTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val town by lazy { Town(folder.root) }
    private val app get() = RuntimeEnvironment.getApplication() as TestApp

    @BeforeTest
    fun phone() {
        TestApp.clock = System::currentTimeMillis
        TestApp.engine = { store, key -> Fieldgrid.open(OpenOptions(store, key)) }
    }

    @AfterTest
    fun close() {
        if (!app.phone.locked) runBlocking { app.phone.engine.stop() }
        town.close()
    }

    @Test
    fun day() {
        val hands = Hands(app)
        val watch = MainThreadWatch()

        // A PIN, and an invite that is mistyped first.
        hands.type(R.id.pin, PIN)
        hands.type(R.id.again, PIN)
        hands.tap(R.id.go)
        hands.reaches<EnrolActivity>()
        hands.type(R.id.invite, "7KQ2")
        hands.tap(R.id.go)
        hands.reads("This is not an invite")
        hands.type(R.id.invite, town.invite("grid_member", Town.GRID, "陈静"))
        hands.tap(R.id.go)
        hands.reaches<TodayActivity>()
        hands.reads("All received, last received")

        // Without network: three taps and the words.
        town.close()
        hands.tap(R.id.report)
        hands.tap("Public facilities")
        hands.type(R.id.words, "路口井盖破损，有人绊倒")
        hands.type(R.id.place, "天汉大道与劳动西路口")
        hands.tap(R.id.send)
        hands.reaches<TodayActivity>()
        hands.reads("1 on this phone, last received")
        hands.reads("天汉大道与劳动西路口")
        assertContains(hands.words(), "On this phone")

        // The network is back.
        town.open()
        hands.tap(R.id.sync_line)
        hands.reads("All received")
        hands.reads("Received ")

        // The case tells what was done and whether it took effect.
        hands.tap("Public facilities")
        hands.reaches<CaseActivity>()
        hands.reads("路口井盖破损，有人绊倒")
        hands.reads("Took effect")
        hands.tap("Add something")
        hands.type(fieldOf(hands), "已放警示牌")
        hands.tap(R.id.save)
        hands.reaches<CaseActivity>()
        hands.reads("已放警示牌")
        hands.back()

        // A new household, at the door.
        hands.tap(R.id.households)
        hands.tap("Add a household")
        hands.reads("Grid: ")
        hands.tap(R.id.save)
        hands.reads("Please fill in: Address (road, number, building, unit, room), Name of the head")
        hands.type("Address (road, number, building, unit, room)", "劳动路12号3号楼2单元501")
        hands.type("Name of the head", "王秀英")
        hands.type("Phone (may be left out)", "12012340000")
        hands.tap("One more person")
        hands.type("Name", "李明")
        hands.pick("Relation to the head", "grandchild")
        hands.tap(R.id.save)
        hands.reaches<HouseholdActivity>()
        hands.reads("劳动路12号3号楼2单元501 · 王秀英")
        hands.reads("2 persons · 12012340000")
        assertContains(hands.words(), "Grandchild")
        hands.back()
        hands.reads("劳动路12号3号楼2单元501 · 王秀英")
        hands.tap("劳动路12号3号楼2单元501 · 王秀英")
        hands.tap("Add a person")
        hands.type("Name", "赵小雨")
        hands.tap(R.id.save)
        hands.reaches<HouseholdActivity>()
        hands.reads("赵小雨")

        // An ID number: odd first, then right. Who looks at it, and why, is recorded.
        hands.tap("王秀英")
        hands.type("ID number", "610799194509300024")
        hands.tap(R.id.save)
        hands.reads("This does not look like an ID number")
        hands.type("ID number", "610799194509300025")
        hands.tap(R.id.save)
        hands.reaches<HouseholdActivity>()
        hands.reads("ID number kept")
        hands.tap("王秀英")
        hands.tap("Show it (this is recorded)")
        asked().tap("Filling in a form")
        hands.reads("610799194509300025")
        hands.back()

        // A visit, and one field.
        hands.tap("Add a visit")
        hands.tap(R.id.save)
        hands.reads("Choose how it went.")
        hands.tap("Met")
        hands.tap("Care")
        hands.tap(R.id.save)
        hands.reaches<HouseholdActivity>()
        hands.reads("Met")
        hands.tap("Phone")
        hands.type(fieldOf(hands), "12012345678")
        hands.tap(R.id.save)
        hands.reaches<HouseholdActivity>()
        hands.reads("12012345678")
        hands.tap(R.id.sync_line)
        hands.reads("All received")
        hands.back()
        hands.back()

        // In the evening the phone goes to somebody else: what was not sent is said and synced first, and then nothing is left.
        town.close()
        hands.tap("Public facilities")
        hands.tap("Add something")
        hands.type("In words", "警示牌还在")
        hands.tap(R.id.save)
        hands.reaches<CaseActivity>()
        hands.back()
        hands.tap(R.id.more)
        hands.reads("1 is not at the centre yet: erasing loses it.")
        hands.tap("Sync first")
        hands.reads("No network")
        assertContains(hands.words(), "I understand: 1 that was not received is lost")
        town.open()
        hands.tap("Sync first")
        hands.reads("I understand: it has to be enrolled again")
        hands.tap(R.id.sure)
        hands.tap(R.id.erase)
        hands.reads("Choose a PIN")
        assertEquals(emptyList(), app.noBackupFilesDir.list().orEmpty().filter { it.startsWith("fieldgrid.") || it == "store.key" })

        // Enrolled again, with another PIN: what the centre received comes back.
        hands.type(R.id.pin, OTHER_PIN)
        hands.type(R.id.again, OTHER_PIN)
        hands.tap(R.id.go)
        hands.reaches<EnrolActivity>()
        hands.type(R.id.invite, town.invite("grid_member", Town.GRID, "刘强"))
        hands.tap(R.id.go)
        hands.reaches<TodayActivity>()
        hands.reads("天汉大道与劳动西路口")
        hands.tap(R.id.households)
        hands.tap("劳动路12号3号楼2单元501 · 王秀英")
        hands.reads("ID number kept")
        hands.tap("王秀英")
        hands.tap("Show it (this is recorded)")
        asked().tap("Filling in a form")
        hands.reads("610799194509300025")

        watch.close()
        assertTrue(watch.looks > 100, "the watch slept")
        assertTrue(watch.held().isEmpty(), watch.held().joinToString("\n\n"))
    }

    private fun fieldOf(hands: Hands) = hands.screen.window.decorView.all().filterIsInstance<android.widget.EditText>().first().id

    private companion object {
        const val PIN = "246810"
        const val OTHER_PIN = "975310"
    }
}
