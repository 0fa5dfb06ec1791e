package org.fieldgrid.internal

import java.util.UUID
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.buffer
import kotlinx.coroutines.flow.conflate
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.withContext
import org.fieldgrid.*
import org.fieldgrid.ffi.Device
import org.fieldgrid.ffi.Disposable
import org.fieldgrid.ffi.FieldgridException as Failure
import org.fieldgrid.ffi.OpenRequest
import org.fieldgrid.ffi.openDevice

/** The real engine, through the bindings. */
internal class Engine private constructor(private val device: Device) : Fieldgrid {
    override suspend fun enrol(invite: String) = aside { device.enrol(invite) }
    override suspend fun wipe() = aside { device.wipe() }
    override suspend fun status() = aside { device.status().shown() }
    override fun observeStatus() = watching({ device.observeStatus() }, { next() }, { shown() })

    override suspend fun cases(filter: CaseFilter, limit: Int, after: PageToken?) =
        aside { device.cases(filter.given(), rows(limit), after?.given()).shown() }

    override fun observeCases(filter: CaseFilter, limit: Int, after: PageToken?) =
        watching({ device.observeCases(filter.given(), rows(limit), after?.given()) }, { next() }, { shown() })

    override suspend fun case(id: String) = aside { device.case(id)?.shown() }
    override fun observeCase(id: String) = watching({ device.observeCase(id) }, { next() }, { this?.shown() })
    override suspend fun report(fields: ActionFields, form: UUID?) = aside { device.report(fields.given(), form?.toString()) }

    override suspend fun act(case: String, kind: ActionKind, fields: ActionFields, form: UUID?) =
        aside { device.act(case, kind.given(), fields.given(), form?.toString()) }

    override suspend fun households(filter: HouseholdFilter, limit: Int, after: PageToken?) =
        aside { device.households(filter.given(), rows(limit), after?.given()).shown() }

    override fun observeHouseholds(filter: HouseholdFilter, limit: Int, after: PageToken?) =
        watching({ device.observeHouseholds(filter.given(), rows(limit), after?.given()) }, { next() }, { shown() })

    override suspend fun household(id: String) = aside { device.household(id)?.shown() }
    override fun observeHousehold(id: String) = watching({ device.observeHousehold(id) }, { next() }, { this?.shown() })

    override suspend fun grids() = aside { device.grids().toSortedMap() }

    override suspend fun addHousehold(fields: FieldEdit, persons: List<FieldEdit>, form: UUID?) =
        aside { device.addHousehold(fields.given(), persons.map { it.given() }, form?.toString()) }

    override suspend fun editHousehold(id: String, fields: FieldEdit, persons: Map<String, FieldEdit>, form: UUID?) =
        aside { device.editHousehold(id, fields.given(), persons.mapValues { it.value.given() }, form?.toString()) }

    override suspend fun addPerson(household: String, fields: FieldEdit, form: UUID?) = aside { device.addPerson(household, fields.given(), form?.toString()) }

    override suspend fun setIdNumber(household: String, person: String, value: String, form: UUID?) =
        aside { device.setIdNumber(household, person, value, form?.toString()) }

    override suspend fun revealIdNumber(household: String, person: String, reason: RevealReason, note: String?) =
        aside { device.revealIdNumber(household, person, reason.given(), note) }

    override suspend fun visits(household: String?, limit: Int, after: PageToken?) =
        aside { device.visits(household, rows(limit), after?.given()).shown() }

    override fun observeVisits(household: String?, limit: Int, after: PageToken?) =
        watching({ device.observeVisits(household, rows(limit), after?.given()) }, { next() }, { shown() })

    override suspend fun visit(household: String, visit: Visit, form: UUID?) = aside { device.visit(household, visit.given(), form?.toString()) }
    override suspend fun search(typed: String, limit: Int, after: PageToken?) = aside { device.search(typed, rows(limit), after?.given()).shown() }
    override fun observeRefused() = watching({ device.observeRefused() }, { next() }, { map { it.shown() } })
    override suspend fun refused() = aside { device.refused().map { it.shown() } }
    override suspend fun discard(record: String, edit: String) = aside { device.discard(record, edit) }
    override suspend fun sendAsNote(case: String, edit: String) = aside { device.sendAsNote(case, edit) }
    override suspend fun redo(record: String, edit: String) = aside { device.redo(record, edit) }
    override suspend fun correct(record: String, edit: String, fields: ActionFields) = aside { device.correctAction(record, edit, fields.given()) }
    override suspend fun correct(record: String, edit: String, fields: FieldEdit, persons: Map<String, FieldEdit>) =
        aside { device.correctHousehold(record, edit, fields.given(), persons.mapValues { (_, set) -> set.given() }) }

    override suspend fun correct(record: String, edit: String, visit: Visit) = aside { device.correctVisit(record, edit, visit.given()) }
    override suspend fun correctIdNumber(record: String, edit: String, value: String) = aside { device.correctIdNumber(record, edit, value) }
    override suspend fun headsNote() = aside { device.headsNote() }

    override suspend fun compare(note: String) = aside { device.compare(note).shown() }

    override suspend fun history(limit: Int, after: PageToken?) = aside { device.history(rows(limit), after?.given()).shown() }
    override suspend fun names() = aside { device.names().shown() }
    override suspend fun syncNow() = aside { device.syncNow().shown() }
    override suspend fun start() = aside { device.start() }
    override suspend fun stop() = aside { device.stop() }
    override suspend fun wake() = aside { device.wake() }

    override fun close() = device.beginShutdown() // The library was ready when the device was opened.
    override suspend fun closeAndWait() = aside { device.shutdown() }

    companion object {
        suspend fun open(options: OpenOptions): Fieldgrid = aside {
            val device = openDevice(OpenRequest(options.path.path, options.key, options.life?.path, options.caPem, options.startAnew))
            Engine(device)
        }

        fun log(most: LogLevel): Flow<LogLine> = lines(most).buffer()

        private fun lines(most: LogLevel) = flow {
            Library.ready()
            org.fieldgrid.ffi.observeLog(most.given()).use { log -> while (true) emit((log.next() ?: break).shown()) }
        }.flowOn(Dispatchers.IO)
    }
}

/** Nothing runs on the caller's thread: a first call loads classes, and what comes back has to be read. */
private suspend fun <T> aside(work: suspend () -> T): T = withContext(Dispatchers.IO) {
    try {
        Library.ready()
        work()
    } catch (failure: Failure) {
        throw failure.shown()
    }
}

/** A watch of the engine as a flow, which gives it back when collecting ends. */
private fun <W : Disposable, T, S> watching(open: () -> W, next: suspend W.() -> T, shown: T.() -> S): Flow<S> = flow {
    try {
        Library.ready()
        val watch = open()
        try {
            while (true) emit(watch.next().shown())
        } finally {
            watch.destroy()
        }
    } catch (failure: Failure) {
        throw failure.shown()
    }
}.conflate().flowOn(Dispatchers.IO)

/** How many rows a page may have; the engine's own bound is above. */
private fun rows(limit: Int) = limit.coerceAtLeast(1).toUInt()
