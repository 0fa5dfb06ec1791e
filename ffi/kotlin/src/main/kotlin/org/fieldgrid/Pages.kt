package org.fieldgrid

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.channelFlow
import kotlinx.coroutines.flow.conflate
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.launch
import kotlinx.coroutines.selects.select
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock

/**
 * A list of any length, loaded as one scrolls and watched where one looks: tell it by [look] which rows are on the screen, and show what [rows] gives.
 *
 * ```kotlin
 * val households = Pages(HouseholdRow::id) { after -> phone.observeHouseholds(after = after) }
 * ```
 *
 * However long the list is, only the pages on the screen and those beside it are watched. The others keep the rows that they had, and are looked at again
 * before they come back to the screen.
 *
 * @param key what tells a row from every other. A row that has moved to where one looks is not shown at its old place as well.
 * @param page the page that begins after a token; the first begins after `null`.
 */
class Pages<T>(private val key: (T) -> Any, private val page: (after: PageToken?) -> Flow<Page<T>>) {
    /**
     * What is loaded of a list.
     *
     * @property list the rows.
     * @property more whether the list goes on.
     */
    data class Rows<out T>(val list: List<T>, val more: Boolean)

    private class Loaded<T>(var after: PageToken?, var page: Page<T>? = null, var watch: Job? = null) {
        val rows: List<T> get() = page?.rows.orEmpty()
    }

    private class Came<T>(val number: Int, val after: PageToken?, val page: Page<T>)

    private val onScreen = MutableStateFlow(0..0)
    private val loaded = mutableListOf(Loaded<T>(null))

    /** Held by who collects. A collector that was cancelled may still be taking a page, and a screen that comes back does not wait for it. */
    private val collecting = Mutex()

    /** The rows, and again at each change. One collects at a time, the next when that has ended; who collects again goes on where it was. */
    val rows: Flow<Rows<T>> = channelFlow {
        collecting.withLock {
            val came = Channel<Came<T>>()
            val looked = Channel<IntRange>(Channel.CONFLATED)
            val watch = { number: Int, after: PageToken? -> launch { page(after).collect { came.send(Came(number, after, it)) } } }
            loaded.forEach { it.watch = null }
            launch { onScreen.collect { looked.send(it) } }
            while (true) {
                select {
                    looked.onReceive { watchAround(it, watch) }
                    came.onReceive {
                        if (take(it)) {
                            watchAround(onScreen.value, watch)
                            trySend(shown())
                        }
                    }
                }
            }
        }
    }.conflate().flowOn(Dispatchers.Default)

    /** Rows [first] to [last] are on the screen. */
    fun look(first: Int, last: Int) {
        onScreen.value = first..maxOf(first, last)
    }

    /** Whether it is news of a page that is still watched so. */
    private fun take(news: Came<T>): Boolean {
        val one = loaded.getOrNull(news.number)?.takeIf { it.watch != null && it.after == news.after } ?: return false
        one.page = news.page
        val rest = loaded.subList(news.number + 1, loaded.size)
        val next = news.page.next
        if (next == null) {
            rest.forEach { it.watch?.cancel() }
            rest.clear()
        } else if (rest.isNotEmpty() && rest[0].after != next) {
            // Else what now lies between the two pages would be missing, or be there twice.
            rest[0].after = next
            rest[0].unwatch()
        }
        return true
    }

    private fun watchAround(rows: IntRange, watch: (Int, PageToken?) -> Job) {
        val first = rows.first.coerceAtMost(loaded.sumOf { it.rows.size } - 1) - BESIDE
        val last = rows.last + BESIDE
        var at = 0
        loaded.forEachIndexed { number, one ->
            val end = at + one.rows.size
            if (at > last || end < first) one.unwatch() else if (one.watch == null) one.watch = watch(number, one.after)
            at = end
        }
        val next = loaded.last().page?.next
        if (next != null && at <= last) loaded += Loaded(next, watch = watch(loaded.size, next))
    }

    private fun Loaded<T>.unwatch() {
        watch?.cancel()
        watch = null
    }

    private fun shown(): Rows<T> {
        val fresh = loaded.filter { it.watch != null }.flatMapTo(HashSet()) { it.rows.map(key) }
        val rows = loaded.flatMap { one -> if (one.watch != null) one.rows else one.rows.filter { key(it) !in fresh } }
        return Rows(rows.distinctBy(key), more = loaded.last().run { page == null || page?.next != null })
    }

    private companion object {
        /** Rows beyond the screen that are ready, so that nobody waits who scrolls. */
        const val BESIDE = 25
    }
}
