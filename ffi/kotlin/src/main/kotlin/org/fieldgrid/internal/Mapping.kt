package org.fieldgrid.internal

import org.fieldgrid.*
import org.fieldgrid.ffi.ActionFields as GivenFields
import org.fieldgrid.ffi.ErrorKind
import org.fieldgrid.ffi.FieldgridException as Failure

// What the bindings give, as what apps see: nothing generated is in the public interface.

internal fun org.fieldgrid.ffi.Words.shown() = Words(zh, en)
internal fun org.fieldgrid.ffi.ActionField.shown() = ActionField.valueOf(name)
internal fun org.fieldgrid.ffi.ActionKind.shown() = ActionKind.valueOf(name)
internal fun org.fieldgrid.ffi.AssignmentState.shown() = AssignmentState.valueOf(name)
internal fun org.fieldgrid.ffi.CaseState.shown() = CaseState.valueOf(name)
internal fun org.fieldgrid.ffi.FlagLevel.shown() = FlagLevel.valueOf(name)
internal fun org.fieldgrid.ffi.DeliveryState.shown() = DeliveryState.valueOf(name)
internal fun org.fieldgrid.ffi.Remedy.shown() = Remedy.valueOf(name)
internal fun org.fieldgrid.ffi.Role.shown() = Role.valueOf(name)
internal fun org.fieldgrid.ffi.Severity.shown() = Severity.valueOf(name)
internal fun org.fieldgrid.ffi.VisitKind.shown() = VisitKind.valueOf(name)
internal fun org.fieldgrid.ffi.VisitResult.shown() = VisitResult.valueOf(name)
internal fun org.fieldgrid.ffi.WaitReason.shown() = WaitReason.valueOf(name)
internal fun org.fieldgrid.ffi.LogLevel.shown() = LogLevel.valueOf(name)
internal fun CaseState.given() = org.fieldgrid.ffi.CaseState.valueOf(name)
internal fun Severity.given() = org.fieldgrid.ffi.Severity.valueOf(name)
internal fun ActionKind.given() = org.fieldgrid.ffi.ActionKind.valueOf(name)
internal fun VisitResult.given() = org.fieldgrid.ffi.VisitResult.valueOf(name)
internal fun VisitKind.given() = org.fieldgrid.ffi.VisitKind.valueOf(name)
internal fun RevealReason.given() = org.fieldgrid.ffi.RevealReason.valueOf(name)
internal fun Role.given() = org.fieldgrid.ffi.Role.valueOf(name)
internal fun CaseOrder.given() = org.fieldgrid.ffi.CaseOrder.valueOf(name)
internal fun LogLevel.given() = org.fieldgrid.ffi.LogLevel.valueOf(name)

internal fun org.fieldgrid.ffi.Delivery.shown() = Delivery(
    state = state.shown(),
    reason = reason?.shown(),
    receivedMs = receivedMs,
)

internal fun org.fieldgrid.ffi.PageToken.shown() = PageToken(
    key = key,
    n = n,
)

internal fun org.fieldgrid.ffi.CaseRow.shown() = CaseRow(
    id = id,
    state = state.shown(),
    open = open,
    severity = severity?.shown(),
    category = category,
    title = title,
    address = address,
    grid = grid,
    number = number,
    dueMs = dueMs,
    updatedMs = updatedMs,
    flags = flags.toInt(),
    mine = mine,
    assigned = assigned,
    delivery = delivery.shown(),
)

internal fun org.fieldgrid.ffi.HouseholdRow.shown() = HouseholdRow(
    id = id,
    grid = grid,
    address = address,
    head = head,
    phone = phone,
    persons = persons.toInt(),
    care = care.toInt(),
    masked = masked,
    delivery = delivery.shown(),
)

internal fun org.fieldgrid.ffi.VisitRow.shown() = VisitRow(
    id = id,
    household = household,
    kind = kind.shown(),
    result = result.shown(),
    visitedMs = visitedMs,
    nextDueMs = nextDueMs,
    delivery = delivery.shown(),
    needs = needs,
    persons = persons,
    cases = cases,
)

