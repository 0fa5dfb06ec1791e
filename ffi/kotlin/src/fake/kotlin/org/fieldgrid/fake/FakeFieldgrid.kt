package org.fieldgrid.fake

import java.util.UUID
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.conflate
import kotlinx.coroutines.flow.distinctUntilChanged
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import org.fieldgrid.*

/**
 * A phone in memory, for the tests of apps: no library, no server, no threads of its own.
 *
 * It behaves: what is saved is listed at once and is "on this phone" until [syncNow] brings it to the centre, which it does only while [online]; what
 * [refuseNext] announced is refused by the centre then, stays visible with the reason, and can be discarded or sent as a note. What others do is put in by
 * [put]. It judges nothing: which actions are possible is what [put] said. A form is saved once, as on a phone.
 */
class FakeFieldgrid(enrolled: Boolean = true, private val now: () -> Long = System::currentTimeMillis) : Fieldgrid {
    private data class World(
        val enrolment: Enrolment? = null,
        val cases: Map<String, CaseDetail> = emptyMap(),
        val households: Map<String, HouseholdDetail> = emptyMap(),
        val visits: List<VisitRow> = emptyList(),
        val idNumbers: Map<String, String> = emptyMap(),
        /** Edits that the centre does not have: id, record, what they did. */
        val unsent: List<RefusedEdit> = emptyList(),
        val refused: List<RefusedEdit> = emptyList(),
        /** Everything that was typed, oldest first, and what of it was given up. */
        val typed: List<RefusedEdit> = emptyList(),
        val discarded: Set<String> = emptySet(),
        val received: Int = 0,
        val contactMs: Long? = null,
        val wait: SyncWait? = null,
        /** What forms gave, and what they were answered. */
        val forms: Map<UUID, Pair<List<Any>, Any>> = emptyMap(),
        val background: Boolean = false,
        val closed: Boolean = false,
    )

    private val world = MutableStateFlow(World(enrolment = if (enrolled) ENROLMENT else null))
    private val refusals = ArrayDeque<Words>()
    private val forms = Mutex()

    /** Whether the centre can be reached. */
    @Volatile
    var online: Boolean = true

    /** The next edits that reach the centre are refused, for these reasons in turn. */
    fun refuseNext(vararg reasons: Words) {
        synchronized(refusals) { refusals.addAll(reasons) }
    }

    /** A case as the centre sends it. */
    fun put(case: CaseDetail) = world.update { it.copy(cases = it.cases + (case.row.id to case)) }

    /** A household as the centre sends it. */
    fun put(household: HouseholdDetail) = world.update { it.copy(households = it.households + (household.row.id to household)) }

    override suspend fun enrol(invite: String) {
        if (world.value.enrolment != null) throw FieldgridException.EnrolmentFailed(Words("本机已入网", "This phone is enrolled already"), FieldgridException.EnrolmentFailed.Reason.ALREADY_ENROLLED)
        if (!invite.startsWith("fieldgrid:1?")) throw FieldgridException.EnrolmentFailed(Words("这不是入网码", "This is not an invite"), FieldgridException.EnrolmentFailed.Reason.INVALID_INVITE)
        if (!online) throw FieldgridException.EnrolmentFailed(OFFLINE.words, FieldgridException.EnrolmentFailed.Reason.UNREACHABLE)
        world.update { it.copy(enrolment = ENROLMENT, contactMs = now()) }
    }

    override suspend fun wipe() = world.update { World() }

    override suspend fun status() = open().status()
    override fun observeStatus() = watch { it.status() }

    override suspend fun cases(filter: CaseFilter, limit: Int, after: PageToken?) = open().cases(filter).page(limit, after)
    override fun observeCases(filter: CaseFilter, limit: Int, after: PageToken?) = watch { it.cases(filter).page(limit, after) }
    override suspend fun case(id: String) = open().cases[id]
    override fun observeCase(id: String) = watch { it.cases[id] }

