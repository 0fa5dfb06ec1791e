package org.fieldgrid.sample

import android.view.View
import android.view.ViewGroup
import android.widget.EditText
import android.widget.ListView
import android.widget.TextView
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.flatMapLatest
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOf
import org.fieldgrid.Hit
import org.fieldgrid.Pages

/** Searching everything on this phone while it is typed. */
class SearchActivity : Screen(R.layout.list) {
    private val typed = MutableStateFlow("")
    private var found: Pages<Hit>? = null

    override fun create() {
        title = getString(R.string.search_title)
        view<ViewGroup>(R.id.above).add<View>(R.layout.search_above)
        view<EditText>(R.id.typed).onTyped { typed.value = it }
        val list = view<ListView>(R.id.list)
        val items = Items(list)
        list.scrolls { found }
        @OptIn(kotlinx.coroutines.ExperimentalCoroutinesApi::class)
        typed.flatMapLatest { text ->
            delay(PAUSE_MS)
            found = if (text.isEmpty()) null else matches(text)
            found?.rows ?: flowOf(null)
        }.shows { rows ->
            items.show(rows?.list.orEmpty().map(::entry))
            view<TextView>(R.id.empty).showOrHide(getString(R.string.search_empty).takeIf { rows?.list?.isEmpty() == true })
        }
    }

    private fun matches(text: String) = Pages(::id) { after -> flow { emit(engine.search(text, after = after)) } }

    private fun id(hit: Hit) = when (hit) {
        is Hit.Case -> hit.row.id
        is Hit.Household -> hit.row.id
    }

    private fun entry(hit: Hit) = when (hit) {
        is Hit.Case -> Item.Entry({ words.row(hit.row) }) { startActivity(CaseActivity.of(this, hit.row.id)) }
        is Hit.Household -> Item.Entry({ words.row(hit.row) }) { startActivity(HouseholdActivity.of(this, hit.row.id)) }
    }

    private companion object {
        /** Between two keys of one word no search is worth its cost. */
        const val PAUSE_MS = 150L
    }
}
