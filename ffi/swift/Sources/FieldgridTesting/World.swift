import FieldgridKit
import Foundation

/// What a ``FakeFieldgrid`` knows, and what becomes of it.
struct World: Sendable {
    var enrolment: Enrolment?
    var cases: [String: CaseDetail] = [:]
    var households: [String: HouseholdDetail] = [:]
    var visits: [VisitRow] = []
    var idNumbers: [String: String] = [:]
    /// Edits that the centre does not have.
    var unsent: [RefusedEdit] = []
    var refused: [RefusedEdit] = []
    /// Everything that was typed, oldest first, and what of it was given up.
    var typed: [RefusedEdit] = []
    var discarded: Set<String> = []
    /// What the centre will say about the next edits that reach it.
    var refusals: [Words] = []
    var received = 0
    var contact: Date?
    var wait: SyncWait?
    /// What forms gave, and what they were answered.
    var forms: [UUID: (given: Given, saved: String)] = [:]
    var online = true
    var background = false
    var closed = false

    static let onPhone = Delivery(state: .onPhone)

    var status: DeviceStatus {
        DeviceStatus(
            enrolment: enrolment, unsent: unsent.count, refused: refused.count, received: received, cases: cases.count, households: households.count,
            contact: contact, background: background, wait: wait
        )
    }

    // MARK: Lists

    func cases(_ filter: CaseFilter) -> [CaseRow] {
        let open = filter.open ?? (filter.order == .updated ? nil : true)
        let rows = cases.values.map(\.row).filter { row in
            (filter.state == nil || row.state == filter.state)
                && (open == nil || row.open == open)
                && (!filter.mine || row.mine)
                && (!filter.assigned || row.assigned)
                && (filter.category == nil || (row.category ?? "").hasPrefix(filter.category ?? ""))
                && (filter.area == nil || (row.grid ?? "").hasPrefix(filter.area ?? ""))
        }
        return switch filter.order {
        case .updated: rows.sorted { ($0.updated, $0.id) > ($1.updated, $1.id) }
        case .due: rows.filter { $0.due != nil }.sorted { (due($0), $0.id) < (due($1), $1.id) }
        case .today: rows.sorted { (due($0), $1.updated, $0.id) < (due($1), $0.updated, $1.id) }
        }
    }

    func households(_ filter: HouseholdFilter) -> [HouseholdRow] {
        let rows = households.values.map(\.row)
        return rows.filter { (!filter.care || $0.care > 0) && (filter.area == nil || ($0.grid ?? "").hasPrefix(filter.area ?? "")) }.sorted { $0.id < $1.id }
    }

    func visits(of household: String?) -> [VisitRow] {
        visits.filter { household == nil || $0.household == household }
    }

    func hits(_ typed: String) -> [Hit] {
        let fits = { (words: [String?]) in words.contains { $0?.contains(typed) == true } }
        let cases = cases(CaseFilter()).filter { row in fits([row.title, row.address, row.number, self.cases[row.id]?.text]) }
        let households = households(HouseholdFilter()).filter { fits([$0.address, $0.head, $0.phone]) }
        return cases.map(Hit.case) + households.map(Hit.household)
    }

    private func due(_ row: CaseRow) -> Date { row.due ?? .distantFuture }

    // MARK: What is done

    /// Saves own work: it is on this phone.
    mutating func save(_ edit: RefusedEdit) {
        unsent.append(edit)
        typed.append(edit)
        tell()
    }

    /// Sends a refused edit again as it was.
    mutating func redo(_ edit: RefusedEdit) {
        var edit = edit
        edit.delivery = World.onPhone
        edit.remedies = []
        refused.removeAll { $0.id == edit.id }
        unsent.append(edit)
        tell()
    }

    /// Everything that was typed, newest first, as it stands.
    func history() -> [RefusedEdit] {
        typed.reversed().map { edit in
            if let open = (refused + unsent).first(where: { $0.id == edit.id }) { return open }
            var edit = edit
            edit.delivery = discarded.contains(edit.id) ? Delivery(state: .discarded) : Delivery(state: .received, received: contact)
            return edit
        }
    }

