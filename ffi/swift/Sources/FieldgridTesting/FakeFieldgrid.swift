import FieldgridKit
import Foundation

/// A phone in memory, for the tests and previews of apps: no store, no server, no threads of its own.
///
/// It behaves: what is saved is listed at once and is "on this phone" until ``syncNow()`` brings it to the centre, which it does only while ``online``; what
/// ``refuseNext(_:)`` announced is refused by the centre then, stays visible with the reason, and can be discarded or sent as a note. What others do is put
/// in by `put`. It judges nothing: which actions are possible is what `put` said. A form is saved once, as on a phone.
public final class FakeFieldgrid: Fieldgrid, @unchecked Sendable {
    private let lock = NSLock()
    private let forms = NSLock()
    private var world: World
    private var observers: [UUID: AsyncStream<World>.Continuation] = [:]
    private let now: @Sendable () -> Date

    public init(enrolled: Bool = true, now: @escaping @Sendable () -> Date = { Date() }) {
        world = World(enrolment: enrolled ? .fake : nil)
        self.now = now
    }

    // MARK: What the test decides

    /// Whether the centre can be reached.
    public var online: Bool {
        get { lock.withLock { world.online } }
        set { change { $0.online = newValue } }
    }

    /// The next edits that reach the centre are refused, for these reasons in turn.
    public func refuseNext(_ reasons: Words...) {
        change { $0.refusals += reasons }
    }

    /// A case as the centre sends it.
    public func put(_ case: CaseDetail) {
        change { $0.cases[`case`.id] = `case` }
    }

    /// A household as the centre sends it.
    public func put(_ household: HouseholdDetail) {
        change { $0.households[household.id] = household }
    }

    // MARK: Fieldgrid

    public func enrol(_ invite: String) async throws {
        try opened { world in
            if world.enrolment != nil { throw FieldgridError.enrolmentFailed(.alreadyEnrolled, reason: .alreadyEnrolled) }
            if !invite.hasPrefix("fieldgrid:1?") { throw FieldgridError.enrolmentFailed(.noInvite, reason: .invalidInvite) }
            if !world.online { throw FieldgridError.enrolmentFailed(.offline, reason: .unreachable) }
            world.enrolment = .fake
            world.contact = now()
        }
    }

    public func wipe() async throws {
        try opened { $0 = World(online: $0.online) }
    }

    public func status() async throws -> DeviceStatus { try look(\.status) }
    public func observeStatus() -> ObservedValues<DeviceStatus> { observed(\.status) }

    public func cases(_ filter: CaseFilter, page: PageRequest) async throws -> Page<CaseRow> { try look { $0.cases(filter).page(page) } }
    public func observeCases(_ filter: CaseFilter, page: PageRequest) -> ObservedValues<Page<CaseRow>> { observed { $0.cases(filter).page(page) } }
    public func `case`(_ id: String) async throws -> CaseDetail? { try look { $0.cases[id] } }
    public func observeCase(_ id: String) -> ObservedValues<CaseDetail?> { observed { $0.cases[id] } }

    public func report(_ fields: ActionFields, form: UUID?) async throws -> String {
        try once(form, .report(fields)) {
            let row = CaseRow(
                id: newId(), state: .reported, severity: fields.severity, category: fields.category, title: fields.title, address: fields.place?.address,
                grid: fields.grid, updated: now(), mine: true
            )
            try save(row.id, actions: [.report]) { world, _ in
                world.cases[row.id] = CaseDetail(
                    row: row, text: fields.text, place: fields.place, occurred: fields.occurred ?? row.updated, source: fields.source
                )
                return fields.title ?? fields.place?.address
            }
            return row.id
        }
    }

