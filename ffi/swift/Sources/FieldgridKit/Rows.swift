import Foundation

/// Some rows of a list.
public struct Page<Row: Hashable & Sendable>: Hashable, Sendable {
    /// The rows.
    public var rows: [Row]

    /// Where the next page begins; `nil` at the end.
    public var next: PageToken?

    public init(rows: [Row], next: PageToken? = nil) {
        self.rows = rows
        self.next = next
    }
}

/// Which part of a list: so many rows, from its beginning or from where a page ended.
public struct PageRequest: Hashable, Sendable {
    /// How many rows a page has unless said otherwise.
    public static let size = 50

    /// How many rows; at most 500.
    public var limit: Int

    /// The ``Page/next`` of the page before; `nil` for the first.
    public var after: PageToken?

    public init(limit: Int = Self.size, after: PageToken? = nil) {
        self.limit = limit
        self.after = after
    }
}

/// Where a page ended: hand it back for the next.
public struct PageToken: Hashable, Sendable {
    /// What the list is ordered by.
    package var key: Int64

    /// Between equal keys.
    package var n: Int64

    package init(key: Int64, n: Int64) {
        self.key = key
        self.n = n
    }
}

/// Where work is, told from receipts only.
public struct Delivery: Hashable, Sendable {
    /// Where.
    public var state: DeliveryState

    /// Why it was refused, and what to do.
    public var reason: Words?

    /// When the centre received it, server's clock.
    public var received: Date?

    public init(state: DeliveryState, reason: Words? = nil, received: Date? = nil) {
        self.state = state
        self.reason = reason
        self.received = received
    }
}

/// A case in a list.
public struct CaseRow: Identifiable, Hashable, Sendable {
    /// The case.
    public var id: String

    /// Where it stands.
    public var state: CaseState

    /// Whether there is still something to do.
    public var open: Bool

    /// How bad it is.
    public var severity: Severity?

    /// Category code, see ``CaseCategory``.
    public var category: String?

    /// Title.
    public var title: String?

    /// Address in words.
    public var address: String?

    /// The grid's code.
    public var grid: String?

    /// The case number, once accepted.
    public var number: String?

    /// When the soonest live assignment is due.
    public var due: Date?

    /// When it was last changed.
    public var updated: Date

    /// How many flags a person must decide.
    public var flags: Int

    /// Reported by the phone's person.
    public var mine: Bool

    /// With a live assignment to the phone's person or organisation.
    public var assigned: Bool

    /// Where own work on it is.
    public var delivery: Delivery

    public init(
        id: String,
        state: CaseState,
        open: Bool = true,
        severity: Severity? = nil,
        category: String? = nil,
        title: String? = nil,
        address: String? = nil,
        grid: String? = nil,
        number: String? = nil,
        due: Date? = nil,
        updated: Date = Date(timeIntervalSince1970: 0),
        flags: Int = 0,
        mine: Bool = false,
        assigned: Bool = false,
        delivery: Delivery = Delivery(state: .theirs)
    ) {
        self.id = id
        self.state = state
        self.open = open
        self.severity = severity
        self.category = category
        self.title = title
        self.address = address
        self.grid = grid
        self.number = number
        self.due = due
        self.updated = updated
        self.flags = flags
        self.mine = mine
        self.assigned = assigned
        self.delivery = delivery
    }
}

/// A household in a list.
public struct HouseholdRow: Identifiable, Hashable, Sendable {
    /// The household.
    public var id: String

    /// The grid's code.
    public var grid: String?

    /// Address.
    public var address: String?

    /// Head or contact.
    public var head: String?

    /// Phone.
    public var phone: String?

    /// How many live there.
    public var persons: Int

    /// How many of them need care.
    public var care: Int

    /// A masked view: the household itself is not on this phone.
    public var masked: Bool

    /// Where own work on it is.
    public var delivery: Delivery

