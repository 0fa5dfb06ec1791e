// What the bindings give, as what apps see, and what forms give, as the bindings take it: nothing generated is in the public interface.

import Foundation

#if compiler(>=6.0)
internal import FieldgridFFI
#else
import FieldgridFFI
#endif

extension Delivery {
    init(_ given: FieldgridFFI.Delivery) {
        self.init(
            state: DeliveryState(given.state),
            reason: given.reason.map(Words.init),
            received: given.receivedMs.map(Date.init(ms:))
        )
    }
}

extension PageToken {
    init(_ given: FieldgridFFI.PageToken) {
        self.init(key: given.key, n: given.n)
    }
}

extension CaseRow {
    init(_ given: FieldgridFFI.CaseRow) {
        self.init(
            id: given.id,
            state: CaseState(given.state),
            open: given.open,
            severity: given.severity.map(Severity.init),
            category: given.category,
            title: given.title,
            address: given.address,
            grid: given.grid,
            number: given.number,
            due: given.dueMs.map(Date.init(ms:)),
            updated: Date(ms: given.updatedMs),
            flags: Int(given.flags),
            mine: given.mine,
            assigned: given.assigned,
            delivery: Delivery(given.delivery)
        )
    }
}

extension HouseholdRow {
    init(_ given: FieldgridFFI.HouseholdRow) {
        self.init(
            id: given.id,
            grid: given.grid,
            address: given.address,
            head: given.head,
            phone: given.phone,
            persons: Int(given.persons),
            care: Int(given.care),
            masked: given.masked,
            delivery: Delivery(given.delivery)
        )
    }
}

extension VisitRow {
    init(_ given: FieldgridFFI.VisitRow) {
        self.init(
            id: given.id,
            household: given.household,
            kind: VisitKind(given.kind),
            result: VisitResult(given.result),
            visited: Date(ms: given.visitedMs),
            nextDue: given.nextDueMs.map(Date.init(ms:)),
            delivery: Delivery(given.delivery),
            needs: given.needs,
            persons: given.persons,
            cases: given.cases
        )
    }
}

extension RefusedEdit {
    init(_ given: FieldgridFFI.RefusedEdit) {
        self.init(
            id: given.id,
            record: given.record,
            title: given.title,
            made: Date(ms: given.madeMs),
            delivery: Delivery(given.delivery),
            actions: given.actions.map(ActionKind.init),
            mayBeNote: given.mayBeNote,
            name: given.name.map(Words.init),
            fields: given.fields.map(ActionFields.init),
            household: given.household.map(FieldEdit.init),
            persons: given.persons.mapValues(FieldEdit.init),
            visit: given.visit.map(Visit.init),
            idNumber: given.idNumber,
            backedUp: given.backedUp,
            remedies: given.remedies.map(Remedy.init)
        )
    }
}

extension Enrolment {
    init(_ given: FieldgridFFI.Enrolment) {
        self.init(
            name: given.name,
            role: Role(given.role),
            scopes: given.scopes,
            org: given.org,
            expires: Date(ms: given.expiresMs),
            server: given.server
        )
    }
}

extension NextAction {
    init(_ given: FieldgridFFI.NextAction) {
        self.init(kind: ActionKind(given.kind), requires: given.requires.map(ActionField.init))
    }
}

extension HistoryEntry {
    init(_ given: FieldgridFFI.HistoryEntry) {
        self.init(
            id: given.id,
            kind: ActionKind(given.kind),
            role: Role(given.role),
            author: given.author,
            org: given.org,
            own: given.own,
            made: Date(ms: given.madeMs),
            text: given.text,
            fields: ActionFields(given.fields),
            effective: given.effective,
            noEffect: given.noEffect.map(Words.init),
            delivery: Delivery(given.delivery)
        )
    }
}

extension Assignment {
    init(_ given: FieldgridFFI.Assignment) {
        self.init(
            id: given.id,
            org: given.org,
            person: given.person,
            due: given.dueMs.map(Date.init(ms:)),
            state: AssignmentState(given.state),
            required: given.required
        )
    }
}

extension Flag {
    init(_ given: FieldgridFFI.Flag) {
        self.init(row: Int(given.row), level: FlagLevel(given.level), actions: given.actions)
    }
}

extension CaseDetail {
    init(_ given: FieldgridFFI.CaseScreen) {
        self.init(
            row: CaseRow(given.row),
            text: given.text,
            place: given.place.map(Place.init),
            occurred: given.occurredMs.map(Date.init(ms:)),
            source: given.source,
            gridName: given.gridName,
            reply: given.reply,
            whole: given.whole,
            round: Int(given.round),
            reopenPending: given.reopenPending,
            flags: given.flags.map(Flag.init),
            history: given.history.map(HistoryEntry.init),
            assignments: given.assignments.map(Assignment.init),
            next: given.next.map(NextAction.init),
            refused: given.refused.map(RefusedEdit.init),
            parked: given.parked
        )
    }
}

