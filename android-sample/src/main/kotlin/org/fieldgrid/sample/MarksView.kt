package org.fieldgrid.sample

import android.content.Context
import android.util.AttributeSet
import android.view.View
import android.view.ViewGroup

/** Marks beside each other, as many in a line as there is room for; so they wrap at large fonts instead of being cut. */
class MarksView(context: Context, attributes: AttributeSet) : ViewGroup(context, attributes) {
    private val gap = (GAP_DP * resources.displayMetrics.density).toInt()

    override fun onMeasure(widthSpec: Int, heightSpec: Int) {
        val width = MeasureSpec.getSize(widthSpec)
        val within = MeasureSpec.makeMeasureSpec(width, MeasureSpec.AT_MOST)
        val free = MeasureSpec.makeMeasureSpec(0, MeasureSpec.UNSPECIFIED)
        shown().forEach { it.measure(within, free) }
        setMeasuredDimension(width, arrange(width) { _, _, _ -> })
    }

    override fun onLayout(changed: Boolean, left: Int, top: Int, right: Int, bottom: Int) {
        arrange(right - left) { view, x, y ->
            val from = if (layoutDirection == LAYOUT_DIRECTION_RTL) right - left - x - view.measuredWidth else x
            view.layout(from, y, from + view.measuredWidth, y + view.measuredHeight)
        }
    }

    /** Gives each mark its place; the height of them all. */
    private inline fun arrange(width: Int, place: (View, Int, Int) -> Unit): Int {
        var x = 0
        var y = 0
        var line = 0
        for (view in shown()) {
            if (x > 0 && x + view.measuredWidth > width) {
                x = 0
                y += line
                line = 0
            }
            place(view, x, y)
            x += view.measuredWidth + gap
            line = maxOf(line, view.measuredHeight)
        }
        return y + line
    }

    private fun shown() = (0 until childCount).map(::getChildAt).filter { it.visibility != GONE }

    override fun generateLayoutParams(attributes: AttributeSet): LayoutParams = LayoutParams(context, attributes)

    private companion object {
        const val GAP_DP = 16
    }
}
