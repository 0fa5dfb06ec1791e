package org.fieldgrid.sample

import android.os.Bundle
import android.text.InputFilter
import android.view.View
import android.view.ViewGroup
import android.widget.ArrayAdapter
import android.widget.EditText
import android.widget.LinearLayout
import android.widget.RadioButton
import android.widget.RadioGroup
import android.widget.Spinner
import android.widget.TextView

/**
 * A form: labelled fields, one button.
 *
 * What was typed survives a turn of the phone, and the end of the process.
 */
abstract class Form : SavingScreen(R.layout.form) {
    /** The fields in the order in which they were added: the ids of their views are others each time. */
    private val inputs = mutableListOf<Input>()
    private val secrets = mutableListOf<Input>()

    /** Adds the fields. */
    abstract fun fields(into: LinearLayout)

    final override fun create() {
        fields(view(R.id.fields))
        (lastNonConfigurationInstance as? List<*>)?.let { secrets.zip(it) { secret, value -> secret.write(value as String) } }
        savesBy(view(R.id.save))
    }

    override fun keep(state: Bundle) {
        super.keep(state)
        state.putStringArrayList(INPUTS, inputs.mapTo(ArrayList()) { it.read() })
    }

    override fun restore(state: Bundle) {
        super.restore(state)
        val values = state.getStringArrayList(INPUTS) ?: return
        inputs.zip(values) { input, value -> input.write(value) }
    }

    override fun onRetainNonConfigurationInstance(): Any = secrets.map { it.read() }

    private class Input(val read: () -> String, val write: (String) -> Unit)

    /** A field for words, with its label. */
    protected fun ViewGroup.words(label: String, value: String = ""): EditText = field(R.layout.field, label, value)

    /** A field of a line. What is [secret] survives a turn of the phone only: what survives more is given out of the app's hands. */
    fun line(into: ViewGroup, label: String, type: Int, longest: Int, secret: Boolean = false): EditText = into.field(R.layout.field_line, label, "", secret).apply {
        inputType = type
        filters = arrayOf(InputFilter.LengthFilter(longest))
    }

    private fun ViewGroup.field(layout: Int, label: String, value: String, secret: Boolean = false): EditText {
        val shown = add<TextView>(R.layout.label)
        shown.text = label
        val field = add<EditText>(layout)
        field.id = View.generateViewId()
        field.isSaveEnabled = false
        shown.labelFor = field.id
        field.setText(value)
        (if (secret) secrets else inputs).add(Input({ field.text.toString() }, field::setText))
        return field
    }

    /** One of several, with its label. Each is as large as a button. */
    protected fun <T> ViewGroup.choice(label: String, choices: List<Pair<T, Int>>, chosen: T? = null): Choice<T> =
        choose(label, choices.map { (value, words) -> value to getString(words) }, chosen)

    /** The same, of what has names; [keep] it unless the form does. */
    protected fun <T> ViewGroup.choose(label: String, choices: List<Pair<T, String>>, chosen: T? = null, keep: Boolean = true): Choice<T> {
        add<TextView>(R.layout.label).text = label
        val group = RadioGroup(context).also(::addView)
        val buttons = choices.map { (value, words) ->
            value to group.add<RadioButton>(R.layout.choice).apply {
                id = View.generateViewId()
                isSaveEnabled = false
                text = words
            }
        }
        buttons.find { it.first == chosen }?.second?.isChecked = true
        if (keep) inputs += Input({ buttons.indexOfFirst { it.second.isChecked }.toString() }, { at -> buttons.getOrNull(at.toInt())?.second?.isChecked = true })
        return Choice(buttons)
    }

    /** One of many, which are shown on a tap; the first at first. */
    fun <T> pick(into: ViewGroup, label: String, choices: List<Pair<T, String>>): () -> T {
        val shown = into.add<TextView>(R.layout.label)
        shown.text = label
        val spinner = into.add<Spinner>(R.layout.spinner)
        spinner.id = View.generateViewId()
        spinner.isSaveEnabled = false
        spinner.contentDescription = label
        shown.labelFor = spinner.id
        spinner.adapter = ArrayAdapter(this, R.layout.spinner_item, choices.map { it.second })
        inputs += Input({ spinner.selectedItemPosition.toString() }, { at -> spinner.setSelection(at.toInt()) })
        return { choices[spinner.selectedItemPosition].first }
    }

    protected class Choice<T>(private val buttons: List<Pair<T, RadioButton>>) {
        val chosen: T? get() = buttons.find { it.second.isChecked }?.first
    }

    private companion object {
        const val INPUTS = "inputs"
    }
}
