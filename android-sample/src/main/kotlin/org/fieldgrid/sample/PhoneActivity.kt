package org.fieldgrid.sample

import android.widget.Button
import android.widget.LinearLayout
import android.widget.TextView
import org.fieldgrid.DeviceStatus
import org.fieldgrid.words

/** This phone: who it is to the centre, what is on it; and erasing it, for good. */
class PhoneActivity : Erasing() {
    override fun show(into: LinearLayout) {
        title = getString(R.string.phone_title)
        val who = into.column()
        into.heading(R.string.erase)
        val left = into.column()
        into.add<TextView>(R.layout.paragraph).setText(R.string.erase_what)
        val holds = into.column()
        showSyncLine { status ->
            for (column in listOf(who, left, holds)) column.removeAllViews()
            who.row(who(status))
            left.show(status)
            holds.row(Row(getString(R.string.phone_holds), getString(R.string.phone_counts, status.cases, status.households, status.received))).below(16)
        }
    }

    private fun who(status: DeviceStatus): Row {
        val enrolment = status.enrolment ?: return Row(getString(R.string.phone_nobody))
        return Row(enrolment.name ?: getString(R.string.no_name), listOf(say(enrolment.role.words).standing(), getString(R.string.phone_server, enrolment.server)).joinToString("\n"))
    }

    private fun LinearLayout.show(status: DeviceStatus) {
        val unsent = status.unsent
        if (unsent > 0) {
            add<TextView>(R.layout.notice).show(Mark(R.drawable.ic_on_phone, resources.getQuantityString(R.plurals.erase_unsent, unsent, unsent), R.color.bad))
            add<Button>(R.layout.button_primary).run {
                setText(R.string.erase_sync)
                setOnClickListener { doing { engine.syncNow() } }
            }
        }
        if (status.refused > 0) {
            add<TextView>(R.layout.notice).show(Mark(R.drawable.ic_refused, resources.getQuantityString(R.plurals.erase_refused, status.refused, status.refused), R.color.bad))
        }
        loses(if (unsent > 0) resources.getQuantityString(R.plurals.erase_sure_unsent, unsent, unsent) else getString(R.string.erase_sure))
    }
}
