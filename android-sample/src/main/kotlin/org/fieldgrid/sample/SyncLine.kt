package org.fieldgrid.sample

import android.content.Context
import org.fieldgrid.Status
import org.fieldgrid.SyncStatus

/** How the phone stands with the centre, in a line: what receipts say, and nothing more. */
fun syncLine(context: Context, times: Times, status: Status, sync: SyncStatus): String {
    val last = status.contactMs?.let(times::at)
    val stand = when {
        status.unsent > 0u && last != null -> context.getString(R.string.sync_unsent, status.unsent.toInt(), last)
        status.unsent > 0u -> context.getString(R.string.sync_unsent_none, status.unsent.toInt())
        last != null -> context.getString(R.string.sync_all, last)
        else -> context.getString(R.string.sync_none)
    }
    return listOfNotNull(
        stand,
        context.getString(R.string.sync_again, status.again.toInt()).takeIf { status.again > 0u },
        context.getString(R.string.lease_ended).takeIf { status.reportOnly },
        if (sync.syncing) context.getString(R.string.syncing) else sync.wait?.let(context::say),
    ).joinToString("\n")
}
