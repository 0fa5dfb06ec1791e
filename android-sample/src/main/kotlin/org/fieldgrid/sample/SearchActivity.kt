package org.fieldgrid.sample

import android.view.View
import android.view.ViewGroup
import android.widget.EditText
import android.widget.TextView
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.transformLatest
import org.fieldgrid.Hit
import org.fieldgrid.Page

/** Searching everything on this phone while it is typed. */
class SearchActivity : Screen(R.layout.list) {
    private val typed = MutableStateFlow("")

    override fun create() {
        title = getString(R.string.search_title)
        view<ViewGroup>(R.id.above).add<View>(R.layout.search_above)
        view<EditText>(R.id.typed).onTyped { typed.value = it }
        val items = Items(view(R.id.list))
        @OptIn(kotlinx.coroutines.ExperimentalCoroutinesApi::class)
        typed.transformLatest { text ->
            delay(PAUSE_MS)
            emit(text to if (text.isEmpty()) null else engine.search(text, LONGEST_LIST))
        }.shows { (_, found) ->
            items.show(found?.let(::items).orEmpty())
            view<TextView>(R.id.empty).showOrHide(getString(R.string.search_empty).takeIf { found?.rows?.isEmpty() == true })
        }
    }

    private fun items(found: Page<Hit>): List<Item> = found.rows.map { hit ->
        when (hit) {
            is Hit.Case -> Item.Entry(words.row(hit.row)) { startActivity(CaseActivity.of(this, hit.row.id)) }
            is Hit.Household -> Item.Entry(words.row(hit.row)) { startActivity(HouseholdActivity.of(this, hit.row.id)) }
        }
    } + listOfNotNull(Item.Note(getString(R.string.more, found.rows.size)).takeIf { found.next != null })

    private companion object {
        /** Between two keys of one word no search is worth its cost. */
        const val PAUSE_MS = 150L
    }
}