internal fun org.fieldgrid.ffi.RefusedEdit.shown() = RefusedEdit(
    id = id,
    record = record,
    title = title,
    madeMs = madeMs,
    delivery = delivery.shown(),
    actions = actions.map { it.shown() },
    mayBeNote = mayBeNote,
    name = name?.shown(),
    fields = fields?.shown(),
    household = household?.shown(),
    persons = persons.mapValues { (_, set) -> set.shown() },
    visit = visit?.shown(),
    idNumber = idNumber,
    backedUp = backedUp,
    remedies = remedies.map { it.shown() },
)

internal fun org.fieldgrid.ffi.Enrolment.shown() = Enrolment(
    name = name,
    role = role.shown(),
    scopes = scopes,
    org = org,
    expiresMs = expiresMs,
    server = server,
)

internal fun org.fieldgrid.ffi.NextAction.shown() = NextAction(
    kind = kind.shown(),
    requires = requires.map { it.shown() },
)

internal fun org.fieldgrid.ffi.HistoryEntry.shown() = HistoryEntry(
    id = id,
    kind = kind.shown(),
    role = role.shown(),
    author = author,
    org = org,
    own = own,
    madeMs = madeMs,
    text = text,
    fields = fields.shown(),
    effective = effective,
    noEffect = noEffect?.shown(),
    delivery = delivery.shown(),
)

internal fun org.fieldgrid.ffi.Assignment.shown() = Assignment(
    id = id,
    org = org,
    person = person,
    dueMs = dueMs,
    state = state.shown(),
    required = required,
)

internal fun org.fieldgrid.ffi.Flag.shown() = Flag(
    row = row.toInt(),
    level = level.shown(),
    actions = actions,
)

internal fun org.fieldgrid.ffi.CaseScreen.shown() = CaseDetail(
    row = row.shown(),
    text = text,
    place = place?.shown(),
    occurredMs = occurredMs,
    source = source,
    gridName = gridName,
    reply = reply,
    whole = whole,
    round = round.toInt(),
    reopenPending = reopenPending,
    flags = flags.map { it.shown() },
    history = history.map { it.shown() },
    assignments = assignments.map { it.shown() },
    next = next.map { it.shown() },
    refused = refused.map { it.shown() },
    parked = parked,
)

internal fun org.fieldgrid.ffi.Person.shown() = Person(
    id = id,
    name = name,
    fields = fields,
    tags = tags,
    care = care,
    hasIdNumber = hasIdNumber,
    ended = ended,
)

internal fun org.fieldgrid.ffi.Alternative.shown() = Alternative(
    person = person,
    field = field,
    values = values,
)

internal fun org.fieldgrid.ffi.HouseholdScreen.shown() = HouseholdDetail(
    row = row.shown(),
    fields = fields,
    tags = tags,
    persons = persons.map { it.shown() },
    alternatives = alternatives.map { it.shown() },
    visits = visits.map { it.shown() },
    refused = refused.map { it.shown() },
    parked = parked,
)

internal fun org.fieldgrid.ffi.SyncWait.shown() = SyncWait(
    reason = reason.shown(),
    words = words.shown(),
    ms = ms.toLong(),
)

internal fun org.fieldgrid.ffi.SyncResult.shown() = SyncResult(
    wait = wait?.shown(),
    entries = entries.toLong(),
    refused = refused.toLong(),
    sentBytes = sentBytes.toLong(),
    receivedBytes = receivedBytes.toLong(),
    unsent = unsent.toInt(),
    whyUnsent = whyUnsent?.shown(),
    aside = aside.toInt(),
)

