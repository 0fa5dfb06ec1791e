package org.fieldgrid.sample

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.AbsListView
import android.widget.BaseAdapter
import android.widget.ListView
import android.widget.TextView
import org.fieldgrid.Pages

/** What a list shows. */
sealed interface Item {
    data class Heading(val words: String) : Item

    /** A record: its [row] is made when it comes on the screen, for a list may be long. [open] is what a tap does. */
    class Entry(val row: () -> Row, val open: () -> Unit) : Item
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
            is Item.Entry -> view.show(item.row())
            is Item.Heading -> (view as TextView).text = item.words
        }
        return view
    }
}

/** Scrolling loads more of the list, and watches what is on the screen. */
fun ListView.scrolls(pages: () -> Pages<*>?) = setOnScrollListener(object : AbsListView.OnScrollListener {
    override fun onScroll(list: AbsListView, first: Int, shown: Int, all: Int) {
        pages()?.look(first, first + shown - 1)
    }

    override fun onScrollStateChanged(list: AbsListView, state: Int) = Unit
})
