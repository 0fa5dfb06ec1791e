// The generated bindings are FieldgridKt.
@file:JvmName("FieldgridApi")

package org.fieldgrid

import java.io.File
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.combine
import kotlinx.coroutines.flow.conflate
import kotlinx.coroutines.flow.distinctUntilChanged
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.withContext

/**
 * A phone: one call for each screen.
 *
 * Every call may be made from any thread, also the main thread, and blocks none. A cancelled call was done, or was never begun. Flows give the current value
 * first, then each other one; who collects slowly sees the latest.
 */
interface Fieldgrid : AutoCloseable {
    /** Who the phone is; `null` before enrolment. */
    suspend fun enrolment(): Enrolment?

    /** @throws FieldgridException.NotEnrolled the phone is as it was. */
    suspend fun enrol(invite: String)

    /** Reports a new case; its id. */
    suspend fun report(fields: ActionFields): String
    suspend fun act(case: String, kind: ActionKind, fields: ActionFields = ActionFields())
    suspend fun addHousehold(fields: Map<String, String>, persons: List<Map<String, String>> = emptyList()): String

    /** Sets exactly one field; empty clears it. */
    suspend fun setField(household: String, name: String, value: String)
    suspend fun visit(household: String, visit: Visit)

    /** Today's list: what is open, due first. */
    fun observeToday(limit: Int): Flow<CasePage>
    fun observeCase(case: String): Flow<CaseDetail?>
    fun observeHouseholds(limit: Int): Flow<HouseholdPage>
    fun observeHousehold(household: String): Flow<HouseholdDetail?>
    fun observeStatus(): Flow<Status>
    fun observeSync(): Flow<SyncStatus>

    /** What the centre refused and its author has not decided about. */
    fun observeRefused(): Flow<List<EditRow>>
    suspend fun search(typed: String, limit: Int): HitPage

    suspend fun discard(record: String, edit: String)
    suspend fun sendAsNote(case: String, edit: String)

    /** Syncs once, until everything is exchanged, or something makes it wait. */
    suspend fun syncNow(): SyncStatus

    /** Keeps in sync from now on. */
    suspend fun start()
    suspend fun stop()

    /** The app is in front, or the network is back: what waits tries now. */
    suspend fun wake()

    companion object {
        /**
         * Opens the store with its key of 32 bytes, or makes it.
         *
         * @throws FieldgridException.WrongKey nothing was changed.
         * @throws FieldgridException.Storage nothing was changed.
         */
        suspend fun open(store: File, key: ByteArray, life: File? = null): Fieldgrid = aside {
            Opened(openDevice(store.path, key, life?.path)).also { Vocabulary }
        }
    }
}

/** What to tell a person: what is the matter and what to do. */
val FieldgridException.words: Words
    get() = when (this) {
        is FieldgridException.WrongKey -> words
        is FieldgridException.Storage -> words
        is FieldgridException.Locked -> words
        is FieldgridException.NotEnrolled -> words
        is FieldgridException.NotSaved -> words
    }

/** What codes are called. Read once from the engine, by the time a store is open: asking it is no work for a main thread. */
private object Vocabulary {
    val states = CaseState.entries.associateWith(::stateWords)
    val actions = ActionKind.entries.associateWith(::actionWords)
    val severities = Severity.entries.associateWith(::severityWords)
    val categories = categories().associateBy(Category::code)
}

val CaseState.words: Words get() = Vocabulary.states.getValue(this)
val ActionKind.words: Words get() = Vocabulary.actions.getValue(this)
val Severity.words: Words get() = Vocabulary.severities.getValue(this)

/** The categories of cases by code: majors of two digits, each before its minors of four. */
val caseCategories: Map<String, Category> get() = Vocabulary.categories

/** Nothing of it runs on the caller's thread: the first call of a function loads classes, and a poll of the engine's future is the engine's work. */
private suspend fun <T> aside(work: suspend () -> T): T = withContext(Dispatchers.IO) { work() }

private class Opened(private val device: DeviceInterface) : Fieldgrid {
    override suspend fun enrolment() = aside { device.enrolment() }
    override suspend fun enrol(invite: String) = aside { device.enrol(invite) }
    override suspend fun report(fields: ActionFields) = aside { device.report(fields) }
    override suspend fun act(case: String, kind: ActionKind, fields: ActionFields) = aside { device.act(case, kind, fields) }
    override suspend fun addHousehold(fields: Map<String, String>, persons: List<Map<String, String>>) = aside { device.addHousehold(fields, persons) }
    override suspend fun setField(household: String, name: String, value: String) = aside { device.setField(household, name, value) }
    override suspend fun visit(household: String, visit: Visit) = aside { device.visit(household, visit) }

    override fun observeToday(limit: Int): Flow<CasePage> {
        val due = watching({ device.observeCases(true, limit.toUInt()) }) { it.next() }
        val open = watching({ device.observeCases(false, limit.toUInt()) }) { it.next() }
        return due.combine(open) { first, all -> CasePage((first.rows + all.rows.filter { it.dueMs == null }).take(limit), first.more || all.more) }
    }

    override fun observeCase(case: String) = watching({ device.observeCase(case) }) { it.next() }
    override fun observeHouseholds(limit: Int) = watching({ device.observeHouseholds(limit.toUInt()) }) { it.next() }
    override fun observeHousehold(household: String) = watching({ device.observeHousehold(household) }) { it.next() }
    override fun observeStatus() = watching({ device.observeStatus() }) { it.next() }
    override fun observeSync() = watching({ device.observeSync() }) { it.next() }
    override fun observeRefused() = observeStatus().map { device.refused() }.distinctUntilChanged().flowOn(Dispatchers.IO)
    override suspend fun search(typed: String, limit: Int) = aside { device.search(typed, limit.toUInt()) }
    override suspend fun discard(record: String, edit: String) = aside { device.discard(record, edit) }
    override suspend fun sendAsNote(case: String, edit: String) = aside { device.sendAsNote(case, edit) }
    override suspend fun syncNow() = aside { device.syncNow() }
    override suspend fun start() = aside { device.start() }
    override suspend fun stop() = aside { device.stop() }
    override suspend fun wake() = aside { device.wake() }

    override fun close() {
        (device as? Disposable)?.destroy()
    }

    /** A watch of the engine as a flow, on no one's main thread. */
    private fun <W : Disposable, T> watching(open: () -> W, next: suspend (W) -> T): Flow<T> = flow {
        val watch = open()
        try {
            while (true) emit(next(watch))
        } finally {
            watch.destroy()
        }
    }.conflate().flowOn(Dispatchers.IO)
}