internal fun org.fieldgrid.ffi.DeviceStatus.shown() = DeviceStatus(
    enrolment = enrolment?.shown(),
    unsent = unsent.toInt(),
    again = again.toInt(),
    refused = refused.toInt(),
    received = received.toInt(),
    cases = cases.toInt(),
    households = households.toInt(),
    parked = parked.toInt(),
    splitViews = splitViews.toInt(),
    contactMs = contactMs,
    reportOnly = reportOnly,
    awaitsApproval = awaitsApproval,
    wiped = wiped?.shown(),
    leaseLeftMs = leaseLeftMs,
    copied = copied,
    background = background,
    syncing = syncing,
    wait = wait?.shown(),
    nextTryMs = nextTryMs,
)

internal fun org.fieldgrid.ffi.Wiped.shown() = Wiped(
    atMs = atMs,
    received = received.toInt(),
    keptAside = keptAside.toInt(),
    lost = lost.toInt(),
)

internal fun org.fieldgrid.ffi.Compared.shown() = Compared(
    same = same.toInt(),
    split = split.toInt(),
    unknown = unknown.toInt(),
)

internal fun org.fieldgrid.ffi.Names.shown() = Names(
    areas = areas,
    orgs = orgs,
    people = people,
)

internal fun org.fieldgrid.ffi.LogLine.shown() = LogLine(
    level = level.shown(),
    target = target,
    text = text,
)

internal fun ActionFields.given() = GivenFields(
    text = text,
    title = title,
    category = category,
    severity = severity?.given(),
    place = place?.given(),
    occurredMs = occurredMs,
    finishedMs = finishedMs,
    seenMs = seenMs,
    reason = reason,
    reply = reply,
    result = result,
    measure = measure,
    observation = observation,
    conclusion = conclusion,
    instruction = instruction,
    duplicateCheck = duplicateCheck,
    score = score?.within(UByte.MAX_VALUE.toInt(), "score")?.toUByte(),
    dueMs = dueMs,
    grid = grid,
    org = org,
    person = person,
    required = required,
    departments = departments,
    targets = targets,
    maxDays = maxDays?.within(UShort.MAX_VALUE.toInt(), "max_days")?.toUShort(),
    row = row?.within(UByte.MAX_VALUE.toInt(), "row")?.toUByte(),
    decision = decision,
    primary = primary,
    source = source,
)

internal fun GivenFields.shown() = ActionFields(
    text = text,
    title = title,
    category = category,
    severity = severity?.shown(),
    place = place?.shown(),
    occurredMs = occurredMs,
    finishedMs = finishedMs,
    seenMs = seenMs,
    reason = reason,
    reply = reply,
    result = result,
    measure = measure,
    observation = observation,
    conclusion = conclusion,
    instruction = instruction,
    duplicateCheck = duplicateCheck,
    score = score?.toInt(),
    dueMs = dueMs,
    grid = grid,
    org = org,
    person = person,
    required = required,
    departments = departments,
    targets = targets,
    maxDays = maxDays?.toInt(),
    row = row?.toInt(),
    decision = decision,
    primary = primary,
    source = source,
)

internal fun org.fieldgrid.ffi.Place.shown() = Place(address, latitude, longitude, accuracyM?.toInt())

internal fun Place.given() = org.fieldgrid.ffi.Place(
    address,
    latitude,
    longitude,
    accuracyM?.within(Int.MAX_VALUE, "place.accuracy")?.toUInt(),
)

/** A number that the engine has a narrower type for: cut off, it would be another. */
private fun Int.within(most: Int, field: String): Int {
    if (this in 0..most) return this
    throw FieldgridException.InvalidInput(Words("有一项的数值超出范围，请核对", "A value is out of range; check it"), listOf(field))
}

internal fun CaseFilter.given() = org.fieldgrid.ffi.CaseFilter(state?.given(), open, mine, assigned, category, area, order.given())

internal fun HouseholdFilter.given() = org.fieldgrid.ffi.HouseholdFilter(area, care)

internal fun FieldEdit.given() = org.fieldgrid.ffi.FieldEdit(values, tags)

internal fun Visit.given() = org.fieldgrid.ffi.Visit(kind.given(), result.given(), persons, needs, nextDueMs, cases)

internal fun org.fieldgrid.ffi.FieldEdit.shown() = FieldEdit(values, tags)