    override suspend fun report(fields: ActionFields, form: UUID?): String = once(form, "report", fields) {
        val id = id()
        val row = CaseRow(id, CaseState.REPORTED, severity = fields.severity, category = fields.category, title = fields.title, address = fields.place?.address, grid = fields.grid, mine = true)
        save(RefusedEdit(id(), id, fields.title ?: fields.place?.address, now(), ON_PHONE, listOf(ActionKind.REPORT), fields = fields)) {
            it.copy(cases = it.cases + (id to CaseDetail(row, fields.text, fields.place, fields.occurredMs ?: now(), fields.source)))
        }
        id
    }

    override suspend fun act(case: String, kind: ActionKind, fields: ActionFields, form: UUID?): String = once(form, "act", case, kind, fields) {
        val edit = RefusedEdit(id(), case, open().cases[case]?.row?.title, now(), ON_PHONE, listOf(kind), mayBeNote = true, fields = fields)
        if (case !in world.value.cases) throw notFound()
        val said = listOfNotNull(fields.text, fields.measure, fields.reason, fields.observation, fields.reply).joinToString("\n").ifEmpty { null }
        save(edit) { world ->
            val entry = HistoryEntry(edit.id, kind, world.enrolment?.role ?: Role.GRID_MEMBER, own = true, madeMs = now(), text = said, fields = fields, delivery = ON_PHONE)
            world.changed(case) { it.copy(history = it.history + entry) }
        }
        edit.id
    }

    override suspend fun households(filter: HouseholdFilter, limit: Int, after: PageToken?) = open().households(filter).page(limit, after)
    override fun observeHouseholds(filter: HouseholdFilter, limit: Int, after: PageToken?) = watch { it.households(filter).page(limit, after) }
    override suspend fun household(id: String) = open().households[id]
    override fun observeHousehold(id: String) = watch { it.households[id] }

    override suspend fun grids() = open().enrolment?.scopes.orEmpty().associateWith { it }

    override suspend fun addHousehold(fields: FieldEdit, persons: List<FieldEdit>, form: UUID?): String = once(form, "addHousehold", fields, persons) {
        val id = id()
        val household = HouseholdDetail(HouseholdRow(id), persons = persons.map { Person(id()).with(it) }).with(fields)
        save(RefusedEdit(id(), id, household.row.address, now(), ON_PHONE, household = fields)) { it.copy(households = it.households + (id to household)) }
        id
    }

    override suspend fun editHousehold(id: String, fields: FieldEdit, persons: Map<String, FieldEdit>, form: UUID?) = once(form, "editHousehold", id, fields, persons) {
        edit(id, { it.copy(household = fields, persons = persons) }) { household ->
            household.copy(persons = household.persons.map { person -> persons[person.id]?.let { person.with(it) } ?: person }).with(fields)
        }
    }

    override suspend fun addPerson(household: String, fields: FieldEdit, form: UUID?): String = once(form, "addPerson", household, fields) {
        val person = Person(id()).with(fields)
        edit(household, { it.copy(household = FieldEdit(), persons = mapOf(person.id to fields)) }) { it.copy(persons = it.persons + person).with(FieldEdit()) }
        person.id
    }

    override suspend fun setIdNumber(household: String, person: String, value: String, form: UUID?) = once(form, "setIdNumber", household, person, value) {
        edit(household, { it.copy(persons = mapOf(person to FieldEdit()), idNumber = "*".repeat(value.length)) }) {
            it.copy(persons = it.persons.map { one -> if (one.id == person) one.copy(hasIdNumber = true) else one })
        }
        world.update { it.copy(idNumbers = it.idNumbers + (person to value)) }
    }

    override suspend fun revealIdNumber(household: String, person: String, reason: RevealReason, note: String?): String? {
        val number = open().idNumbers[person] ?: return null
        edit(household) { it }
        return number
    }

    override suspend fun visits(household: String?, limit: Int, after: PageToken?) = open().visits(household).page(limit, after)
    override fun observeVisits(household: String?, limit: Int, after: PageToken?) = watch { it.visits(household).page(limit, after) }

