package org.fieldgrid.sample

import android.content.Context
import android.content.Intent
import android.widget.EditText
import android.widget.LinearLayout
import org.fieldgrid.FieldEdit

/** One field of a household. Only this field is written, so nothing that a colleague changed meanwhile is undone. */
class EditActivity : Form() {
    private lateinit var value: EditText

    override fun fields(into: LinearLayout) {
        val field = getString(HouseholdField.valueOf(checkNotNull(intent.getStringExtra(FIELD))).label)
        title = getString(R.string.edit_title, field)
        value = into.words(field, intent.getStringExtra(VALUE).orEmpty())
    }

    override fun missing(): String? = null

    override suspend fun save() {
        if (!mayBeSaved && value.typed == intent.getStringExtra(VALUE)) return
        val field = HouseholdField.valueOf(checkNotNull(intent.getStringExtra(FIELD)))
        engine.editHousehold(checkNotNull(intent.getStringExtra(ID)), FieldEdit(field.key to value.typed.ifEmpty { null }), form = form)
    }

    companion object {
        private const val ID = "household"
        private const val FIELD = "field"
        private const val VALUE = "value"

        fun of(context: Context, household: String, field: HouseholdField, value: String): Intent =
            Intent(context, EditActivity::class.java).putExtra(ID, household).putExtra(FIELD, field.name).putExtra(VALUE, value)
    }
}
