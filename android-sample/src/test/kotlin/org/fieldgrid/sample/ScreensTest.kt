package org.fieldgrid.sample

import android.app.Activity
import android.content.Context
import android.content.Intent
import android.content.res.Configuration
import android.os.Looper
import android.view.View
import android.view.ViewGroup
import android.widget.CompoundButton
import android.widget.EditText
import android.widget.ListView
import android.widget.TextView
import java.io.File
import java.time.Duration
import java.util.concurrent.TimeUnit.SECONDS
import kotlin.test.Test
import kotlin.test.assertTrue
import kotlinx.coroutines.runBlocking
import org.fieldgrid.FieldgridException
import org.fieldgrid.Words
import org.junit.Before
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowDialog

/**
 * Every screen is drawn in both languages, at normal and at large fonts, and by night. It looks as the picture in `src/test/goldens` does (by night two are
 * compared), no word is cut or faint, each target is large enough, and everything has a name. `-Dgoldens=write` draws the pictures anew: look at them.
 */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestApp::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class ScreensTest {
    private class Shot(
        val name: String,
        val root: Boolean = false,
        val list: Boolean = false,
        val before: suspend (TestApp) -> Unit = { it.phone.unlock(PIN) },
        val intent: (Context) -> Intent,
        /** What is looked at, when it is a dialog. */
        val window: (Activity) -> View = { it.window.decorView },
        val then: (Activity) -> Unit = {},
    )

    private val shots = listOf(
        Shot("pin", root = true, before = {}, intent = { Intent(it, UnlockActivity::class.java) }),
        Shot("enrol", root = true, intent = { Intent(it, EnrolActivity::class.java) }) {
            it.type(R.id.invite, "fieldgrid:1?server=https://hz.example&code=7KQ2")
            it.tap(R.id.go)
        },
        Shot("today", root = true, list = true, intent = { Intent(it, TodayActivity::class.java) }),
        Shot("report", intent = { Intent(it, ReportActivity::class.java) }),
        Shot("report-words", intent = { Intent(it, ReportActivity::class.java) }) {
            it.tap("市政设施", "Public facilities")
            it.type(R.id.words, "路口井盖破损，有人绊倒")
        },
        Shot("case", intent = { CaseActivity.of(it, "2") }),
        Shot("finish", intent = { ActActivity.of(it, "2", Act.FINISH) }) { it.tap(R.id.save) },
        Shot("households", list = true, intent = { Intent(it, HouseholdsActivity::class.java) }),
        Shot("household", intent = { HouseholdActivity.of(it, "h1") }),
        Shot("household-new", intent = { Intent(it, AddHouseholdActivity::class.java) }) {
            it.type(it.fieldOf(R.string.household_address), "劳动路12号3号楼2单元602")
            it.tap(it.getString(R.string.person_another))
            it.type(it.fieldOf(R.string.person_name), "赵小雨")
            it.tap(R.id.save)
        },
        Shot("person-new", intent = { AddPersonActivity.of(it, "h1") }) { it.type(it.fieldOf(R.string.person_name), "赵小雨") },
        Shot("id-number", intent = { IdNumberActivity.of(it, "h1", Sample.persons[1]) }) {
            it.type(it.fieldOf(R.string.id_number), "610799201506010034")
            it.tap(R.id.save)
        },
        Shot("id-number-why", intent = { IdNumberActivity.of(it, "h1", Sample.persons[0]) }, window = { asked() }) { it.tap(it.getString(R.string.id_reveal)) },
        Shot("id-number-shown", intent = { IdNumberActivity.of(it, "h1", Sample.persons[0]) }) {
            it.tap(it.getString(R.string.id_reveal))
            asked().tap("核实身份", "Checking who somebody is")
        },
        Shot("phone", intent = { Intent(it, PhoneActivity::class.java) }),
        Shot("phone-sure", intent = { Intent(it, PhoneActivity::class.java) }) {
            it.tap(R.id.sure)
            // The tick is drawn by an animation, which stands still here.
            it.requireViewById<View>(R.id.sure).jumpDrawablesToCurrentState()
        },
        Shot("forgotten", intent = { ForgottenActivity.of(it, keyLost = false) }),
        Shot("visit", intent = { VisitActivity.of(it, "h1") }),
        Shot("refused", intent = { Intent(it, RefusedActivity::class.java) }),
        Shot("search", list = true, intent = { Intent(it, SearchActivity::class.java) }) { it.type(R.id.typed, "劳动") },
        Shot("pin-wait", root = true, before = ::fiveWrong, intent = { Intent(it, UnlockActivity::class.java) }) {
            eventually("how long") { it.requireViewById<View>(R.id.error).isShown }
        },
        Shot("key-lost", root = true, before = ::keyLost, intent = { Intent(it, UnlockActivity::class.java) }) {
            it.type(R.id.pin, "246810")
            it.tap(R.id.go)
            eventually("what is wrong") { it.requireViewById<View>(R.id.error).isShown }
        },
        Shot("key-lost-erase", intent = { ForgottenActivity.of(it, keyLost = true) }, before = {}),
    )

    private fun keyLost(app: TestApp) {
        File(app.noBackupFilesDir, "pin.attempts").delete()
        File(app.noBackupFilesDir, "store.key").writeBytes(ByteArray(1))
    }

    private suspend fun fiveWrong(app: TestApp) {
        app.phone.lock()
        TestApp.engine = { _, _ -> throw FieldgridException.WrongKey(Words("密钥不对", "The key does not fit")) }
        repeat(5) { app.phone.unlock("135790".toCharArray()) }
    }

    private val app get() = RuntimeEnvironment.getApplication() as TestApp

    @Before
    fun clock() {
        TestApp.clock = { NOON }
        TestApp.engine = { _, _ -> Fake() }
    }

    @Test
    fun `chinese`() = draw("zh", "zh-rCN", 1f)

    @Test
    fun `chinese, large fonts`() = draw("zh-large", "zh-rCN", 1.5f)

    @Test
    fun `english`() = draw("en", "en", 1f)

    @Test
    fun `english, large fonts`() = draw("en-large", "en", 1.5f)

    @Test
    fun `by night`() = draw("zh-night", "zh-rCN", 1f, "night-") { it.name in listOf("today", "case") }

    private fun draw(variant: String, language: String, fontScale: Float, night: String = "", compared: (Shot) -> Boolean = { true }) {
        RuntimeEnvironment.setQualifiers("$language-w480dp-h800dp-${night}mdpi")
        RuntimeEnvironment.setFontScale(fontScale)
        val wrong = shots.flatMap { shot ->
            val activity = show(shot)
            val window = shot.window(activity)
            val drawn = Picture.of(window)
            val found = unreadable(window) + faint(window, drawn) + if (compared(shot)) compare(drawn, "${shot.name}-$variant.png") else emptyList()
            activity.finish()
            found.map { "${shot.name}-$variant: $it" }
        }
        assertTrue(wrong.isEmpty(), wrong.joinToString("\n", "\n"))
    }

    private fun show(shot: Shot): Activity {
        runBlocking { shot.before(app) }
        val intent = shot.intent(app)
        @Suppress("UNCHECKED_CAST")
        val controller = Robolectric.buildActivity(Class.forName(checkNotNull(intent.component).className) as Class<Activity>, intent)
        shadowOf(controller.get()).setIsTaskRoot(shot.root)
        controller.setup()
        settle()
        shot.then(controller.get())
        if (shot.list) eventually("what the list shows") { controller.get().requireViewById<ListView>(R.id.list).count > 0 }
        settle()
        return controller.get()
    }

    private fun compare(drawn: Picture, name: String): List<String> {
        val golden = File(GOLDENS, name)
        if (System.getProperty("goldens") == "write") drawn.write(golden)
        val difference = if (golden.exists()) drawn.difference(Picture.read(golden)) else 1.0
        if (difference <= TOLERATED) return emptyList()
        val seen = File("target/pictures", name)
        drawn.write(seen)
        return listOf("%.2f %% of the picture differs; it is in %s".format(difference * 100, seen))
    }

    /** Lets what was asked arrive, and what moves come to rest. */
    private fun settle() = shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(600))

    private companion object {
        val GOLDENS = File("src/test/goldens")
        val PIN = "246810".toCharArray()

        /** Fonts and edges may differ a little from machine to machine. */
        const val TOLERATED = 0.002
    }
}

