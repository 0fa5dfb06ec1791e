package org.fieldgrid.sample

import android.os.Bundle
import android.text.InputType.TYPE_CLASS_PHONE
import android.text.InputType.TYPE_CLASS_TEXT
import android.text.InputType.TYPE_TEXT_FLAG_MULTI_LINE
import android.text.InputType.TYPE_TEXT_VARIATION_PERSON_NAME
import android.text.InputType.TYPE_TEXT_VARIATION_POSTAL_ADDRESS
import android.widget.Button
import android.widget.EditText
import android.widget.LinearLayout
import android.widget.TextView

/** A new household: where, who is its head, who else lives there. Who works in one grid is not asked which. */
class AddHouseholdActivity : Form() {
    private lateinit var grids: LinearLayout
    private lateinit var address: EditText
    private lateinit var head: EditText
    private lateinit var phone: EditText
    private lateinit var others: LinearLayout
    private val people = mutableListOf<PersonFields>()
    private var grid: () -> String? = { null }
    private var kept: String? = null

    override fun fields(into: LinearLayout) {
        title = getString(R.string.household_new)
        grids = into.column()
        address = line(into, getString(R.string.household_address), TYPE_CLASS_TEXT or TYPE_TEXT_VARIATION_POSTAL_ADDRESS or TYPE_TEXT_FLAG_MULTI_LINE, ADDRESS)
        head = line(into, getString(R.string.household_head), TYPE_CLASS_TEXT or TYPE_TEXT_VARIATION_PERSON_NAME, PersonFields.NAME)
        phone = line(into, getString(R.string.household_phone), TYPE_CLASS_PHONE, PHONE)
        into.heading(R.string.household_others)
        others = into.column()
        into.add<Button>(R.layout.button).run {
            setText(R.string.person_another)
            below(GAP_DP)
            setOnClickListener { another().focus() }
        }
        doing { offer(engine.grids()) }
    }

    private fun offer(known: Map<String, String>) {
        if (known.size <= 1) {
            grids.add<TextView>(R.layout.paragraph).text = known.values.firstOrNull()?.let { getString(R.string.household_grid_is, it) } ?: getString(R.string.household_grid_none)
            grid = { known.keys.firstOrNull() }
        } else {
            val choice = grids.choose(getString(R.string.household_grid), known.toList(), kept, keep = false)
            grid = { choice.chosen }
        }
    }

    private fun another() = PersonFields(this, others).also(people::add)

    override fun missing(): String? {
        val missing = listOfNotNull(
            R.string.household_grid.takeIf { grid() == null },
            R.string.household_address.takeIf { address.typed.isEmpty() },
            R.string.household_head.takeIf { head.typed.isEmpty() },
            R.string.person_name.takeIf { people.any { !it.empty && it.nameless } },
        )
        return if (missing.isEmpty()) null else getString(R.string.required, missing.joinToString(getString(R.string.and)) { getString(it) })
    }

    override suspend fun save(): String {
        val head = given("name" to head.typed, "relation" to Relation.HEAD)
        val others = people.filterNot(PersonFields::empty).map(PersonFields::edit)
        return engine.addHousehold(given("grid" to grid(), "address" to address.typed, "phone" to phone.typed), listOf(head) + others, form)
    }

    override fun next(saved: Any) = HouseholdActivity.of(this, saved as String)

    override fun keep(state: Bundle) {
        super.keep(state)
        state.putString(GRID, grid() ?: kept)
        state.putInt(PEOPLE, people.size)
    }

    override fun restore(state: Bundle) {
        kept = state.getString(GRID)
        repeat(state.getInt(PEOPLE)) { another() }
        super.restore(state)
    }

    private companion object {
        const val ADDRESS = 200
        const val PHONE = 40
        const val GAP_DP = 16
        const val GRID = "grid"
        const val PEOPLE = "people"
    }
}
