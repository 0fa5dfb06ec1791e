import Foundation

/// A phone: everything its screens need, answered from the encrypted store on it, one call a screen.
///
/// - **Threads.** Every call may be made from any actor, the main actor too, and holds it for nothing: what crosses to the engine is read and written off it.
/// - **Cancelling.** Nothing is ever half done. A call that the phone answers goes on to its end and says how it ended; ``enrol(_:)`` and ``syncNow()``,
///   which wait for the network, end at once with a `CancellationError` when their task is cancelled, and the engine goes on.
/// - **Observers** are ``ObservedValues``: an `AsyncSequence` of the current value first, then each other one; who is slow sees the latest. It ends when its
///   task is cancelled. The native memory behind it is given back when a loop ends, however it ends.
/// - **Errors** are ``FieldgridError``, with words for a person in Chinese and English.
/// - **A form is saved once**, whatever happens to the process between the save and the closing of the form. What saves takes the form's id: a random `UUID`,
///   made when the form is opened and kept with what was typed. The same form with the same is answered what it was then, and nothing is written, whatever has
///   become of the edit; with something else it is ``FieldgridError/alreadySaved(_:)``. Times and ids that the phone fills in do not count; those that the app
///   reckons do.
///
/// ``FieldgridEngine`` is the real one. `FakeFieldgrid`, of the product `FieldgridTesting`, stands in for it in the tests and previews of apps.
public protocol Fieldgrid: Sendable {
    // MARK: Who the phone is

    /// Enrols with the centre, by the text of its code (`fieldgrid:1?…`).
    ///
    /// - Throws: ``FieldgridError``; the phone is as it was, and may try again.
    func enrol(_ invite: String) async throws

    /// Forgets everything on this phone, unsent work too, for good: it is given to someone else.
    func wipe() async throws

    // MARK: The status screen, and the sync line of every other

    /// How the phone stands, now.
    func status() async throws -> DeviceStatus

    /// How the phone stands.
    func observeStatus() -> ObservedValues<DeviceStatus>

    // MARK: Cases

    /// Cases, a page at a time.
    func cases(_ filter: CaseFilter, page: PageRequest) async throws -> Page<CaseRow>

    /// A page of cases.
    func observeCases(_ filter: CaseFilter, page: PageRequest) -> ObservedValues<Page<CaseRow>>

    /// A case with its history and what may be done next; `nil` when it is not on this phone.
    func `case`(_ id: String) async throws -> CaseDetail?

    /// A case; `nil` as long as it is not on this phone.
    func observeCase(_ id: String) -> ObservedValues<CaseDetail?>

    /// Reports a new case, which happened now unless `fields` say when. Saved, durably, when it returns.
    ///
    /// - Returns: The case's id.
    /// - Throws: ``FieldgridError``; nothing is saved, and what the form holds is the app's to keep. So with all that follow.
    func report(_ fields: ActionFields, form: UUID?) async throws -> String

    /// Acts on a case. What a kind must say is in ``NextAction/requires``; times are filled in.
    ///
    /// - Returns: The edit's id.
    @discardableResult
    func act(case id: String, _ kind: ActionKind, _ fields: ActionFields, form: UUID?) async throws -> String

    // MARK: Households

    /// Households, a page at a time.
    func households(_ filter: HouseholdFilter, page: PageRequest) async throws -> Page<HouseholdRow>

    /// A page of households.
    func observeHouseholds(_ filter: HouseholdFilter, page: PageRequest) -> ObservedValues<Page<HouseholdRow>>

    /// A household with its persons and latest visits; `nil` when it is not on this phone.
    func household(_ id: String) async throws -> HouseholdDetail?

    /// A household; `nil` as long as it is not on this phone.
    func observeHousehold(_ id: String) -> ObservedValues<HouseholdDetail?>

    /// The grids that this phone works in, by code, with their names: one of them is a new household's.
    func grids() async throws -> [String: String]

    /// Adds a household with its persons; `grid`, of ``grids()``, and `address` belong in every one.
    ///
    /// - Returns: The household's id.
    func addHousehold(_ fields: FieldEdit, persons: [FieldEdit], form: UUID?) async throws -> String