fun Activity.type(id: Int, words: String) = requireViewById<EditText>(id).run {
    setText(words)
    setSelection(words.length)
}

/** The field under this label, the first that is empty if there are several. */
fun Activity.fieldOf(label: Int): Int = fieldOf(getString(label))

fun Activity.fieldOf(label: String): Int {
    val fields = window.decorView.all().filterIsInstance<TextView>().filter { it.text.toString() == label && it.labelFor != View.NO_ID }.map { it.labelFor }.toList()
    return fields.firstOrNull { requireViewById<EditText>(it).text.isEmpty() } ?: fields.first()
}

/** What the dialog in front asks. */
fun asked(): View = checkNotNull(ShadowDialog.getLatestDialog()) { "nothing is asked" }.window!!.decorView

/** Turns the phone: the screen is made anew. */
fun <A : Activity> ActivityController<A>.turn(): A {
    val turned = Configuration(get().resources.configuration)
    turned.orientation = if (turned.orientation == Configuration.ORIENTATION_LANDSCAPE) Configuration.ORIENTATION_PORTRAIT else Configuration.ORIENTATION_LANDSCAPE
    val before = get()
    configurationChange(turned).visible()
    check(get() !== before) { "not made anew" }
    return get()
}

fun Activity.tap(id: Int) = requireViewById<View>(id).run { check(performClick() || this is CompoundButton) }

/** Taps what bears one of these words. */
fun Activity.tap(vararg words: String) = window.decorView.tap(*words)

fun View.tap(vararg words: String) = all().filterIsInstance<TextView>().first { it.isShown && it.text.toString() in words }.run { check(performClick() || this is CompoundButton) }

/** Lets the main thread go on until it is [seen]: what a list shows is put together on another thread. */
fun eventually(what: String, seen: () -> Boolean) {
    val end = System.nanoTime() + SECONDS.toNanos(20)
    while (!seen()) {
        check(System.nanoTime() < end) { "not seen: $what" }
        shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(20))
        Thread.sleep(2)
    }
}

fun View.all(): Sequence<View> = sequence {
    yield(this@all)
    if (this@all is ViewGroup) for (at in 0 until childCount) yieldAll(getChildAt(at).all())
}
