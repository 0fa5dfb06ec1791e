import Foundation

#if compiler(>=6.0)
internal import FieldgridFFI
#else
import FieldgridFFI
#endif

/// The real engine, through the bindings.
public final class FieldgridEngine: Fieldgrid {
    private let device: Device

    private init(_ device: Device) {
        self.device = device
    }

    /// Opens the phone's store, or makes it. When another ``Fieldgrid`` of this process is just being closed, it waits for that.
    ///
    /// - Throws: ``FieldgridError``, for instance ``FieldgridError/wrongKey(_:)``; whatever it is, the file is as it was.
    public static func open(_ options: OpenOptions) async throws -> FieldgridEngine {
        let request = OpenRequest(
            path: options.path.path, key: options.key, life: options.life?.path, caPem: options.caPem, startAnew: options.startAnew
        )
        return try await told { FieldgridEngine(try await openDevice(request: request)) }
    }

    /// What the engine says about its work, from now on, up to `most`: for developers. No personal data is in it. A loop that is far behind misses lines.
    public static func observeLog(_ most: LogLevel = .info) -> ObservedValues<LogLine> {
        ObservedValues {
            let log = FieldgridFFI.observeLog(most: FieldgridFFI.LogLevel(most))
            return { await withTaskCancellationHandler { await log.next().map(LogLine.init) } onCancel: { log.cancel() } }
        }
    }

    public func enrol(_ invite: String) async throws {
        try await abandonable { [device] in try await device.enrol(invite: invite) }
    }

    public func wipe() async throws {
        try await told { try await device.wipe() }
    }

    public func status() async throws -> DeviceStatus {
        try await told { DeviceStatus(try await device.status()) }
    }

    public func observeStatus() -> ObservedValues<DeviceStatus> {
        observed({ try $0.observeStatus() }, DeviceStatus.init)
    }

    public func cases(_ filter: CaseFilter, page: PageRequest) async throws -> Page<CaseRow> {
        try await told { Page(try await device.cases(filter: .init(filter), limit: page.rows, after: page.token)) }
    }

    public func observeCases(_ filter: CaseFilter, page: PageRequest) -> ObservedValues<Page<CaseRow>> {
        observed({ try $0.observeCases(filter: .init(filter), limit: page.rows, after: page.token) }, Page.init)
    }

    public func `case`(_ id: String) async throws -> CaseDetail? {
        try await told { try await device.case(caseId: id).map(CaseDetail.init) }
    }

    public func observeCase(_ id: String) -> ObservedValues<CaseDetail?> {
        observed({ try $0.observeCase(caseId: id) }) { $0.map(CaseDetail.init) }
    }

    public func report(_ fields: ActionFields, form: UUID?) async throws -> String {
        try await told { try await device.report(fields: .init(fields), form: form?.uuidString) }
    }

    @discardableResult
    public func act(case id: String, _ kind: ActionKind, _ fields: ActionFields, form: UUID?) async throws -> String {
        try await told { try await device.act(caseId: id, kind: .init(kind), fields: .init(fields), form: form?.uuidString) }
    }

    public func households(_ filter: HouseholdFilter, page: PageRequest) async throws -> Page<HouseholdRow> {
        try await told { Page(try await device.households(filter: .init(filter), limit: page.rows, after: page.token)) }
    }

    public func observeHouseholds(_ filter: HouseholdFilter, page: PageRequest) -> ObservedValues<Page<HouseholdRow>> {
        observed({ try $0.observeHouseholds(filter: .init(filter), limit: page.rows, after: page.token) }, Page.init)
    }

    public func household(_ id: String) async throws -> HouseholdDetail? {
        try await told { try await device.household(household: id).map(HouseholdDetail.init) }
    }

    public func observeHousehold(_ id: String) -> ObservedValues<HouseholdDetail?> {
        observed({ try $0.observeHousehold(household: id) }) { $0.map(HouseholdDetail.init) }
    }

    public func grids() async throws -> [String: String] {
        try await told { try await device.grids() }
    }

    public func addHousehold(_ fields: FieldEdit, persons: [FieldEdit], form: UUID?) async throws -> String {
        try await told { try await device.addHousehold(household: .init(fields), persons: persons.map { .init($0) }, form: form?.uuidString) }
    }

    public func editHousehold(_ id: String, _ fields: FieldEdit, persons: [String: FieldEdit], form: UUID?) async throws {
        let persons = persons.mapValues { FieldgridFFI.FieldEdit($0) }
        try await told { try await device.editHousehold(household: id, fields: .init(fields), persons: persons, form: form?.uuidString) }
    }

    @discardableResult
    public func addPerson(household: String, _ fields: FieldEdit, form: UUID?) async throws -> String {
        try await told { try await device.addPerson(household: household, fields: .init(fields), form: form?.uuidString) }
    }

    public func setIdNumber(household: String, person: String, _ value: String, form: UUID?) async throws {
        try await told { try await device.setIdNumber(household: household, person: person, value: value, form: form?.uuidString) }
    }

    public func revealIdNumber(household: String, person: String, _ reason: RevealReason, note: String?) async throws -> String? {
        try await told { try await device.revealIdNumber(household: household, person: person, reason: .init(reason), note: note) }
    }