internal fun org.fieldgrid.ffi.Visit.shown() = Visit(kind.shown(), result.shown(), persons, needs, nextDueMs, cases)

internal fun PageToken.given() = org.fieldgrid.ffi.PageToken(key, n)

internal fun org.fieldgrid.ffi.CasePage.shown() = Page(rows.map { it.shown() }, next?.shown())

internal fun org.fieldgrid.ffi.HouseholdPage.shown() = Page(rows.map { it.shown() }, next?.shown())

internal fun org.fieldgrid.ffi.VisitPage.shown() = Page(rows.map { it.shown() }, next?.shown())

internal fun org.fieldgrid.ffi.EditPage.shown() = Page(rows.map { it.shown() }, next?.shown())

internal fun org.fieldgrid.ffi.HitPage.shown() = Page(rows.map { it.shown() }, next?.shown())

internal fun org.fieldgrid.ffi.Hit.shown(): Hit = when (this) {
    is org.fieldgrid.ffi.Hit.Case -> Hit.Case(row.shown())
    is org.fieldgrid.ffi.Hit.Household -> Hit.Household(row.shown())
}

internal fun org.fieldgrid.ffi.Category.shown() = Category(code, words.shown(), severity.shown())

internal fun Failure.shown(): FieldgridException {
    this as Failure.Failed
    val words = words.shown()
    val enrolment = { reason: FieldgridException.EnrolmentFailed.Reason -> FieldgridException.EnrolmentFailed(words, reason) }
    return when (kind) {
        ErrorKind.WRONG_KEY -> FieldgridException.WrongKey(words)
        ErrorKind.NEWER_STORE -> FieldgridException.NewerStore(words)
        ErrorKind.DAMAGED -> FieldgridException.Damaged(words)
        ErrorKind.LOST -> FieldgridException.Lost(words)
        ErrorKind.IN_USE -> FieldgridException.InUse(words)
        ErrorKind.STORAGE_FULL -> FieldgridException.Storage(words, full = true)
        ErrorKind.STORAGE -> FieldgridException.Storage(words)
        ErrorKind.CLOSED -> FieldgridException.Closed(words)
        ErrorKind.NOT_ENROLLED -> FieldgridException.NotEnrolled(words)
        ErrorKind.ALREADY_ENROLLED -> enrolment(FieldgridException.EnrolmentFailed.Reason.ALREADY_ENROLLED)
        ErrorKind.INVALID_INVITE -> enrolment(FieldgridException.EnrolmentFailed.Reason.INVALID_INVITE)
        ErrorKind.INVITE_ENDED -> enrolment(FieldgridException.EnrolmentFailed.Reason.INVITE_ENDED)
        ErrorKind.UNREACHABLE -> enrolment(FieldgridException.EnrolmentFailed.Reason.UNREACHABLE)
        ErrorKind.UNTRUSTED -> enrolment(FieldgridException.EnrolmentFailed.Reason.UNTRUSTED)
        ErrorKind.CLOCK_WRONG -> enrolment(FieldgridException.EnrolmentFailed.Reason.CLOCK_WRONG)
        ErrorKind.SERVER_REFUSED -> enrolment(FieldgridException.EnrolmentFailed.Reason.SERVER_REFUSED)
        ErrorKind.REPORT_ONLY -> FieldgridException.ReportOnly(words)
        ErrorKind.NOT_APPROVED -> FieldgridException.NotApproved(words)
        ErrorKind.LOCKED -> FieldgridException.Locked(words)
        ErrorKind.REFUSED -> FieldgridException.Refused(words, refusal.orEmpty(), fields)
        ErrorKind.NOT_FOUND -> FieldgridException.NotFound(words)
        ErrorKind.INVALID_INPUT -> FieldgridException.InvalidInput(words, fields)
        ErrorKind.INCOMPLETE -> FieldgridException.Incomplete(words, fields)
        ErrorKind.ALREADY_SAVED -> FieldgridException.AlreadySaved(words)
    }
}
