package org.fieldgrid.sample

import android.view.View
import android.widget.EditText
import android.widget.ListView
import android.widget.ScrollView
import android.widget.TextView

/** What keeps a window from being read or touched: words that are cut, targets too small for a thumb, what has no name for TalkBack. */
fun unreadable(window: View): List<String> {
    val views = window.all().filter { it.isShown }.toList()
    return views.filterIsInstance<TextView>().mapNotNull { cut(it, window) } +
        views.filter { it.isClickable || it.parent is ListView && it.id == R.id.row }.mapNotNull(::tooSmall) +
        views.mapNotNull { unnamed(it, views) }
}

private fun cut(view: TextView, window: View): String? {
    val layout = view.layout ?: return null
    val width = view.width - view.compoundPaddingLeft - view.compoundPaddingRight
    val height = view.height - view.compoundPaddingTop - view.compoundPaddingBottom
    val at = IntArray(2).also(view::getLocationInWindow)
    val why = when {
        (0 until layout.lineCount).any { layout.getEllipsisCount(it) > 0 } -> "ends in an ellipsis"
        layout.height > height + 1 && !(view is EditText && view.isVerticalScrollBarEnabled) -> "is cut below: ${layout.height} of $height"
        (0 until layout.lineCount).any { layout.getLineMax(it) > width + 1 } -> "is cut at the side"
        at[0] < 0 || at[0] + view.width > window.width -> "reaches out of the window"
        at[1] + view.height > window.height && !view.scrolls() -> "is below the window and does not scroll"
        else -> return null
    }
    return "“${view.text}” $why"
}

private fun View.scrolls() = generateSequence(parent) { it.parent }.any { it is ScrollView || it is ListView }

private fun tooSmall(view: View): String? {
    val least = LEAST_TOUCH_DP * view.resources.displayMetrics.density
    return if (view.width < least || view.height < least) "${view.name()} is ${view.width} × ${view.height}" else null
}

private fun unnamed(view: View, views: List<View>): String? = when {
    view is EditText -> "a field without a label".takeIf { view.id == View.NO_ID || views.none { it.labelFor == view.id } }
    view.isClickable && view !is TextView && view !is ListView && view.contentDescription.isNullOrEmpty() -> "${view.name()} has no description"
    else -> null
}

private fun View.name() = (this as? TextView)?.text ?: contentDescription ?: javaClass.simpleName

private const val LEAST_TOUCH_DP = 48