    public func visits(household: String?, page: PageRequest) async throws -> Page<VisitRow> {
        try await told { Page(try await device.visits(household: household, limit: page.rows, after: page.token)) }
    }

    public func observeVisits(household: String?, page: PageRequest) -> ObservedValues<Page<VisitRow>> {
        observed({ try $0.observeVisits(household: household, limit: page.rows, after: page.token) }, Page.init)
    }

    @discardableResult
    public func visit(household: String, _ visit: Visit, form: UUID?) async throws -> String {
        try await told { try await device.visit(household: household, visit: .init(visit), form: form?.uuidString) }
    }

    public func search(_ typed: String, page: PageRequest) async throws -> Page<Hit> {
        try await told { Page(try await device.search(typed: typed, limit: page.rows, after: page.token)) }
    }

    public func observeRefused() -> ObservedValues<[RefusedEdit]> {
        observed({ try $0.observeRefused() }) { $0.map(RefusedEdit.init) }
    }

    public func refused() async throws -> [RefusedEdit] {
        try await told { try await device.refused().map(RefusedEdit.init) }
    }

    public func discard(record: String, edit: String) async throws {
        try await told { try await device.discard(record: record, edit: edit) }
    }

    public func sendAsNote(case id: String, edit: String) async throws {
        try await told { try await device.sendAsNote(caseId: id, edit: edit) }
    }

    public func redo(record: String, edit: String) async throws {
        try await told { try await device.redo(record: record, edit: edit) }
    }

    public func correct(record: String, edit: String, _ fields: ActionFields) async throws {
        try await told { try await device.correctAction(record: record, edit: edit, fields: .init(fields)) }
    }

    public func correct(record: String, edit: String, _ fields: FieldEdit, persons: [String: FieldEdit]) async throws {
        let persons = persons.mapValues { FieldgridFFI.FieldEdit($0) }
        try await told { try await device.correctHousehold(record: record, edit: edit, fields: .init(fields), persons: persons) }
    }

    public func correct(record: String, edit: String, _ visit: Visit) async throws {
        try await told { try await device.correctVisit(record: record, edit: edit, visit: .init(visit)) }
    }

    public func correctIdNumber(record: String, edit: String, _ value: String) async throws {
        try await told { try await device.correctIdNumber(record: record, edit: edit, value: value) }
    }

    public func history(page: PageRequest) async throws -> Page<RefusedEdit> {
        try await told { Page(try await device.history(limit: page.rows, after: page.token)) }
    }

    public func headsNote() async throws -> String {
        try await told { try await device.headsNote() }
    }

    public func compare(note: String) async throws -> Compared {
        try await told { Compared(try await device.compare(note: note)) }
    }

    public func names() async throws -> Names {
        try await told { Names(try await device.names()) }
    }

    @discardableResult
    public func syncNow() async throws -> SyncResult {
        try await abandonable { [device] in SyncResult(try await device.syncNow()) }
    }

    public func start() async throws {
        try await told { try await device.start() }
    }

    public func stop() async throws {
        try await told { try await device.stop() }
    }

    public func wake() async throws {
        try await told { try device.wake() }
    }

    public func close() {
        device.beginShutdown()
    }

    public func closeAndWait() async {
        await device.shutdown()
    }

    private func observed<W: Watch, Shown>(
        _ open: @escaping @Sendable (Device) throws -> W, _ shown: @escaping @Sendable (W.Value) -> Shown
    ) -> ObservedValues<Shown> {
        ObservedValues { [device] in
            let watch = try await told { try open(device) }
            return {
                try await withTaskCancellationHandler {
                    do {
                        return try await told { shown(try await watch.next()) }
                    } catch where Task.isCancelled {
                        return nil
                    }
                } onCancel: {
                    watch.cancel()
                }
            }
        }
    }
}

/// What the bindings' errors are to apps.
private func told<T>(_ work: () async throws -> T) async throws -> T {
    do {
        return try await work()
    } catch let failure as FieldgridFFI.FieldgridError {
        throw FieldgridError(failure)
    }
}

/// For work that waits for the network and goes on without its caller: one who is cancelled waits no longer.
private func abandonable<T: Sendable>(_ work: @escaping @Sendable () async throws -> T) async throws -> T {
    let (outcome, sender) = AsyncThrowingStream<T, any Error>.makeStream()
    Task {
        do {
            sender.yield(try await told(work))
            sender.finish()
        } catch {
            sender.finish(throwing: error)
        }
    }
    for try await value in outcome { return value }
    throw CancellationError()
}

/// A watch of the engine. A cancelled task goes on awaiting a future of the bindings, so whoever waits in `next` has to be told by `cancel`.
private protocol Watch: Sendable {
    associatedtype Value

    func next() async throws -> Value
    func cancel()
}

extension CasesWatch: Watch {}
extension CaseWatch: Watch {}
extension HouseholdsWatch: Watch {}
extension HouseholdWatch: Watch {}
extension VisitsWatch: Watch {}
extension RefusedWatch: Watch {}
extension DeviceWatch: Watch {}

extension PageRequest {
    fileprivate var rows: UInt32 { UInt32(clamping: limit) }
    fileprivate var token: FieldgridFFI.PageToken? { after.map(FieldgridFFI.PageToken.init) }
}
