package org.fieldgrid.sample

import android.content.Context
import android.content.Intent
import android.widget.LinearLayout

/** One more person of a household. */
class AddPersonActivity : Form() {
    private lateinit var person: PersonFields

    override fun fields(into: LinearLayout) {
        title = getString(R.string.person_add)
        person = PersonFields(this, into)
    }

    override fun missing(): String? = if (person.nameless) getString(R.string.required, getString(R.string.person_name)) else null

    override suspend fun save() {
        engine.addPerson(checkNotNull(intent.getStringExtra(ID)), person.edit(), form)
    }

    companion object {
        private const val ID = "household"

        fun of(context: Context, household: String): Intent = Intent(context, AddPersonActivity::class.java).putExtra(ID, household)
    }
}