    @discardableResult
    public func act(case id: String, _ kind: ActionKind, _ fields: ActionFields, form: UUID?) async throws -> String {
        let said = [fields.text, fields.measure, fields.reason, fields.observation, fields.reply].compactMap { $0 }.joined(separator: "\n")
        return try once(form, .act(id, kind, fields)) {
            try save(id, actions: [kind], mayBeNote: true) { world, edit in
                guard var `case` = world.cases[id] else { throw FieldgridError.notFound(.noRecord) }
                `case`.history.append(
                    HistoryEntry(
                        id: edit, kind: kind, role: world.enrolment?.role ?? .gridMember, own: true, made: now(), text: said.isEmpty ? nil : said,
                        fields: fields, delivery: World.onPhone
                    )
                )
                `case`.row.updated = now()
                world.cases[id] = `case`
                return `case`.row.title
            }
        }
    }

    public func households(_ filter: HouseholdFilter, page: PageRequest) async throws -> Page<HouseholdRow> { try look { $0.households(filter).page(page) } }

    public func observeHouseholds(_ filter: HouseholdFilter, page: PageRequest) -> ObservedValues<Page<HouseholdRow>> {
        observed { $0.households(filter).page(page) }
    }

    public func household(_ id: String) async throws -> HouseholdDetail? { try look { $0.households[id] } }
    public func observeHousehold(_ id: String) -> ObservedValues<HouseholdDetail?> { observed { $0.households[id] } }

    public func grids() async throws -> [String: String] {
        try look { world in Dictionary((world.enrolment?.scopes ?? []).map { ($0, $0) }) { first, _ in first } }
    }

    public func addHousehold(_ fields: FieldEdit, persons: [FieldEdit], form: UUID?) async throws -> String {
        try once(form, .addHousehold(fields, persons)) {
            let id = newId()
            try save(id) { world, _ in
                var household = HouseholdDetail(row: HouseholdRow(id: id), persons: persons.map(newPerson))
                household.apply(fields)
                world.households[id] = household
                return household.row.address
            }
            return id
        }
    }

    public func editHousehold(_ id: String, _ fields: FieldEdit, persons: [String: FieldEdit], form: UUID?) async throws {
        _ = try once(form, .editHousehold(id, fields, persons)) {
            try edit(id) { household in
                for index in household.persons.indices {
                    if let edit = persons[household.persons[index].id] { household.persons[index].apply(edit) }
                }
                household.apply(fields)
            }
            return id
        }
    }

    @discardableResult
    public func addPerson(household: String, _ fields: FieldEdit, form: UUID?) async throws -> String {
        try once(form, .addPerson(household, fields)) {
            let person = newPerson(fields)
            try edit(household) { household in
                household.persons.append(person)
                household.apply(FieldEdit())
            }
            return person.id
        }
    }

    public func setIdNumber(household: String, person: String, _ value: String, form: UUID?) async throws {
        _ = try once(form, .setIdNumber(household, person, value)) {
            try edit(household) { household in
                for index in household.persons.indices where household.persons[index].id == person { household.persons[index].hasIdNumber = true }
            }
            change { $0.idNumbers[person] = value }
            return person
        }
    }

    public func revealIdNumber(household: String, person: String, _ reason: RevealReason, note: String?) async throws -> String? {
        guard let number = try look({ $0.idNumbers[person] }) else { return nil }
        try edit(household) { _ in }
        return number
    }

    public func visits(household: String?, page: PageRequest) async throws -> Page<VisitRow> { try look { $0.visits(of: household).page(page) } }
    public func observeVisits(household: String?, page: PageRequest) -> ObservedValues<Page<VisitRow>> { observed { $0.visits(of: household).page(page) } }

    @discardableResult
    public func visit(household: String, _ visit: Visit, form: UUID?) async throws -> String {
        try once(form, .visit(household, visit)) {
            let row = VisitRow(
                id: newId(), household: household, kind: visit.kind, result: visit.result, visited: now(), nextDue: visit.nextDue, delivery: World.onPhone
            )
            try edit(household) { $0.visits.insert(row, at: 0) }
            change { $0.visits.insert(row, at: 0) }
            return row.id
        }
    }