    public init(
        id: String,
        grid: String? = nil,
        address: String? = nil,
        head: String? = nil,
        phone: String? = nil,
        persons: Int = 0,
        care: Int = 0,
        masked: Bool = false,
        delivery: Delivery = Delivery(state: .theirs)
    ) {
        self.id = id
        self.grid = grid
        self.address = address
        self.head = head
        self.phone = phone
        self.persons = persons
        self.care = care
        self.masked = masked
        self.delivery = delivery
    }
}

/// A visit in a list.
public struct VisitRow: Identifiable, Hashable, Sendable {
    /// The visit.
    public var id: String

    /// The household.
    public var household: String?

    /// Why.
    public var kind: VisitKind

    /// How it went.
    public var result: VisitResult

    /// When, by the visitor's clock.
    public var visited: Date

    /// When the next is due.
    public var nextDue: Date?

    /// Where it is.
    public var delivery: Delivery

    /// What they need.
    public var needs: String?

    /// Who was met, by id.
    public var persons: [String]

    /// Cases raised during it, by id.
    public var cases: [String]

    public init(
        id: String,
        household: String? = nil,
        kind: VisitKind = .routine,
        result: VisitResult = .met,
        visited: Date = Date(timeIntervalSince1970: 0),
        nextDue: Date? = nil,
        delivery: Delivery = Delivery(state: .theirs),
        needs: String? = nil,
        persons: [String] = [],
        cases: [String] = []
    ) {
        self.id = id
        self.household = household
        self.kind = kind
        self.result = result
        self.visited = visited
        self.nextDue = nextDue
        self.delivery = delivery
        self.needs = needs
        self.persons = persons
        self.cases = cases
    }
}

/// An own edit: one that waits for a person's decision, or any of ``Fieldgrid/history(page:)``.
public struct RefusedEdit: Identifiable, Hashable, Sendable {
    /// The edit.
    public var id: String

    /// The record it is about.
    public var record: String?

    /// What lists call that record.
    public var title: String?

    /// When it was made, phone's clock.
    public var made: Date

    /// Where it is, with the centre's reason.
    public var delivery: Delivery

    /// What it did, when it was on a case; empty for a household or a visit.
    public var actions: [ActionKind]

    /// Whether ``Fieldgrid/sendAsNote(case:edit:)`` can send it.
    public var mayBeNote: Bool

    /// What it is called.
    public var name: Words?

    /// What an action on a case said.
    public var fields: ActionFields?

    /// What was set of a household; `nil` when it was not about one.
    public var household: FieldEdit?

    /// What was set of its persons, by id.
    public var persons: [String: FieldEdit]

    /// What a visit said.
    public var visit: Visit?

    /// An ID number, masked.
    public var idNumber: String?

    /// The centre has said that a verified backup covers it.
    public var backedUp: Bool

    /// What its author can still do about it.
    public var remedies: [Remedy]

    public init(
        id: String,
        record: String? = nil,
        title: String? = nil,
        made: Date = Date(timeIntervalSince1970: 0),
        delivery: Delivery = Delivery(state: .refused),
        actions: [ActionKind] = [],
        mayBeNote: Bool = false,
        name: Words? = nil,
        fields: ActionFields? = nil,
        household: FieldEdit? = nil,
        persons: [String: FieldEdit] = [:],
        visit: Visit? = nil,
        idNumber: String? = nil,
        backedUp: Bool = false,
        remedies: [Remedy] = []
    ) {
        self.id = id
        self.record = record
        self.title = title
        self.made = made
        self.delivery = delivery
        self.actions = actions
        self.mayBeNote = mayBeNote
        self.name = name
        self.fields = fields
        self.household = household
        self.persons = persons
        self.visit = visit
        self.idNumber = idNumber
        self.backedUp = backedUp
        self.remedies = remedies
    }
}

/// What a search found.
public enum Hit: Identifiable, Hashable, Sendable {
    /// A case, as in lists.
    case `case`(CaseRow)

    /// A household, as in lists.
    case household(HouseholdRow)

    /// The record.
    public var id: String {
        switch self {
        case .case(let row): row.id
        case .household(let row): row.id
        }
    }
}
