package org.fieldgrid.sample

import android.content.Context
import android.content.Intent
import android.widget.Button
import android.widget.LinearLayout
import android.widget.TextView
import org.fieldgrid.HouseholdDetail
import org.fieldgrid.Person
import org.fieldgrid.VisitRow

/** A household: who lives there, what is known, the latest visits. */
class HouseholdActivity : Screen(R.layout.body) {
    override fun create() {
        title = getString(R.string.household_title)
        showSyncLine()
        val id = checkNotNull(intent.getStringExtra(ID)) { "a household's screen is opened with its id" }
        val body = view<LinearLayout>(R.id.body)
        engine.observeHousehold(id).shows { household ->
            body.removeAllViews()
            if (household == null) body.add<TextView>(R.layout.paragraph).setText(R.string.household_gone) else body.show(household)
        }
    }

    private fun LinearLayout.show(household: HouseholdDetail) {
        row(words.row(household.row))
        if (household.parked) add<TextView>(R.layout.paragraph).setText(R.string.case_parked)
        val fields = household.fields
        if (household.row.masked) {
            add<TextView>(R.layout.paragraph).setText(R.string.household_masked)
            return
        }
        add<Button>(R.layout.button_primary).run {
            setText(R.string.add_visit)
            setOnClickListener { startActivity(VisitActivity.of(context, household.row.id)) }
        }
        heading(R.string.household_persons)
        household.persons.filterNot(Person::ended).forEach { person ->
            row(row(person)) { startActivity(IdNumberActivity.of(context, household.row.id, person)) }
        }
        add<Button>(R.layout.button).run {
            setText(R.string.person_add)
            setOnClickListener { startActivity(AddPersonActivity.of(context, household.row.id)) }
        }
        heading(R.string.household_visits)
        household.visits.forEach { row(row(it)) }
        if (household.visits.isEmpty()) add<TextView>(R.layout.paragraph).setText(R.string.household_no_visits)
        heading(R.string.household_facts)
        for (field in HouseholdField.entries) {
            val value = fields[field.key].orEmpty()
            val others = household.alternatives.filter { it.person == null && it.field == field.key }.flatMap { it.values }
            val also = Mark(R.drawable.ic_question, getString(R.string.also_given, others.joinToString()), R.color.warn).takeIf { others.isNotEmpty() }
            row(Row(getString(field.label), value.ifEmpty { getString(R.string.not_given) }, listOfNotNull(also))) {
                startActivity(EditActivity.of(context, household.row.id, field, value))
            }
        }
    }

    private fun row(person: Person) = Row(
        person.name ?: getString(R.string.no_name),
        listOfNotNull(person.fields["relation"]?.let { Relation.words(this, it).standing() }, person.fields["birth"]?.let { getString(R.string.born, it.take(YEAR)) }).joinToString(" · "),
        person.tags.map { Mark(R.drawable.ic_care, it, R.color.warn) } + Mark(R.drawable.ic_id, getString(if (person.hasIdNumber) R.string.id_known else R.string.id_unknown)),
    )

    private fun row(visit: VisitRow) = Row(
        "${times.at(visit.visitedMs)} ${getString(label(visit.result))}",
        listOfNotNull(getString(label(visit.kind)), visit.nextDueMs?.let { getString(R.string.next_visit, times.day(it)) }).joinToString(" · "),
        listOfNotNull(words.mark(visit.delivery)),
    )

    companion object {
        private const val ID = "household"
        private const val YEAR = 4

        fun of(context: Context, id: String): Intent = Intent(context, HouseholdActivity::class.java).putExtra(ID, id)
    }
}

/** The fields of a household that are edited here. */
enum class HouseholdField(val key: String, val label: Int) {
    ADDRESS("address", R.string.address),
    CONTACT("contact", R.string.contact),
    PHONE("phone", R.string.phone),
    NOTE("note", R.string.note),
}