    public func search(_ typed: String, page: PageRequest) async throws -> Page<Hit> { try look { $0.hits(typed).page(page) } }

    public func observeRefused() -> ObservedValues<[RefusedEdit]> { observed(\.refused) }
    public func refused() async throws -> [RefusedEdit] { try look(\.refused) }

    public func discard(record: String, edit: String) async throws {
        try opened { world in
            guard world.refused.contains(where: { $0.id == edit && $0.record == record }) else { throw FieldgridError.notFound(.noRecord) }
            world.forget(edit)
            world.discarded.insert(edit)
        }
    }

    public func redo(record: String, edit: String) async throws {
        try opened { world in world.redo(try refused(world, record, edit)) }
    }

    public func correct(record: String, edit: String, _ fields: ActionFields) async throws {
        let kind = try opened { world in try refused(world, record, edit).actions.first }
        guard let kind, kind != .report else { return try await redo(record: record, edit: edit) }
        try await discard(record: record, edit: edit)
        try await act(case: record, kind, fields)
    }

    public func correct(record: String, edit: String, _ fields: FieldEdit, persons: [String: FieldEdit]) async throws {
        try await discard(record: record, edit: edit)
        try await editHousehold(record, fields, persons: persons, form: nil)
    }

    public func correct(record: String, edit: String, _ visit: Visit) async throws {
        try await discard(record: record, edit: edit)
        try await self.visit(household: record, visit)
    }

    public func correctIdNumber(record: String, edit: String, _ value: String) async throws {
        let person = try opened { world in try refused(world, record, edit).persons.keys.first }
        guard let person else { throw FieldgridError.notFound(.noRecord) }
        try await discard(record: record, edit: edit)
        try await setIdNumber(household: record, person: person, value, form: nil)
    }

    /// No centre signed anything here.
    public func headsNote() async throws -> String { try look { _ in "FIELDGRID:HEADS:1:80" } }

    public func compare(note: String) async throws -> Compared { try look { _ in Compared(same: 0, split: 0, unknown: 0) } }

    public func history(page: PageRequest) async throws -> Page<RefusedEdit> { try look { $0.history().page(page) } }

    private func refused(_ world: World, _ record: String, _ edit: String) throws -> RefusedEdit {
        guard let found = world.refused.first(where: { $0.id == edit && $0.record == record }) else { throw FieldgridError.notFound(.noRecord) }
        return found
    }

    public func sendAsNote(case id: String, edit: String) async throws {
        let said = try opened { world in
            guard world.refused.contains(where: { $0.id == edit && $0.record == id && $0.mayBeNote }) else { throw FieldgridError.notFound(.noRecord) }
            world.forget(edit)
            return world.cases[id]?.history.first { $0.id == edit }?.text
        }
        try await act(case: id, .supplement, ActionFields(text: said))
    }

    public func names() async throws -> Names { try look { _ in Names() } }

    @discardableResult
    public func syncNow() async throws -> SyncResult {
        try opened { world in
            if world.enrolment == nil { return SyncResult(wait: SyncWait(reason: .notEnrolled, words: .notEnrolled)) }
            if world.online { return world.sync(at: now()) }
            world.wait = SyncWait(reason: .noNetwork, words: .offline, duration: .seconds(30))
            return SyncResult(wait: world.wait)
        }
    }

    public func start() async throws { try opened { $0.background = true } }
    public func stop() async throws { try opened { $0.background = false } }

    public func wake() async throws {
        if try look(\.background) { try await syncNow() }
    }

    public func close() {
        change { $0.closed = true }
    }

    public func closeAndWait() async {
        close()
    }
}

// MARK: -

extension FakeFieldgrid {
    @discardableResult
    private func change<T>(_ work: (inout World) throws -> T) rethrows -> T {
        try lock.withLock {
            let result = try work(&world)
            for observer in observers.values { observer.yield(world) }
            return result
        }
    }

    @discardableResult
    private func opened<T>(_ work: (inout World) throws -> T) throws -> T {
        try change { world in
            if world.closed { throw FieldgridError.closed(.closed) }
            return try work(&world)
        }
    }