    override suspend fun visit(household: String, visit: Visit, form: UUID?): String = once(form, "visit", household, visit) {
        val row = VisitRow(id(), household, visit.kind, visit.result, now(), visit.nextDueMs, ON_PHONE, visit.needs, visit.persons, visit.cases)
        edit(household, { it.copy(visit = visit) }) { it.copy(visits = listOf(row) + it.visits) }
        world.update { it.copy(visits = listOf(row) + it.visits) }
        row.id
    }

    override suspend fun search(typed: String, limit: Int, after: PageToken?): Page<Hit> {
        val found = open()
        val cases = found.cases.values.filter { case -> listOfNotNull(case.row.title, case.row.address, case.row.number, case.text).any { typed in it } }.map { Hit.Case(it.row) }
        val households = found.households.values.filter { household -> listOfNotNull(household.row.address, household.row.head, household.row.phone).any { typed in it } }
        return (cases + households.map { Hit.Household(it.row) }).page(limit, after)
    }

    override fun observeRefused() = watch { it.refused }
    override suspend fun refused() = open().refused

    override suspend fun discard(record: String, edit: String) {
        open().refused.find { it.id == edit && it.record == record } ?: throw notFound()
        world.update { world -> world.copy(refused = world.refused.filter { it.id != edit }, discarded = world.discarded + edit).told() }
    }

    override suspend fun redo(record: String, edit: String) {
        val refused = refused(record, edit)
        world.update { world ->
            val again = refused.copy(delivery = ON_PHONE, remedies = emptyList())
            world.copy(refused = world.refused.filter { it.id != edit }, unsent = world.unsent + again).told()
        }
    }

    override suspend fun correct(record: String, edit: String, fields: ActionFields) {
        val kind = refused(record, edit).actions.singleOrNull() ?: throw notFound()
        if (kind == ActionKind.REPORT) return redo(record, edit)
        discard(record, edit)
        act(record, kind, fields)
    }

    override suspend fun correct(record: String, edit: String, fields: FieldEdit, persons: Map<String, FieldEdit>) {
        if (refused(record, edit).household == null) throw notFound()
        discard(record, edit)
        editHousehold(record, fields, persons)
    }

    override suspend fun correct(record: String, edit: String, visit: Visit) {
        if (refused(record, edit).visit == null) throw notFound()
        discard(record, edit)
        visit(record, visit)
    }

    override suspend fun correctIdNumber(record: String, edit: String, value: String) {
        val person = refused(record, edit).persons.keys.singleOrNull() ?: throw notFound()
        discard(record, edit)
        setIdNumber(record, person, value)
    }

    /** No centre signed anything here. */
    override suspend fun headsNote(): String = open().let { "FIELDGRID:HEADS:1:80" }

    override suspend fun compare(note: String): Compared = open().let { Compared(same = 0, split = 0, unknown = 0) }

    override suspend fun history(limit: Int, after: PageToken?): Page<RefusedEdit> {
        val world = open()
        val rows = world.typed.asReversed().map { edit ->
            (world.refused + world.unsent).find { it.id == edit.id }
                ?: edit.copy(delivery = if (edit.id in world.discarded) Delivery(DeliveryState.DISCARDED) else Delivery(DeliveryState.RECEIVED, receivedMs = world.contactMs))
        }
        return rows.page(limit, after)
    }

    private fun refused(record: String, edit: String) = open().refused.find { it.id == edit && it.record == record } ?: throw notFound()

    override suspend fun sendAsNote(case: String, edit: String) {
        val refused = open().refused.find { it.id == edit && it.record == case && it.mayBeNote } ?: throw notFound()
        val said = world.value.cases[case]?.history?.find { it.id == refused.id }?.text
        discard(case, edit)
        act(case, ActionKind.SUPPLEMENT, ActionFields(text = said))
    }

    override suspend fun names() = Names()