    /// Saves a form: exactly the fields that were changed, the household's and those of `persons` by id. Nothing that a colleague changed meanwhile is undone.
    func editHousehold(_ id: String, _ fields: FieldEdit, persons: [String: FieldEdit], form: UUID?) async throws

    /// Adds a person to a household.
    ///
    /// - Returns: The person's id.
    @discardableResult
    func addPerson(household: String, _ fields: FieldEdit, form: UUID?) async throws -> String

    /// Keeps a person's ID number, beside the household and never in it.
    func setIdNumber(household: String, person: String, _ value: String, form: UUID?) async throws

    /// Reads a person's ID number. That it was read, and why, is recorded first, and synced; `note` says what the reason does not, in at most 2,000 characters.
    /// The app hides the number after a minute, and asks again.
    ///
    /// - Returns: `nil` when there is none on this phone.
    func revealIdNumber(household: String, person: String, _ reason: RevealReason, note: String?) async throws -> String?

    // MARK: Visits

    /// Visits, of one household or all, the latest first.
    func visits(household: String?, page: PageRequest) async throws -> Page<VisitRow>

    /// A page of visits.
    func observeVisits(household: String?, page: PageRequest) -> ObservedValues<Page<VisitRow>>

    /// Records a visit.
    ///
    /// - Returns: The visit's id.
    @discardableResult
    func visit(household: String, _ visit: Visit, form: UUID?) async throws -> String

    // MARK: Search, and what was refused

    /// Cases and households that match what was typed, Chinese included.
    func search(_ typed: String, page: PageRequest) async throws -> Page<Hit>

    /// Own work that the centre refused and its author has not decided about.
    func observeRefused() -> ObservedValues<[RefusedEdit]>

    /// Own work that the centre refused, now.
    func refused() async throws -> [RefusedEdit]

    /// Gives up a refused edit of a record.
    func discard(record: String, edit: String) async throws

    /// Sends what a refused edit of a case said as a note, where ``RefusedEdit/mayBeNote``.
    func sendAsNote(case id: String, edit: String) async throws

    /// Sends own work again as it was, where ``RefusedEdit/remedies`` has ``Remedy/redo``. Should the centre have it after all, it is there once.
    func redo(record: String, edit: String) async throws

    /// Sends an action on a case with other values: all that it says.
    func correct(record: String, edit: String, _ fields: ActionFields) async throws

    /// Sends a household's edit with other values: all that it sets, of the household and of its persons by id.
    func correct(record: String, edit: String, _ fields: FieldEdit, persons: [String: FieldEdit]) async throws

    /// Sends a visit with other values; when it was stays.
    func correct(record: String, edit: String, _ visit: Visit) async throws

    /// Sends another ID number in place of one.
    func correctIdNumber(record: String, edit: String, _ value: String) async throws

    /// Everything that was typed on this phone, newest first: what it said, where it is, and what can still be done about it.
    func history(page: PageRequest) async throws -> Page<RefusedEdit>

    /// What the centre signed for this phone, as text for a QR code: another phone compares it.
    func headsNote() async throws -> String

    /// Compares another phone's note with what the centre told this one. A contradiction is kept and sent to the centre.
    func compare(note: String) async throws -> Compared

    /// Names of areas, organisations and people, for pickers. Screens have theirs already.
    func names() async throws -> Names

    // MARK: Sync

    /// Syncs once, until everything is exchanged, or something makes it wait (``SyncResult/wait``).
    @discardableResult
    func syncNow() async throws -> SyncResult

    /// Keeps in sync from now on. Does nothing before enrolment.
    func start() async throws

    /// Stops keeping in sync, within five seconds.
    func stop() async throws

    /// The app is in front, or the network is back: what waits in the background tries now.
    func wake() async throws

    /// Closes: loops over ``ObservedValues`` and calls end with ``FieldgridError/closed(_:)`` from here on, and the store's files are closed in the background.
    /// It waits for nothing, so it may be called on the main actor, and ``FieldgridEngine/open(_:)`` may follow at once. Twice is once.
    func close()

    /// Closes, and returns when the store's files are closed: for an app that is going to move or delete them.
    func closeAndWait() async
}

// MARK: - What may be left out

