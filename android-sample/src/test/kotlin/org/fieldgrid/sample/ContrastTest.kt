package org.fieldgrid.sample

import android.graphics.Color
import android.view.ContextThemeWrapper
import android.view.LayoutInflater
import android.widget.Button
import android.widget.FrameLayout
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

/** Text stands out from its ground, by day and by night, also where a button cannot be pressed. [ScreensTest] looks at what is really drawn. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestApp::class)
class ContrastTest {
    private val app get() = RuntimeEnvironment.getApplication()

    @Test
    fun `contrast is what WCAG says it is`() {
        assertEquals(21.0, contrast(Color.BLACK, Color.WHITE), 0.01)
        assertEquals(1.0, contrast(Color.RED, Color.RED), 0.001)
        assertEquals(4.54, contrast(Color.parseColor("#767676"), Color.WHITE), 0.01)
    }

    @Test
    fun `by day`() = pairs("notnight")

    @Test
    fun `by night`() = pairs("night")

    private fun pairs(mode: String) {
        RuntimeEnvironment.setQualifiers("+$mode")
        val faint = PAIRS.flatMap { (ground, texts) -> texts.map { Triple(ground, it, contrast(app.getColor(it), app.getColor(ground))) } }.filter { it.third < LEAST_CONTRAST }
        assertTrue(faint.isEmpty(), faint.joinToString("\n") { (ground, text, contrast) -> "%s on %s: %.2f".format(name(text), name(ground), contrast) })
        val themed = LayoutInflater.from(ContextThemeWrapper(app, R.style.Fieldgrid))
        fun button(layout: Int) = themed.inflate(layout, FrameLayout(app), false)
        val buttons = listOf(
            button(R.layout.button_primary) to R.color.accent,
            button(R.layout.button) to R.color.surface,
            button(R.layout.erase).requireViewById<Button>(R.id.erase) to R.color.notice,
        )
        for ((view, ground) in buttons) {
            val button = view as Button
            button.isEnabled = true
            assertTrue(contrast(button.currentTextColor, app.getColor(ground)) >= LEAST_CONTRAST, "${name(ground)}, to press")
            button.isEnabled = false
            assertTrue(contrast(button.currentTextColor, app.getColor(R.color.line)) >= LEAST_CONTRAST, "${name(ground)}, not to press")
        }
    }

    private fun name(color: Int) = app.resources.getResourceEntryName(color)

    private companion object {
        /** Each ground with the colours of the words that stand on it. */
        val PAIRS = mapOf(
            R.color.page to listOf(R.color.ink, R.color.quiet, R.color.accent, R.color.warn, R.color.bad),
            R.color.surface to listOf(R.color.ink, R.color.quiet, R.color.accent, R.color.warn, R.color.bad),
            R.color.chosen to listOf(R.color.ink),
            R.color.notice to listOf(R.color.ink, R.color.quiet, R.color.warn, R.color.bad),
            R.color.accent to listOf(R.color.on_accent),
            R.color.line to listOf(R.color.ink, R.color.quiet),
        )
    }
}
