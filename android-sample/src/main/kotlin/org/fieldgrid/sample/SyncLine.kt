package org.fieldgrid.sample

import android.content.Context
import org.fieldgrid.DeviceStatus
import org.fieldgrid.WaitReason

/** How the phone stands with the centre, in a line: what receipts say, and nothing more. */
fun syncLine(context: Context, times: Times, status: DeviceStatus): String {
    val last = status.contactMs?.let(times::at)
    val stand = when {
        status.unsent > 0 && last != null -> context.getString(R.string.sync_unsent, status.unsent, last)
        status.unsent > 0 -> context.getString(R.string.sync_unsent_none, status.unsent)
        last != null -> context.getString(R.string.sync_all, last)
        else -> context.getString(R.string.sync_none)
    }
    return listOfNotNull(
        stand,
        context.getString(R.string.sync_again, status.again).takeIf { status.again > 0 },
        context.getString(R.string.lease_ended).takeIf { status.reportOnly },
        if (status.syncing) context.getString(R.string.syncing) else status.wait?.takeIf { it.reason != WaitReason.SCHEDULED }?.let { context.say(it.words) },
    ).joinToString("\n")
}
