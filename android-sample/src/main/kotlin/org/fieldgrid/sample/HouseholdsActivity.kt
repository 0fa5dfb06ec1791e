package org.fieldgrid.sample

import android.widget.TextView

/** The grid's households. */
class HouseholdsActivity : Screen(R.layout.list) {
    override fun create() {
        title = getString(R.string.households_title)
        showSyncLine()
        val items = Items(view(R.id.list))
        engine.observeHouseholds(limit = LONGEST_LIST).shows { page ->
            val entries = page.rows.map { household -> Item.Entry(words.row(household)) { startActivity(HouseholdActivity.of(this, household.id)) } }
            items.show(entries + listOfNotNull(Item.Note(getString(R.string.more, entries.size)).takeIf { page.next != null }))
            view<TextView>(R.id.empty).showOrHide(getString(R.string.households_empty).takeIf { entries.isEmpty() })
        }
    }
}