    private func look<T>(_ work: (World) -> T) throws -> T {
        let world = lock.withLock { self.world }
        if world.closed { throw FieldgridError.closed(.closed) }
        return work(world)
    }

    /// Saves what a form gives; one that comes back is answered what it was then.
    private func once(_ form: UUID?, _ given: Given, _ save: () throws -> String) throws -> String {
        guard let form else { return try save() }
        return try forms.withLock {
            if let before = try look({ $0.forms[form] }) {
                if before.given != given { throw FieldgridError.alreadySaved(.alreadySaved) }
                return before.saved
            }
            let saved = try save()
            change { $0.forms[form] = (given, saved) }
            return saved
        }
    }

    /// Saves what `work` does to the world, as an edit of a record; `work` says what lists call that record.
    @discardableResult
    private func save(
        _ record: String, actions: [ActionKind] = [], mayBeNote: Bool = false, _ work: (inout World, String) throws -> String?
    ) throws -> String {
        let id = newId()
        try opened { world in
            if world.enrolment == nil { throw FieldgridError.notEnrolled(.notEnrolled) }
            let title = try work(&world, id)
            world.save(
                RefusedEdit(id: id, record: record, title: title, made: now(), delivery: World.onPhone, actions: actions, mayBeNote: mayBeNote)
            )
            if world.background && world.online { _ = world.sync(at: now()) }
        }
        return id
    }

    private func edit(_ id: String, _ work: (inout HouseholdDetail) -> Void) throws {
        try save(id) { world, _ in
            guard var household = world.households[id] else { throw FieldgridError.notFound(.noRecord) }
            work(&household)
            world.households[id] = household
            return household.row.address
        }
    }

    private func observed<T: Equatable & Sendable>(_ look: @escaping @Sendable (World) -> T) -> ObservedValues<T> {
        ObservedValues { [self] in
            var worlds = self.worlds().makeAsyncIterator()
            var last: T?
            return {
                while let world = await worlds.next() {
                    if world.closed { throw FieldgridError.closed(.closed) }
                    let value = look(world)
                    if value != last {
                        last = value
                        return value
                    }
                }
                return nil
            }
        }
    }

    /// The world of now, then each other one, the latest if there were several.
    private func worlds() -> AsyncStream<World> {
        let (worlds, observer) = AsyncStream<World>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let id = UUID()
        lock.withLock {
            observers[id] = observer
            observer.yield(world)
        }
        observer.onTermination = { [weak self] _ in
            guard let self else { return }
            self.lock.withLock { self.observers[id] = nil }
        }
        return worlds
    }

    private func newId() -> String { UUID().uuidString.lowercased() }

    private func newPerson(_ fields: FieldEdit) -> Person {
        var person = Person(id: newId())
        person.apply(fields)
        return person
    }
}

extension Enrolment {
    fileprivate static let fake = Enrolment(name: "陈静", role: .gridMember, scopes: ["610702001001001"])
}

extension Words {
    fileprivate static let alreadyEnrolled = Words(zh: "本机已入网", en: "This phone is enrolled already")
    fileprivate static let noInvite = Words(zh: "这不是入网码", en: "This is not an invite")
    fileprivate static let notEnrolled = Words(zh: "本机尚未入网", en: "This phone is not enrolled")
    fileprivate static let alreadySaved = Words(
        zh: "这张表单已经保存过，之后改动的内容没有保存", en: "This form was saved already, and what was changed in it since was not"
    )
    fileprivate static let noRecord = Words(zh: "这条记录不在本机", en: "This record is not on this phone")
    fileprivate static let closed = Words(zh: "应用已关闭本机存储", en: "The app has closed this phone's storage")
    fileprivate static let offline = Words(
        zh: "没有网络，记录已保存在本机，有网后自动上传", en: "No network. Records are safe on this phone and go out when there is one"
    )
}
