package org.fieldgrid.sample

import android.view.ViewGroup
import android.widget.Button
import android.widget.ListView
import android.widget.TextView
import org.fieldgrid.HouseholdRow
import org.fieldgrid.Pages

/** The grid's households. */
class HouseholdsActivity : Screen(R.layout.list) {
    override fun create() {
        title = getString(R.string.households_title)
        showSyncLine()
        val add = view<ViewGroup>(R.id.below).add<Button>(R.layout.button_primary)
        add.setText(R.string.household_add)
        add.setOnClickListener { go<AddHouseholdActivity>() }
        val list = view<ListView>(R.id.list)
        val items = Items(list)
        val households = Pages(HouseholdRow::id) { after -> engine.observeHouseholds(after = after) }
        list.scrolls { households }
        households.rows.shows { rows ->
            items.show(rows.list.map { household -> Item.Entry({ words.row(household) }) { startActivity(HouseholdActivity.of(this, household.id)) } })
            view<TextView>(R.id.empty).showOrHide(getString(R.string.households_empty).takeIf { rows.list.isEmpty() })
        }
    }
}
