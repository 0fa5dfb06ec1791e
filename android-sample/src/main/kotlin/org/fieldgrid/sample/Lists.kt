package org.fieldgrid.sample

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.BaseAdapter
import android.widget.ListView
import android.widget.TextView

/** What a list shows. */
sealed interface Item {
    data class Heading(val words: String) : Item

    /** A record; [open] is what a tap does. */
    data class Entry(val row: Row, val open: () -> Unit) : Item

    /** What the list leaves out. */
    data class Note(val words: String) : Item
}

/** A list of rows. Showing it again keeps where it was scrolled to. */
class Items(list: ListView) : BaseAdapter() {
    private var items: List<Item> = emptyList()

    init {
        list.adapter = this
        list.setOnItemClickListener { _, _, at, _ -> (items[at] as? Item.Entry)?.open() }
    }

    fun show(items: List<Item>) {
        this.items = items
        notifyDataSetChanged()
    }

    override fun getCount() = items.size
    override fun getItem(at: Int) = items[at]
    override fun getItemId(at: Int) = at.toLong()
    override fun getViewTypeCount() = 2
    override fun getItemViewType(at: Int) = if (items[at] is Item.Entry) 0 else 1
    override fun areAllItemsEnabled() = false
    override fun isEnabled(at: Int) = items[at] is Item.Entry

    override fun getView(at: Int, used: View?, list: ViewGroup): View {
        val item = items[at]
        val view = used ?: LayoutInflater.from(list.context).inflate(if (item is Item.Entry) R.layout.row else R.layout.heading, list, false)
        when (item) {
            is Item.Entry -> view.show(item.row)
            is Item.Heading -> (view as TextView).text = item.words
            is Item.Note -> (view as TextView).text = item.words
        }
        return view
    }
}