extension Person {
    init(_ given: FieldgridFFI.Person) {
        self.init(
            id: given.id,
            name: given.name,
            fields: given.fields,
            tags: given.tags,
            care: given.care,
            hasIdNumber: given.hasIdNumber,
            ended: given.ended
        )
    }
}

extension Alternative {
    init(_ given: FieldgridFFI.Alternative) {
        self.init(person: given.person, field: given.field, values: given.values)
    }
}

extension HouseholdDetail {
    init(_ given: FieldgridFFI.HouseholdScreen) {
        self.init(
            row: HouseholdRow(given.row),
            fields: given.fields,
            tags: given.tags,
            persons: given.persons.map(Person.init),
            alternatives: given.alternatives.map(Alternative.init),
            visits: given.visits.map(VisitRow.init),
            refused: given.refused.map(RefusedEdit.init),
            parked: given.parked
        )
    }
}

extension SyncWait {
    init(_ given: FieldgridFFI.SyncWait) {
        self.init(
            reason: WaitReason(given.reason),
            words: Words(given.words),
            duration: .milliseconds(Int64(clamping: given.ms))
        )
    }
}

extension SyncResult {
    init(_ given: FieldgridFFI.SyncResult) {
        self.init(
            wait: given.wait.map(SyncWait.init),
            entries: Int(clamping: given.entries),
            refused: Int(clamping: given.refused),
            sentBytes: Int(clamping: given.sentBytes),
            receivedBytes: Int(clamping: given.receivedBytes),
            unsent: Int(clamping: given.unsent),
            whyUnsent: given.whyUnsent.map(Words.init),
            aside: Int(clamping: given.aside)
        )
    }
}

extension DeviceStatus {
    init(_ given: FieldgridFFI.DeviceStatus) {
        self.init(
            enrolment: given.enrolment.map(Enrolment.init),
            unsent: Int(given.unsent),
            again: Int(given.again),
            refused: Int(given.refused),
            received: Int(given.received),
            cases: Int(given.cases),
            households: Int(given.households),
            parked: Int(given.parked),
            splitViews: Int(given.splitViews),
            contact: given.contactMs.map(Date.init(ms:)),
            reportOnly: given.reportOnly,
            awaitsApproval: given.awaitsApproval,
            wiped: given.wiped.map(Wiped.init),
            leaseLeft: given.leaseLeftMs.map { .milliseconds($0) },
            copied: given.copied,
            background: given.background,
            syncing: given.syncing,
            wait: given.wait.map(SyncWait.init),
            nextTry: given.nextTryMs.map(Date.init(ms:))
        )
    }
}

extension Wiped {
    init(_ given: FieldgridFFI.Wiped) {
        self.init(at: Date(ms: given.atMs), received: Int(given.received), keptAside: Int(given.keptAside), lost: Int(given.lost))
    }
}

extension Compared {
    init(_ given: FieldgridFFI.Compared) {
        self.init(same: Int(given.same), split: Int(given.split), unknown: Int(given.unknown))
    }
}

extension Names {
    init(_ given: FieldgridFFI.Names) {
        self.init(areas: given.areas, orgs: given.orgs, people: given.people)
    }
}

extension LogLine {
    init(_ given: FieldgridFFI.LogLine) {
        self.init(level: LogLevel(given.level), target: given.target, text: given.text)
    }
}

extension Page<CaseRow> {
    init(_ given: FieldgridFFI.CasePage) {
        self.init(rows: given.rows.map(Row.init), next: given.next.map(PageToken.init))
    }
}

extension Page<HouseholdRow> {
    init(_ given: FieldgridFFI.HouseholdPage) {
        self.init(rows: given.rows.map(Row.init), next: given.next.map(PageToken.init))
    }
}

extension Page<RefusedEdit> {
    init(_ given: FieldgridFFI.EditPage) {
        self.init(rows: given.rows.map(Row.init), next: given.next.map(PageToken.init))
    }
}

extension Page<VisitRow> {
    init(_ given: FieldgridFFI.VisitPage) {
        self.init(rows: given.rows.map(Row.init), next: given.next.map(PageToken.init))
    }
}

extension Page<Hit> {
    init(_ given: FieldgridFFI.HitPage) {
        self.init(rows: given.rows.map(Row.init), next: given.next.map(PageToken.init))
    }
}

extension Hit {
    init(_ given: FieldgridFFI.Hit) {
        self = switch given {
        case .case(let row): .case(CaseRow(row))
        case .household(let row): .household(HouseholdRow(row))
        }
    }
}

extension Words {
    init(_ given: FieldgridFFI.Words) {
        self.init(zh: given.zh, en: given.en)
    }
}

