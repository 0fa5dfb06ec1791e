package org.fieldgrid.sample

import android.content.Intent
import android.content.res.Configuration
import android.widget.Spinner
import android.widget.TextView
import java.util.UUID
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertNull
import kotlinx.coroutines.runBlocking
import org.fieldgrid.FieldEdit
import org.fieldgrid.Fieldgrid
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

/** What the form of a new household saves: exactly what was given, in the grid that was chosen. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestApp::class, qualifiers = "en-w480dp-h800dp-mdpi")
class PeopleTest {
    private class Two(fake: Fieldgrid = Fake()) : Fieldgrid by fake {
        var saved: Pair<FieldEdit, List<FieldEdit>>? = null

        override suspend fun grids() = mapOf("610702001001001" to "三组", "610702001001002" to "四组")

        override suspend fun addHousehold(fields: FieldEdit, persons: List<FieldEdit>, form: UUID?): String {
            saved = fields to persons
            return "h1"
        }
    }

    private val app get() = RuntimeEnvironment.getApplication() as TestApp

    @Test
    fun `one of several grids, and who else lives there`() {
        val engine = Two()
        TestApp.engine = { _, _ -> engine }
        runBlocking { app.phone.unlock("246810".toCharArray()) }
        val controller = Robolectric.buildActivity(AddHouseholdActivity::class.java, Intent(app, AddHouseholdActivity::class.java)).setup()
        val form = controller.get()
        eventually("the grids") { form.says("四组") }
        form.type(form.fieldOf(R.string.household_address), "劳动路12号3号楼2单元602")
        form.type(form.fieldOf(R.string.household_head), "赵大勇")
        repeat(3) { form.tap("One more person") }
        form.type(form.fieldOf(R.string.person_name), "赵小雨")
        val spinners = form.window.decorView.all().filterIsInstance<Spinner>().toList()
        spinners[0].setSelection(Relation.DAUGHTER.ordinal + 1)
        spinners[1].setSelection(Relation.SPOUSE.ordinal + 1)
        form.tap(R.id.save)
        assertEquals("Please fill in: Which grid?, Name", form.requireViewById<TextView>(R.id.error).text.toString(), "somebody without a name is not dropped")
        assertNull(engine.saved)

        form.tap("四组")
        form.type(form.fieldOf(R.string.person_name), "孙梅")
        // The grids come anew after a turn; the chosen one stays chosen.
        controller.configurationChange(Configuration(form.resources.configuration).apply { orientation = Configuration.ORIENTATION_LANDSCAPE }).visible()
        val turned = controller.get()
        eventually("the grids") { turned.says("四组") }
        turned.tap(R.id.save)
        eventually("a saved form") { turned.isFinishing }
        assertEquals(HouseholdActivity::class.java.name, checkNotNull(shadowOf(app).nextStartedActivity.component).className)
        val (household, persons) = checkNotNull(engine.saved)
        assertEquals(mapOf<String, String?>("grid" to "610702001001002", "address" to "劳动路12号3号楼2单元602"), household.values, "no phone was given")
        assertEquals(
            listOf(mapOf("name" to "赵大勇", "relation" to "02"), mapOf("name" to "赵小雨", "relation" to "30"), mapOf("name" to "孙梅", "relation" to "10")),
            persons.map { it.values },
        )
    }

    @Test
    fun `codes of relations are words, and words stay`() {
        val words = listOf("02", "11", "29", "30", "41", "52", "60", "73", "80", "97", "99", "01", "儿媳", "2").associateWith { Relation.words(app, it) }
        assertEquals(
            listOf("head", "husband or wife", "son", "daughter", "grandchild", "parent", "grandparent", "brother or sister", "other family", "other family", "not family", "01", "儿媳", "2"),
            words.values.toList(),
        )
    }

    private fun android.app.Activity.says(words: String) = window.decorView.all().filterIsInstance<TextView>().any { it.isShown && it.text.toString() == words }
}
