package org.fieldgrid.sample

import android.content.Intent
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.ListView
import android.widget.TextView
import org.fieldgrid.CaseRow
import org.fieldgrid.Pages

/** Today's list: what is open, due first. */
class TodayActivity : Screen(R.layout.list) {
    override fun create() {
        title = getString(R.string.today)
        view<Button>(R.id.more).run {
            shown(true)
            show(Mark(R.drawable.ic_on_phone, getString(R.string.phone_title), R.color.ink))
            setOnClickListener { go<PhoneActivity>() }
        }
        val refused = view<ViewGroup>(R.id.above).add<Button>(R.layout.today_above)
        refused.setOnClickListener { go<RefusedActivity>() }
        view<ViewGroup>(R.id.below).add<View>(R.layout.today_below)
        view<View>(R.id.report).setOnClickListener { go<ReportActivity>() }
        view<View>(R.id.households).setOnClickListener { go<HouseholdsActivity>() }
        view<View>(R.id.search).setOnClickListener { go<SearchActivity>() }

        val list = view<ListView>(R.id.list)
        val items = Items(list)
        val cases = Pages(CaseRow::id) { after -> engine.observeToday(after = after) }
        list.scrolls { cases }
        showSyncLine { status ->
            refused.shown(status.refused > 0)
            refused.text = resources.getQuantityString(R.plurals.refused_count, status.refused, status.refused)
        }
        cases.rows.shows { rows ->
            items.show(items(rows.list))
            view<TextView>(R.id.empty).showOrHide(getString(R.string.today_empty).takeIf { rows.list.isEmpty() })
        }
    }

    private fun items(cases: List<CaseRow>): List<Item> {
        val (due, others) = cases.partition { it.dueMs != null }
        return buildList {
            if (due.isNotEmpty()) add(Item.Heading(getString(R.string.today_due)))
            due.mapTo(this, ::entry)
            if (others.isNotEmpty()) add(Item.Heading(getString(R.string.today_open)))
            others.mapTo(this, ::entry)
        }
    }

    private fun entry(case: CaseRow) = Item.Entry({ words.row(case) }) { startActivity(CaseActivity.of(this, case.id)) }
}