extension CaseCategory {
    init(_ given: FieldgridFFI.Category) {
        self.init(code: given.code, words: Words(given.words), severity: Severity(given.severity))
    }
}

extension ActionFields {
    init(_ given: FieldgridFFI.ActionFields) {
        self.init(
            text: given.text,
            title: given.title,
            category: given.category,
            severity: given.severity.map(Severity.init),
            place: given.place.map(Place.init),
            occurred: given.occurredMs.map(Date.init(ms:)),
            finished: given.finishedMs.map(Date.init(ms:)),
            seen: given.seenMs.map(Date.init(ms:)),
            reason: given.reason,
            reply: given.reply,
            result: given.result,
            measure: given.measure,
            observation: given.observation,
            conclusion: given.conclusion,
            instruction: given.instruction,
            duplicateCheck: given.duplicateCheck,
            score: given.score.map(Int.init),
            due: given.dueMs.map(Date.init(ms:)),
            grid: given.grid,
            org: given.org,
            person: given.person,
            required: given.required,
            departments: given.departments,
            targets: given.targets,
            maxDays: given.maxDays.map(Int.init),
            row: given.row.map(Int.init),
            decision: given.decision,
            primary: given.primary,
            source: given.source
        )
    }
}

extension Place {
    init(_ given: FieldgridFFI.Place) {
        self.init(address: given.address, latitude: given.latitude, longitude: given.longitude, accuracy: given.accuracyM.map(Int.init))
    }
}

// MARK: - What forms give

extension FieldgridFFI.ActionFields {
    init(_ given: ActionFields) {
        self.init(
            title: given.title,
            text: given.text,
            category: given.category,
            severity: given.severity.map(FieldgridFFI.Severity.init),
            place: given.place.map(FieldgridFFI.Place.init),
            occurredMs: given.occurred.map(\.ms),
            finishedMs: given.finished.map(\.ms),
            seenMs: given.seen.map(\.ms),
            reason: given.reason,
            reply: given.reply,
            result: given.result,
            measure: given.measure,
            observation: given.observation,
            conclusion: given.conclusion,
            instruction: given.instruction,
            duplicateCheck: given.duplicateCheck,
            score: given.score.map(UInt8.init(clamping:)),
            dueMs: given.due.map(\.ms),
            grid: given.grid,
            org: given.org,
            person: given.person,
            required: given.required,
            departments: given.departments,
            targets: given.targets,
            maxDays: given.maxDays.map(UInt16.init(clamping:)),
            row: given.row.map(UInt8.init(clamping:)),
            decision: given.decision,
            primary: given.primary,
            source: given.source
        )
    }
}

extension FieldgridFFI.Place {
    init(_ given: Place) {
        self.init(
            address: given.address,
            latitude: given.latitude,
            longitude: given.longitude,
            accuracyM: given.accuracy.map(UInt32.init(clamping:))
        )
    }
}

extension FieldgridFFI.CaseFilter {
    init(_ given: CaseFilter) {
        self.init(
            state: given.state.map(FieldgridFFI.CaseState.init),
            open: given.open,
            mine: given.mine,
            assigned: given.assigned,
            category: given.category,
            area: given.area,
            order: FieldgridFFI.CaseOrder(given.order)
        )
    }
}

extension FieldgridFFI.HouseholdFilter {
    init(_ given: HouseholdFilter) {
        self.init(area: given.area, care: given.care)
    }
}

extension FieldEdit {
    init(_ given: FieldgridFFI.FieldEdit) {
        self.init(given.values, tags: given.tags)
    }
}

extension Visit {
    init(_ given: FieldgridFFI.Visit) {
        self.init(
            kind: VisitKind(given.kind),
            result: VisitResult(given.result),
            persons: given.persons,
            needs: given.needs,
            nextDue: given.nextDueMs.map(Date.init(ms:)),
            cases: given.cases
        )
    }
}

extension FieldgridFFI.FieldEdit {
    init(_ given: FieldEdit) {
        self.init(values: given.values, tags: given.tags)
    }
}

extension FieldgridFFI.Visit {
    init(_ given: Visit) {
        self.init(
            kind: FieldgridFFI.VisitKind(given.kind),
            result: FieldgridFFI.VisitResult(given.result),
            persons: given.persons,
            needs: given.needs,
            nextDueMs: given.nextDue.map(\.ms),
            cases: given.cases
        )
    }
}

extension FieldgridFFI.PageToken {
    init(_ given: PageToken) {
        self.init(key: given.key, n: given.n)
    }
}

// MARK: - Times

extension Date {
    init(ms: Int64) {
        self.init(timeIntervalSince1970: Double(ms) / 1000)
    }

    /// Milliseconds since 1970; a time that they cannot hold is the nearest that they can.
    var ms: Int64 {
        let ms = (timeIntervalSince1970 * 1000).rounded()
        return Int64(exactly: ms) ?? (ms < 0 ? .min : .max)
    }
}
