package org.fieldgrid.sample

import android.content.Context
import android.content.res.ColorStateList
import android.text.Editable
import android.text.TextWatcher
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.LinearLayout
import android.widget.TextView

/** A mark: a shape and words, never a colour alone. */
data class Mark(val icon: Int, val words: String, val color: Int = R.color.quiet)

/** A row of a list. What is empty is not shown. */
data class Row(val title: String, val line: String? = null, val marks: List<Mark> = emptyList())

fun <V : View> ViewGroup.add(layout: Int): V {
    val view = LayoutInflater.from(context).inflate(layout, this, false)
    addView(view)
    @Suppress("UNCHECKED_CAST")
    return view as V
}

/** A column in a column, for what comes later or changes. */
fun ViewGroup.column() = LinearLayout(context).also {
    it.orientation = LinearLayout.VERTICAL
    addView(it, ViewGroup.LayoutParams.MATCH_PARENT, ViewGroup.LayoutParams.WRAP_CONTENT)
}

fun ViewGroup.heading(words: Int) {
    add<TextView>(R.layout.heading).setText(words)
}

/** A row in a column; a tap on it does [open]. */
fun ViewGroup.row(row: Row, open: (() -> Unit)? = null): View = add<View>(R.layout.row).apply {
    show(row)
    below(8)
    if (open != null) setOnClickListener { open() }
}

/** Shows a row in a view of `row.xml`. TalkBack reads it as one. */
fun View.show(row: Row) {
    requireViewById<TextView>(R.id.row_title).text = row.title
    requireViewById<TextView>(R.id.row_line).showOrHide(row.line)
    requireViewById<ViewGroup>(R.id.row_marks).show(row.marks)
    contentDescription = (listOfNotNull(row.title, row.line) + row.marks.map(Mark::words)).joinToString()
}

/** Reuses the marks' views: lists are shown again at every change. */
fun ViewGroup.show(marks: List<Mark>) {
    while (childCount < marks.size) add<TextView>(R.layout.mark)
    for (at in 0 until childCount) {
        val view = getChildAt(at) as TextView
        view.visibility = if (at < marks.size) View.VISIBLE else View.GONE
        if (at < marks.size) view.show(marks[at])
    }
}

fun TextView.show(mark: Mark) {
    text = mark.words
    setTextColor(context.getColor(mark.color))
    setCompoundDrawablesRelativeWithIntrinsicBounds(mark.icon, 0, 0, 0)
    compoundDrawableTintList = ColorStateList.valueOf(context.getColor(mark.color))
}

fun TextView.showOrHide(words: CharSequence?) {
    text = words
    visibility = if (words.isNullOrEmpty()) View.GONE else View.VISIBLE
}

/** Space above a view in a column. */
fun View.below(dp: Int) {
    (layoutParams as ViewGroup.MarginLayoutParams).topMargin = (dp * resources.displayMetrics.density).toInt()
}

fun View.shown(yes: Boolean) {
    visibility = if (yes) View.VISIBLE else View.GONE
}

/** A service that every phone has. */
inline fun <reified S : Any> Context.service(): S = checkNotNull(getSystemService(S::class.java))

val TextView.typed: String get() = text.toString().trim()

/** The words of a field whenever they change. */
fun TextView.onTyped(then: (String) -> Unit) = addTextChangedListener(object : TextWatcher {
    override fun beforeTextChanged(text: CharSequence, start: Int, count: Int, after: Int) = Unit
    override fun onTextChanged(text: CharSequence, start: Int, before: Int, count: Int) = Unit
    override fun afterTextChanged(text: Editable) = then(text.toString().trim())
})

/** Choices as tiles, two in a row. */
fun LinearLayout.tiles(tiles: List<Mark>, chosen: (Int) -> Unit) = tiles.chunked(2).forEachIndexed { row, pair ->
    val line = add<LinearLayout>(R.layout.tiles)
    pair.forEachIndexed { at, tile ->
        line.add<Button>(R.layout.tile).run {
            text = tile.words
            if (tile.icon != 0) {
                setCompoundDrawablesRelativeWithIntrinsicBounds(tile.icon, 0, 0, 0)
                compoundDrawableTintList = ColorStateList.valueOf(context.getColor(tile.color))
            }
            setOnClickListener { chosen(row * 2 + at) }
        }
    }
}

/** Shows which of the tiles is chosen, also to TalkBack. */
fun LinearLayout.choose(chosen: Int?) {
    for (row in 0 until childCount) {
        val line = getChildAt(row) as ViewGroup
        for (at in 0 until line.childCount) line.getChildAt(at).isSelected = row * 2 + at == chosen
    }
}