    override suspend fun syncNow(): SyncResult {
        if (open().enrolment == null) return SyncResult(SyncWait(WaitReason.NOT_ENROLLED, Words("本机尚未入网", "This phone is not enrolled")))
        if (!online) {
            world.update { it.copy(wait = OFFLINE) }
            return SyncResult(OFFLINE, unsent = world.value.unsent.size)
        }
        val sent = world.value.unsent
        val judged = synchronized(refusals) { sent.map { it to refusals.removeFirstOrNull() } }
        val refused = judged.mapNotNull { (edit, why) -> why?.let { edit.copy(delivery = Delivery(DeliveryState.REFUSED, it), remedies = edit.remediesOnceRefused()) } }
        world.update { world ->
            val left = world.unsent.filter { edit -> sent.none { it.id == edit.id } }
            world.copy(unsent = left, refused = world.refused + refused, received = world.received + sent.size - refused.size, contactMs = now(), wait = null).told()
        }
        return SyncResult(entries = sent.size.toLong(), refused = refused.size.toLong())
    }

    override suspend fun start() = world.update { it.copy(background = true) }
    override suspend fun stop() = world.update { it.copy(background = false) }

    override suspend fun wake() {
        if (open().background) syncNow()
    }

    override fun close() = world.update { it.copy(closed = true) }
    override suspend fun closeAndWait() = close()

    /** A form that comes back is answered what it was then. */
    private suspend fun <T : Any> once(form: UUID?, vararg given: Any, save: suspend () -> T): T {
        if (form == null) return save()
        return forms.withLock {
            val (before, saved) = open().forms[form] ?: return@withLock save().also { saved -> world.update { it.copy(forms = it.forms + (form to (given.toList() to saved))) } }
            if (before != given.toList()) throw FieldgridException.AlreadySaved(SAVED)
            @Suppress("UNCHECKED_CAST")
            saved as T
        }
    }

    private suspend fun save(edit: RefusedEdit, change: (World) -> World) {
        if (open().enrolment == null) throw FieldgridException.NotEnrolled(Words("本机尚未入网", "This phone is not enrolled"))
        world.update { change(it.copy(unsent = it.unsent + edit, typed = it.typed + edit)).told() }
        if (world.value.background && online) syncNow()
    }

    private suspend fun edit(id: String, typed: (RefusedEdit) -> RefusedEdit = { it }, change: (HouseholdDetail) -> HouseholdDetail) {
        val household = open().households[id] ?: throw notFound()
        save(typed(RefusedEdit(id(), id, household.row.address, now(), ON_PHONE))) { it.copy(households = it.households + (id to change(it.households.getValue(id)))) }
    }

    private fun RefusedEdit.remediesOnceRefused() = listOfNotNull(Remedy.REDO, Remedy.CORRECT, Remedy.NOTE.takeIf { mayBeNote }, Remedy.DISCARD)

    /** Every record says where its own work is. */
    private fun World.told(): World {
        fun delivery(id: String, before: Delivery) = refused.lastOrNull { it.record == id }?.delivery
            ?: ON_PHONE.takeIf { unsent.any { it.record == id } }
            ?: before.takeIf { it.state == DeliveryState.THEIRS }
            ?: Delivery(DeliveryState.RECEIVED, receivedMs = contactMs)
        fun edits(id: String) = refused.filter { it.record == id }
        return copy(
            cases = cases.mapValues { (id, case) ->
                val history = case.history.map { entry -> if (!entry.own) entry else entry.copy(delivery = (refused + unsent).find { it.id == entry.id }?.delivery ?: Delivery(DeliveryState.RECEIVED, receivedMs = contactMs)) }
                case.copy(row = case.row.copy(delivery = delivery(id, case.row.delivery)), history = history, refused = edits(id))
            },
            households = households.mapValues { (id, it) -> it.copy(row = it.row.copy(delivery = delivery(id, it.row.delivery)), refused = edits(id)) },
        )
    }

