import Foundation

/// What an action says. Which of these a kind needs is in ``NextAction/requires``; times that it lacks are filled in.
public struct ActionFields: Hashable, Sendable {
    /// Free text, at most 2,000 characters.
    public var text: String?

    /// A short title.
    public var title: String?

    /// Category code, see ``CaseCategory``.
    public var category: String?

    /// How bad it is.
    public var severity: Severity?

    /// Where.
    public var place: Place?

    /// When it happened.
    public var occurred: Date?

    /// When it was finished, as claimed.
    public var finished: Date?

    /// When it was seen.
    public var seen: Date?

    /// Why.
    public var reason: String?

    /// The reply to the reporter.
    public var reply: String?

    /// Result code of finishing or closing.
    public var result: String?

    /// What was done.
    public var measure: String?

    /// What was seen on the spot.
    public var observation: String?

    /// Conclusion of closing.
    public var conclusion: String?

    /// Instruction to the handler.
    public var instruction: String?

    /// Result of the check for duplicates.
    public var duplicateCheck: String?

    /// Satisfaction, 1–5.
    public var score: Int?

    /// When it is (newly) due.
    public var due: Date?

    /// The grid it belongs to.
    public var grid: String?

    /// The organisation it is dispatched to, by id; ``Names/orgs`` has them.
    public var org: String?

    /// The person it is dispatched to, by id.
    public var person: String?

    /// Organisations that handle it too and whose finishing is required, by id.
    public var required: [String]?

    /// Departments that are whistled for, by id.
    public var departments: [String]?

    /// The assignments, requests or actions it is about, by id: ``Assignment/id``, ``HistoryEntry/id``, ``Flag/actions``.
    public var targets: [String]?

    /// Days of a suspension.
    public var maxDays: Int?

    /// The flag that a decision clears: ``Flag/row``.
    public var row: Int?

    /// A decision's word, or a supervision's level.
    public var decision: String?

    /// The other case of a merge, by id.
    public var primary: String?

    /// Where the case came from, when not from a phone.
    public var source: String?

    public init(
        text: String? = nil,
        title: String? = nil,
        category: String? = nil,
        severity: Severity? = nil,
        place: Place? = nil,
        occurred: Date? = nil,
        finished: Date? = nil,
        seen: Date? = nil,
        reason: String? = nil,
        reply: String? = nil,
        result: String? = nil,
        measure: String? = nil,
        observation: String? = nil,
        conclusion: String? = nil,
        instruction: String? = nil,
        duplicateCheck: String? = nil,
        score: Int? = nil,
        due: Date? = nil,
        grid: String? = nil,
        org: String? = nil,
        person: String? = nil,
        required: [String]? = nil,
        departments: [String]? = nil,
        targets: [String]? = nil,
        maxDays: Int? = nil,
        row: Int? = nil,
        decision: String? = nil,
        primary: String? = nil,
        source: String? = nil
    ) {
        self.text = text
        self.title = title
        self.category = category
        self.severity = severity
        self.place = place
        self.occurred = occurred
        self.finished = finished
        self.seen = seen
        self.reason = reason
        self.reply = reply
        self.result = result
        self.measure = measure
        self.observation = observation
        self.conclusion = conclusion
        self.instruction = instruction
        self.duplicateCheck = duplicateCheck
        self.score = score
        self.due = due
        self.grid = grid
        self.org = org
        self.person = person
        self.required = required
        self.departments = departments
        self.targets = targets
        self.maxDays = maxDays
        self.row = row
        self.decision = decision
        self.primary = primary
        self.source = source
    }
}

/// A place: a point in WGS-84, words, or both.
public struct Place: Hashable, Sendable {
    /// The address in words.
    public var address: String?

    /// Degrees.
    public var latitude: Double?

    /// Degrees.
    public var longitude: Double?

    /// Accuracy of the fix, metres.
    public var accuracy: Int?

    public init(address: String? = nil, latitude: Double? = nil, longitude: Double? = nil, accuracy: Int? = nil) {
        self.address = address
        self.latitude = latitude
        self.longitude = longitude
        self.accuracy = accuracy
    }
}

/// Which cases.
public struct CaseFilter: Hashable, Sendable {
    /// In this state.
    public var state: CaseState?

    /// Still open, or ended.
    public var open: Bool?

    /// Reported by the phone's person.
    public var mine: Bool

    /// With a live assignment to the phone's person or organisation.
    public var assigned: Bool

    /// Of this category, or of the minor ones under it.
    public var category: String?

    /// In this area, by code.
    public var area: String?

    /// The order.
    public var order: CaseOrder

    public init(
        state: CaseState? = nil,
        open: Bool? = nil,
        mine: Bool = false,
        assigned: Bool = false,
        category: String? = nil,
        area: String? = nil,
        order: CaseOrder = .updated
    ) {
        self.state = state
        self.open = open
        self.mine = mine
        self.assigned = assigned
        self.category = category
        self.area = area
        self.order = order
    }
}

/// Which households.
public struct HouseholdFilter: Hashable, Sendable {
    /// In this grid or area, by code.
    public var area: String?

    /// Where someone needs care.
    public var care: Bool

    public init(area: String? = nil, care: Bool = false) {
        self.area = area
        self.care = care
    }
}

/// The fields of a household or a person that a form sets, and no others. The names are in `docs/schema.md`; a dictionary literal is one: `["phone": "120…", "note": nil]`.
public struct FieldEdit: Hashable, Sendable {
    /// Values by field name; `nil` clears the field.
    public var values: [String: String?]

    /// Tags: set or not.
    public var tags: [String: Bool]

    /// Nothing is set.
    public init() {
        self.init([:])
    }

    public init(_ values: [String: String?] = [:], tags: [String: Bool] = [:]) {
        self.values = values
        self.tags = tags
    }
}

extension FieldEdit: ExpressibleByDictionaryLiteral {
    /// Values by field name; of a name that is there twice, the later.
    public init(dictionaryLiteral values: (String, String?)...) {
        self.init(Dictionary(values) { _, later in later }, tags: [:])
    }
}

/// A visit as its form gives it.
public struct Visit: Hashable, Sendable {
    /// Why.
    public var kind: VisitKind

    /// How it went.
    public var result: VisitResult

    /// Who was met, by id.
    public var persons: [String]

    /// What they need, at most 2,000 characters.
    public var needs: String?

    /// When the next is due.
    public var nextDue: Date?

    /// Cases raised during it, by id.
    public var cases: [String]

    public init(
        kind: VisitKind,
        result: VisitResult,
        persons: [String] = [],
        needs: String? = nil,
        nextDue: Date? = nil,
        cases: [String] = []
    ) {
        self.kind = kind
        self.result = result
        self.persons = persons
        self.needs = needs
        self.nextDue = nextDue
        self.cases = cases
    }
}

/// Whether this may be a number of a Chinese identity card: 18 characters whose date and check character are right. A warning at most: a number may be kept all
/// the same, for there are other papers.
public func idNumberFits(_ number: String) -> Bool {
    Vocabulary.idNumberFits(number)
}
