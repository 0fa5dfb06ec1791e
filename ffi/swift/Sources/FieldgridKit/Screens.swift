import Foundation

/// A case on its screen.
public struct CaseDetail: Identifiable, Hashable, Sendable {
    /// The record.
    public var id: String { row.id }

    /// As in lists.
    public var row: CaseRow

    /// What was reported.
    public var text: String?

    /// Where, with the point if there was a fix.
    public var place: Place?

    /// When it happened.
    public var occurred: Date?

    /// Where it came from, when not from a phone.
    public var source: String?

    /// What the grid is called.
    public var gridName: String?

    /// The reply to the reporter.
    public var reply: String?

    /// Whether the case is here whole, or only its progress may be known.
    public var whole: Bool

    /// The round of work, from 1: each rework and each reopening begins one.
    public var round: Int

    /// Closed, but somebody asked to reopen it or something contradicts it.
    public var reopenPending: Bool

    /// What people should know or decide.
    public var flags: [Flag]

    /// What was done, in order, with what became of it.
    public var history: [HistoryEntry]

    /// Who is at work on it.
    public var assignments: [Assignment]

    /// What the phone's person may do next.
    public var next: [NextAction]

    /// Own edits that wait for a decision.
    public var refused: [RefusedEdit]

    /// The record could not take a change that arrived; it was reported.
    public var parked: Bool

    public init(
        row: CaseRow,
        text: String? = nil,
        place: Place? = nil,
        occurred: Date? = nil,
        source: String? = nil,
        gridName: String? = nil,
        reply: String? = nil,
        whole: Bool = true,
        round: Int = 1,
        reopenPending: Bool = false,
        flags: [Flag] = [],
        history: [HistoryEntry] = [],
        assignments: [Assignment] = [],
        next: [NextAction] = [],
        refused: [RefusedEdit] = [],
        parked: Bool = false
    ) {
        self.row = row
        self.text = text
        self.place = place
        self.occurred = occurred
        self.source = source
        self.gridName = gridName
        self.reply = reply
        self.whole = whole
        self.round = round
        self.reopenPending = reopenPending
        self.flags = flags
        self.history = history
        self.assignments = assignments
        self.next = next
        self.refused = refused
        self.parked = parked
    }
}

/// One line of a case's history.
public struct HistoryEntry: Identifiable, Hashable, Sendable {
    /// The action.
    public var id: String

    /// What it does.
    public var kind: ActionKind

    /// The author's role.
    public var role: Role

    /// The author's name, where the centre has said it.
    public var author: String?

    /// The author's organisation, where the centre has said its name.
    public var org: String?

    /// Done on this phone.
    public var own: Bool

    /// When, by its author's clock.
    public var made: Date

    /// What it says, in words.
    public var text: String?

    /// All that it says.
    public var fields: ActionFields

    /// Whether it took effect.
    public var effective: Bool

    /// Why it had no effect.
    public var noEffect: Words?

    /// Where it is.
    public var delivery: Delivery

    public init(
        id: String,
        kind: ActionKind,
        role: Role,
        author: String? = nil,
        org: String? = nil,
        own: Bool = false,
        made: Date = Date(timeIntervalSince1970: 0),
        text: String? = nil,
        fields: ActionFields = ActionFields(),
        effective: Bool = true,
        noEffect: Words? = nil,
        delivery: Delivery = Delivery(state: .theirs)
    ) {
        self.id = id
        self.kind = kind
        self.role = role
        self.author = author
        self.org = org
        self.own = own
        self.made = made
        self.text = text
        self.fields = fields
        self.effective = effective
        self.noEffect = noEffect
        self.delivery = delivery
    }
}

/// A dispatch of a case.
public struct Assignment: Identifiable, Hashable, Sendable {
    /// The dispatch.
    public var id: String

    /// To which organisation.
    public var org: String?

    /// To which person.
    public var person: String?

    /// When it is due.
    public var due: Date?

    /// How far it is.
    public var state: AssignmentState

    /// Whether the case waits for this one to finish.
    public var required: Bool

