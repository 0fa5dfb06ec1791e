package org.fieldgrid.sample

import android.content.Context
import android.content.Intent
import android.widget.LinearLayout
import android.widget.TextView

/** What is on this phone cannot be opened: the PIN is forgotten, or the key is gone. What is lost by that, what is not, and the way on. */
class ForgottenActivity : Erasing(needsStore = false) {
    override fun show(into: LinearLayout) {
        val lost = intent.getBooleanExtra(KEY_LOST, false)
        title = getString(if (lost) R.string.lost_title else R.string.forgotten_title)
        for (words in listOf(if (lost) R.string.keys_lost else R.string.forgotten_why, R.string.lost_what, if (lost) R.string.lost_way else R.string.forgotten_way)) {
            into.add<TextView>(R.layout.paragraph).setText(words)
        }
        loses(getString(R.string.erase_sure_unknown))
    }

    companion object {
        private const val KEY_LOST = "key lost"

        fun of(context: Context, keyLost: Boolean): Intent = Intent(context, ForgottenActivity::class.java).putExtra(KEY_LOST, keyLost)
    }
}
