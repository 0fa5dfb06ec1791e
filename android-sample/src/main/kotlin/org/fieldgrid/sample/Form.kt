package org.fieldgrid.sample

import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.EditText
import android.widget.LinearLayout
import android.widget.RadioButton
import android.widget.RadioGroup
import android.widget.TextView
import kotlinx.coroutines.launch
import org.fieldgrid.FieldgridException

/** A form: labelled fields, one button. It closes when what was typed is saved on the phone; it never waits for the network. */
abstract class Form : Screen(R.layout.form) {
    /** Adds the fields. */
    abstract fun fields(into: LinearLayout)

    /** What is missing, in words; `null` when the form may be saved. */
    abstract fun missing(): String?

    /** Saves what was typed. */
    abstract suspend fun save()

    final override fun create() {
        fields(view(R.id.fields))
        view<Button>(R.id.save).setOnClickListener { button ->
            val missing = missing()
            complain(missing)
            if (missing == null) {
                button.isEnabled = false
                scope.launch {
                    try {
                        save()
                        finish()
                    } catch (refused: FieldgridException) {
                        complain(say(refused.words))
                        button.isEnabled = true
                    }
                }
            }
        }
    }

    private fun complain(words: String?) = view<TextView>(R.id.error).showOrHide(words)

    /** A field for words, with its label. */
    protected fun ViewGroup.words(label: String, value: String = ""): EditText {
        val shown = add<TextView>(R.layout.label)
        shown.text = label
        val field = add<EditText>(R.layout.field)
        field.id = View.generateViewId()
        shown.labelFor = field.id
        field.setText(value)
        return field
    }

    /** One of several, with its label. Each is as large as a button. */
    protected fun <T> ViewGroup.choice(label: String, choices: List<Pair<T, Int>>, chosen: T? = null): Choice<T> {
        add<TextView>(R.layout.label).text = label
        val group = RadioGroup(context).also(::addView)
        val buttons = choices.map { (value, words) ->
            value to group.add<RadioButton>(R.layout.choice).apply {
                id = View.generateViewId()
                setText(words)
            }
        }
        buttons.find { it.first == chosen }?.second?.isChecked = true
        return Choice(buttons)
    }

    protected class Choice<T>(private val buttons: List<Pair<T, RadioButton>>) {
        val chosen: T? get() = buttons.find { it.second.isChecked }?.first
    }
}
