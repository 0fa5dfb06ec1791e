package org.fieldgrid.sample

import android.graphics.Color
import android.graphics.Rect
import android.view.View
import android.widget.EditText
import android.widget.TextView

/** WCAG's least contrast of text on its ground (level AA). */
const val LEAST_CONTRAST = 4.5

/** The contrast of two opaque colours by WCAG 2: from 1 to 21. */
fun contrast(a: Int, b: Int): Double {
    val (light, dark) = listOf(luminance(a), luminance(b)).sortedDescending()
    return (light + 0.05) / (dark + 0.05)
}

private fun luminance(color: Int): Double = Color.luminance(color).toDouble()

/** Words that hardly stand out from what is drawn behind them, whatever state they are shown in. */
fun faint(window: View, drawn: Picture): List<String> = window.all().filter { it.isShown }.filterIsInstance<TextView>().mapNotNull { view ->
    val seen = Rect()
    val hint = view is EditText && view.text.isEmpty()
    val words = if (hint) view.hint else view.text
    if (words.isNullOrEmpty() || !view.getGlobalVisibleRect(seen)) return@mapNotNull null
    val contrast = contrast(if (hint) view.currentHintTextColor else view.currentTextColor, drawn.ground(seen))
    if (contrast < LEAST_CONTRAST) "“$words” has a contrast of %.1f".format(contrast) else null
}.toList()
