package org.fieldgrid.sample

import android.content.Context
import java.text.SimpleDateFormat
import java.util.Calendar
import java.util.Date
import java.util.Locale

/** Times in words, as seen [now]. */
class Times(private val context: Context, private val now: () -> Long) {
    private val locale: Locale = context.resources.configuration.locales[0]
    private val clock = SimpleDateFormat("HH:mm", locale)
    private val day = SimpleDateFormat(if (locale.language == "zh") "M月d日" else "d MMM", locale)

    /** 14:02; with the day, when it is not today. */
    fun at(ms: Long): String = if (daysFromToday(ms) == 0) clock.format(Date(ms)) else dayAndTime(ms)

    /** Today 14:02, tomorrow 14:02, 3 May 14:02. */
    fun dayAndTime(ms: Long): String {
        val time = clock.format(Date(ms))
        return when (daysFromToday(ms)) {
            -1 -> context.getString(R.string.yesterday_at, time)
            0 -> context.getString(R.string.today_at, time)
            1 -> context.getString(R.string.tomorrow_at, time)
            else -> "${day(ms)} $time"
        }
    }

    fun day(ms: Long): String = day.format(Date(ms))

    /** How much time lies behind: in the largest unit that fits. */
    fun since(ms: Long): String {
        val minutes = ((now() - ms) / MINUTE).coerceAtLeast(1).toInt()
        return when {
            minutes < 60 -> context.resources.getQuantityString(R.plurals.minutes, minutes, minutes)
            minutes < 48 * 60 -> context.resources.getQuantityString(R.plurals.hours, minutes / 60, minutes / 60)
            else -> context.resources.getQuantityString(R.plurals.days, minutes / 60 / 24, minutes / 60 / 24)
        }
    }

    fun due(ms: Long): Mark = if (ms < now()) {
        Mark(R.drawable.ic_overdue, context.getString(R.string.overdue, since(ms)), R.color.bad)
    } else {
        Mark(R.drawable.ic_due, context.getString(R.string.due, dayAndTime(ms)), if (ms - now() < SOON) R.color.warn else R.color.quiet)
    }

    private fun daysFromToday(ms: Long): Int = (midnight(ms) - midnight(now())).let { (it + DAY / 2).floorDiv(DAY).toInt() }

    private fun midnight(ms: Long): Long = Calendar.getInstance().run {
        timeInMillis = ms
        set(Calendar.HOUR_OF_DAY, 0)
        set(Calendar.MINUTE, 0)
        set(Calendar.SECOND, 0)
        set(Calendar.MILLISECOND, 0)
        timeInMillis
    }

    companion object {
        const val MINUTE = 60_000L
        const val DAY = 24 * 60 * MINUTE
        private const val SOON = 4 * 60 * MINUTE
    }
}
