package org.fieldgrid.sample

import android.content.Intent
import android.content.Intent.FLAG_ACTIVITY_CLEAR_TASK
import android.content.Intent.FLAG_ACTIVITY_NEW_TASK
import android.widget.Button
import android.widget.CheckBox
import android.widget.LinearLayout
import android.widget.TextView
import java.io.IOException
import kotlinx.coroutines.launch

/** A screen that can erase this phone: after its person has ticked what is lost by it, in words. */
abstract class Erasing(needsStore: Boolean = true) : Screen(R.layout.erase, needsStore) {
    private var erasing = false

    /** Shows what there is to know first, in [into]. */
    abstract fun show(into: LinearLayout)

    final override fun create() {
        val sure = view<CheckBox>(R.id.sure)
        sure.setOnCheckedChangeListener { _, _ -> ready() }
        view<Button>(R.id.erase).setOnClickListener { scope.launch { erase() } }
        show(view(R.id.body))
        ready()
    }

    /** What is ticked. Once it says something else, it has to be ticked again. */
    protected fun loses(words: String) = view<CheckBox>(R.id.sure).run {
        if (text.toString() != words) isChecked = false
        text = words
    }

    private fun ready() {
        view<Button>(R.id.erase).isEnabled = view<CheckBox>(R.id.sure).isChecked && !erasing
    }

    private suspend fun erase() {
        erasing = true
        ready()
        val button = view<Button>(R.id.erase)
        button.setText(R.string.erasing)
        try {
            app.erase()
            startActivity(Intent(this, UnlockActivity::class.java).addFlags(FLAG_ACTIVITY_NEW_TASK or FLAG_ACTIVITY_CLEAR_TASK))
            finish()
        } catch (_: IOException) {
            view<TextView>(R.id.error).showOrHide(getString(R.string.erase_failed))
            button.setText(R.string.erase)
            erasing = false
            ready()
        }
    }
}