    public init(
        id: String,
        org: String? = nil,
        person: String? = nil,
        due: Date? = nil,
        state: AssignmentState = .unsigned,
        required: Bool = true
    ) {
        self.id = id
        self.org = org
        self.person = person
        self.due = due
        self.state = state
        self.required = required
    }
}

/// Something that two concurrent actions left for people to know or to decide.
public struct Flag: Hashable, Sendable {
    /// The row of the merge table that raised it; ``ActionFields/row`` of a decision names it.
    public var row: Int

    /// How much it matters.
    public var level: FlagLevel

    /// The actions, by ``HistoryEntry/id``: two, or one that it is about by itself.
    public var actions: [String]

    public init(row: Int, level: FlagLevel, actions: [String]) {
        self.row = row
        self.level = level
        self.actions = actions
    }
}

/// An action that the phone's person may do next.
public struct NextAction: Hashable, Sendable {
    /// What.
    public var kind: ActionKind

    /// What it must say; times that it lacks are filled in.
    public var requires: [ActionField]

    public init(kind: ActionKind, requires: [ActionField] = []) {
        self.kind = kind
        self.requires = requires
    }
}

/// A household on its screen.
public struct HouseholdDetail: Identifiable, Hashable, Sendable {
    /// The record.
    public var id: String { row.id }

    /// As in lists.
    public var row: HouseholdRow

    /// All fields that hold something, by name; empty when only a masked view is here.
    public var fields: [String: String]

    /// Tags that are set.
    public var tags: [String]

    /// Who lives or lived there.
    public var persons: [Person]

    /// What concurrent edits also said.
    public var alternatives: [Alternative]

    /// The latest visits.
    public var visits: [VisitRow]

    /// Own edits that wait for a decision.
    public var refused: [RefusedEdit]

    /// The record could not take a change that arrived; it was reported.
    public var parked: Bool

    public init(
        row: HouseholdRow,
        fields: [String: String] = [:],
        tags: [String] = [],
        persons: [Person] = [],
        alternatives: [Alternative] = [],
        visits: [VisitRow] = [],
        refused: [RefusedEdit] = [],
        parked: Bool = false
    ) {
        self.row = row
        self.fields = fields
        self.tags = tags
        self.persons = persons
        self.alternatives = alternatives
        self.visits = visits
        self.refused = refused
        self.parked = parked
    }
}

/// A person of a household.
public struct Person: Identifiable, Hashable, Sendable {
    /// The person.
    public var id: String

    /// Name.
    public var name: String?

    /// All fields that hold something, by name.
    public var fields: [String: String]

    /// Tags that are set.
    public var tags: [String]

    /// Whether he needs care.
    public var care: Bool

    /// Whether an ID number is kept; see ``Fieldgrid/revealIdNumber(household:person:_:note:)``.
    public var hasIdNumber: Bool

    /// Moved away or died.
    public var ended: Bool

    public init(
        id: String,
        name: String? = nil,
        fields: [String: String] = [:],
        tags: [String] = [],
        care: Bool = false,
        hasIdNumber: Bool = false,
        ended: Bool = false
    ) {
        self.id = id
        self.name = name
        self.fields = fields
        self.tags = tags
        self.care = care
        self.hasIdNumber = hasIdNumber
        self.ended = ended
    }
}

/// Values of a field that concurrent edits also gave; the one that shows is in the fields.
public struct Alternative: Hashable, Sendable {
    /// The person; `nil` for the household itself.
    public var person: String?

    /// The field.
    public var field: String

    /// The other values.
    public var values: [String]

    public init(person: String?, field: String, values: [String]) {
        self.person = person
        self.field = field
        self.values = values
    }
}

/// Names for codes and ids.
public struct Names: Hashable, Sendable {
    /// Areas by code.
    public var areas: [String: String]

    /// Organisations by id.
    public var orgs: [String: String]

    /// People by id.
    public var people: [String: String]

    public init(areas: [String: String] = [:], orgs: [String: String] = [:], people: [String: String] = [:]) {
        self.areas = areas
        self.orgs = orgs
        self.people = people
    }
}
