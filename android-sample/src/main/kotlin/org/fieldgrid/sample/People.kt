package org.fieldgrid.sample

import android.content.Context
import android.text.InputType.TYPE_CLASS_TEXT
import android.text.InputType.TYPE_TEXT_VARIATION_PERSON_NAME
import android.view.ViewGroup
import android.widget.EditText
import org.fieldgrid.FieldEdit

/** What a person is to the head of the household, by the codes of GB/T 4761; each stands for the ten that it begins. */
enum class Relation(val code: String, val label: Int) {
    SPOUSE("10", R.string.relation_spouse),
    SON("20", R.string.relation_son),
    DAUGHTER("30", R.string.relation_daughter),
    GRANDCHILD("40", R.string.relation_grandchild),
    PARENT("50", R.string.relation_parent),
    GRANDPARENT("60", R.string.relation_grandparent),
    SIBLING("70", R.string.relation_sibling),
    KIN("80", R.string.relation_kin),
    OTHER("99", R.string.relation_other),
    ;

    companion object {
        const val HEAD = "02"

        /** A person's relation in words: what is no code was given in words. */
        fun words(context: Context, given: String): String = when {
            given == HEAD -> context.getString(R.string.relation_head)
            given == OTHER.code -> context.getString(OTHER.label)
            given.length != 2 || !given.all(Char::isDigit) -> given
            given >= KIN.code -> context.getString(KIN.label)
            else -> entries.find { it.code[0] == given[0] }?.let { context.getString(it.label) } ?: given
        }
    }
}

/** The fields of a form for someone who is not the head. */
class PersonFields(form: Form, into: ViewGroup) {
    private val name: EditText = form.line(into, form.getString(R.string.person_name), TYPE_CLASS_TEXT or TYPE_TEXT_VARIATION_PERSON_NAME, NAME)
    private val relation = form.pick(into, form.getString(R.string.person_relation), listOf(null to form.getString(R.string.not_given)) + Relation.entries.map { it to form.getString(it.label) })

    /** Whether nothing was given. */
    val empty: Boolean get() = name.typed.isEmpty() && relation() == null

    /** Whether somebody is meant who has no name. */
    val nameless: Boolean get() = name.typed.isEmpty()

    fun focus() = name.requestFocus()

    fun edit() = given("name" to name.typed, "relation" to relation()?.code)

    companion object {
        /** The longest name. */
        const val NAME = 60
    }
}

/** The fields that hold something. */
fun given(vararg fields: Pair<String, String?>) = FieldEdit(fields.filter { (_, value) -> !value.isNullOrEmpty() }.toMap())