    private fun World.changed(case: String, change: (CaseDetail) -> CaseDetail) = copy(cases = cases + (case to change(cases.getValue(case)).let { it.copy(row = it.row.copy(updatedMs = now())) }))

    private fun World.status() = DeviceStatus(
        enrolment = enrolment, unsent = unsent.size, refused = refused.size, received = received, cases = cases.size, households = households.size,
        contactMs = contactMs, background = background, wait = wait,
    )

    private fun World.cases(filter: CaseFilter): List<CaseRow> {
        val open = filter.open ?: if (filter.order == CaseOrder.UPDATED) null else true
        val rows = cases.values.map { it.row }.filter { row ->
            (filter.state == null || row.state == filter.state) && (open == null || row.open == open) && (!filter.mine || row.mine) && (!filter.assigned || row.assigned) &&
                (filter.category == null || row.category.orEmpty().startsWith(filter.category!!)) && (filter.area == null || row.grid.orEmpty().startsWith(filter.area!!))
        }
        return when (filter.order) {
            CaseOrder.UPDATED -> rows.sortedByDescending { it.updatedMs }
            CaseOrder.DUE -> rows.filter { it.dueMs != null }.sortedBy { it.dueMs }
            CaseOrder.TODAY -> rows.sortedWith(compareBy<CaseRow> { it.dueMs ?: Long.MAX_VALUE }.thenByDescending { it.updatedMs })
        }
    }

    private fun World.households(filter: HouseholdFilter) =
        households.values.map { it.row }.filter { (!filter.care || it.care > 0) && (filter.area == null || it.grid.orEmpty().startsWith(filter.area!!)) }

    private fun World.visits(household: String?) = visits.filter { household == null || it.household == household }

    private fun <T> List<T>.page(limit: Int, after: PageToken?): Page<T> {
        val from = after?.n?.toInt() ?: 0
        return Page(drop(from).take(limit), PageToken(0, from.toLong() + limit).takeIf { size > from + limit })
    }

    private fun open() = world.value.open()

    private fun World.open() = also { if (closed) throw FieldgridException.Closed(Words("应用已关闭本机存储", "The app has closed this phone's storage")) }

    private fun <T> watch(look: (World) -> T): Flow<T> = world.map { look(it.open()) }.distinctUntilChanged().conflate()

    private fun notFound() = FieldgridException.NotFound(Words("这条记录不在本机", "This record is not on this phone"))

    private fun id() = UUID.randomUUID().toString()

    private companion object {
        val ENROLMENT = Enrolment("陈静", Role.GRID_MEMBER, listOf("610702001001001"))
        val ON_PHONE = Delivery(DeliveryState.ON_PHONE)
        val SAVED = Words("这张表单已经保存过，之后改动的内容没有保存", "This form was saved already, and what was changed in it since was not")
        val OFFLINE = SyncWait(WaitReason.NO_NETWORK, Words("没有网络，记录已保存在本机，有网后自动上传", "No network. Records are safe on this phone and go out when there is one"), 30_000)

        fun Map<String, String>.with(edit: FieldEdit) = (this + edit.values).filterValues { it != null }.mapValues { it.value!! }
        fun List<String>.tagged(edit: FieldEdit) = filter { edit.tags[it] != false } + edit.tags.filter { it.value && it.key !in this }.keys

        fun Person.with(edit: FieldEdit) = fields.with(edit).let { copy(name = it["name"], fields = it, tags = tags.tagged(edit), care = tags.tagged(edit).isNotEmpty(), ended = "ended" in it) }

        fun HouseholdDetail.with(edit: FieldEdit): HouseholdDetail {
            val fields = fields.with(edit)
            val living = persons.filter { !it.ended }
            val head = living.find { it.fields["relation"] == "02" }?.name ?: fields["contact"]
            return copy(fields = fields, tags = tags.tagged(edit), row = row.copy(grid = fields["grid"], address = fields["address"], phone = fields["phone"], head = head, persons = living.size, care = living.count { it.care }))
        }
    }
}