    /// The centre takes what waits, or refuses it.
    mutating func sync(at now: Date) -> SyncResult {
        let sent = unsent
        unsent = []
        var turnedDown = 0
        for edit in sent {
            if refusals.isEmpty {
                received += 1
            } else {
                var edit = edit
                edit.delivery = Delivery(state: .refused, reason: refusals.removeFirst())
                edit.remedies = edit.mayBeNote ? [.redo, .correct, .note, .discard] : [.redo, .correct, .discard]
                refused.append(edit)
                turnedDown += 1
            }
        }
        contact = now
        wait = nil
        tell()
        return SyncResult(entries: sent.count, refused: turnedDown)
    }

    /// Gives up a refused edit.
    mutating func forget(_ edit: String) {
        refused.removeAll { $0.id == edit }
        tell()
    }

    /// Every record says where its own work is.
    private mutating func tell() {
        let edits = Dictionary((unsent + refused).map { ($0.id, $0.delivery) }) { _, later in later }
        let received = Delivery(state: .received, received: contact)
        cases = cases.mapValues { detail in
            var detail = detail
            detail.row.delivery = delivery(of: detail.id, before: detail.row.delivery)
            detail.refused = refused.filter { $0.record == detail.id }
            for index in detail.history.indices where detail.history[index].own {
                detail.history[index].delivery = edits[detail.history[index].id] ?? received
            }
            return detail
        }
        households = households.mapValues { detail in
            var detail = detail
            detail.row.delivery = delivery(of: detail.id, before: detail.row.delivery)
            detail.refused = refused.filter { $0.record == detail.id }
            return detail
        }
    }

    private func delivery(of id: String, before: Delivery) -> Delivery {
        if let edit = refused.last(where: { $0.record == id }) { return edit.delivery }
        if unsent.contains(where: { $0.record == id }) { return Self.onPhone }
        if before.state == .theirs { return before }
        return Delivery(state: .received, received: contact)
    }
}

/// What a form gives to a call.
enum Given: Hashable, Sendable {
    case report(ActionFields)
    case act(String, ActionKind, ActionFields)
    case addHousehold(FieldEdit, [FieldEdit])
    case editHousehold(String, FieldEdit, [String: FieldEdit])
    case addPerson(String, FieldEdit)
    case setIdNumber(String, String, String)
    case visit(String, Visit)
}

extension Array where Element: Hashable & Sendable {
    func page(_ request: PageRequest) -> Page<Element> {
        let from = Int(request.after?.n ?? 0)
        let end = from + request.limit
        return Page(rows: Array(dropFirst(from).prefix(request.limit)), next: end < count ? PageToken(key: 0, n: Int64(end)) : nil)
    }
}

extension HouseholdDetail {
    mutating func apply(_ edit: FieldEdit) {
        fields.apply(edit)
        tags.apply(edit)
        let living = persons.filter { !$0.ended }
        row.grid = fields["grid"]
        row.address = fields["address"]
        row.phone = fields["phone"]
        row.head = living.first { $0.fields["relation"] == "02" }?.name ?? fields["contact"]
        row.persons = living.count
        row.care = living.filter(\.care).count
    }
}

extension Person {
    mutating func apply(_ edit: FieldEdit) {
        fields.apply(edit)
        tags.apply(edit)
        name = fields["name"]
        care = !tags.isEmpty
        ended = fields["ended"] != nil
    }
}

extension [String: String] {
    fileprivate mutating func apply(_ edit: FieldEdit) {
        for (name, value) in edit.values { self[name] = value }
    }
}

extension [String] {
    fileprivate mutating func apply(_ edit: FieldEdit) {
        removeAll { edit.tags[$0] == false }
        append(contentsOf: edit.tags.filter { $0.value && !contains($0.key) }.keys.sorted())
    }
}