extension Fieldgrid {
    /// Today's list: what is open, what is due first, then the latest change.
    public func observeToday(limit: Int = PageRequest.size, after: PageToken? = nil) -> ObservedValues<Page<CaseRow>> {
        observeCases(CaseFilter(order: .today), limit: limit, after: after)
    }

    /// Cases, a page at a time; `after` is the ``Page/next`` of the page before. ``Pages`` makes one list of them, as one scrolls.
    public func cases(_ filter: CaseFilter = CaseFilter(), limit: Int = PageRequest.size, after: PageToken? = nil) async throws -> Page<CaseRow> {
        try await cases(filter, page: PageRequest(limit: limit, after: after))
    }

    /// A page of cases.
    public func observeCases(_ filter: CaseFilter = CaseFilter(), limit: Int = PageRequest.size, after: PageToken? = nil) -> ObservedValues<Page<CaseRow>> {
        observeCases(filter, page: PageRequest(limit: limit, after: after))
    }

    /// Reports a new case, of no form that may come back.
    public func report(_ fields: ActionFields) async throws -> String {
        try await report(fields, form: nil)
    }

    /// Acts on a case; without fields, with what the kind alone says.
    @discardableResult
    public func act(case id: String, _ kind: ActionKind, _ fields: ActionFields = ActionFields()) async throws -> String {
        try await act(case: id, kind, fields, form: nil)
    }

    /// Households, a page at a time; `after` is the ``Page/next`` of the page before.
    public func households(_ filter: HouseholdFilter = HouseholdFilter(), limit: Int = PageRequest.size, after: PageToken? = nil) async throws -> Page<HouseholdRow> {
        try await households(filter, page: PageRequest(limit: limit, after: after))
    }

    /// A page of households.
    public func observeHouseholds(_ filter: HouseholdFilter = HouseholdFilter(), limit: Int = PageRequest.size, after: PageToken? = nil) -> ObservedValues<Page<HouseholdRow>> {
        observeHouseholds(filter, page: PageRequest(limit: limit, after: after))
    }

    /// Adds a household; its persons, where they are known.
    public func addHousehold(_ fields: FieldEdit, persons: [FieldEdit] = []) async throws -> String {
        try await addHousehold(fields, persons: persons, form: nil)
    }

    /// Edits a household itself, its persons by id, or both.
    public func editHousehold(_ id: String, _ fields: FieldEdit = FieldEdit(), persons: [String: FieldEdit] = [:]) async throws {
        try await editHousehold(id, fields, persons: persons, form: nil)
    }

    /// Adds a person to a household.
    @discardableResult
    public func addPerson(household: String, _ fields: FieldEdit) async throws -> String {
        try await addPerson(household: household, fields, form: nil)
    }

    /// Keeps a person's ID number.
    public func setIdNumber(household: String, person: String, _ value: String) async throws {
        try await setIdNumber(household: household, person: person, value, form: nil)
    }

    /// Records a visit.
    @discardableResult
    public func visit(household: String, _ visit: Visit) async throws -> String {
        try await self.visit(household: household, visit, form: nil)
    }

    /// Reads a person's ID number, for a reason that needs no words.
    public func revealIdNumber(household: String, person: String, _ reason: RevealReason) async throws -> String? {
        try await revealIdNumber(household: household, person: person, reason, note: nil)
    }

    /// Visits, of one household or all, the latest first; `after` is the ``Page/next`` of the page before.
    public func visits(household: String? = nil, limit: Int = PageRequest.size, after: PageToken? = nil) async throws -> Page<VisitRow> {
        try await visits(household: household, page: PageRequest(limit: limit, after: after))
    }

    /// A page of visits.
    public func observeVisits(household: String? = nil, limit: Int = PageRequest.size, after: PageToken? = nil) -> ObservedValues<Page<VisitRow>> {
        observeVisits(household: household, page: PageRequest(limit: limit, after: after))
    }

    /// Cases and households that match what was typed, Chinese included; `after` is the ``Page/next`` of the page before.
    public func search(_ typed: String, limit: Int = PageRequest.size, after: PageToken? = nil) async throws -> Page<Hit> {
        try await search(typed, page: PageRequest(limit: limit, after: after))
    }
}
