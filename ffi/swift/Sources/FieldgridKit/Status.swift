import Foundation

/// How the phone stands: the status screen, and the sync line of every other.
public struct DeviceStatus: Hashable, Sendable {
    /// Who it is; `nil` before enrolment.
    public var enrolment: Enrolment?

    /// Own edits and facts that the centre does not have yet.
    public var unsent: Int

    /// Of these, how many were received once and are to be delivered again: the centre restored a backup.
    public var again: Int

    /// Refused, and waiting for a person's decision.
    public var refused: Int

    /// Received by the centre.
    public var received: Int

    /// Cases on this phone.
    public var cases: Int

    /// Households on this phone.
    public var households: Int

    /// Records that could not take a change.
    public var parked: Int

    /// Places at which the centre signed two contents: its administrator is to be told.
    public var splitViews: Int

    /// The phone's clock at the last contact.
    public var contact: Date?

    /// Too long without contact: reports only, households are locked.
    public var reportOnly: Bool

    /// The centre has yet to approve this phone: until then it may only report.
    public var awaitsApproval: Bool

    /// What had become of the work when the centre revoked this phone and its store was wiped; until it enrols again.
    public var wiped: Wiped?

    /// How much longer everything may be done without contact; `nil` when it has ended.
    public var leaseLeft: Duration?

    /// The store was found to be a copy; it gets a new life at the next contact.
    public var copied: Bool

    /// Whether the background keeps in sync.
    public var background: Bool

    /// Whether a round is under way.
    public var syncing: Bool

    /// Why sync waits, when something is wrong.
    public var wait: SyncWait?

    /// When it tries again.
    public var nextTry: Date?

    public init(
        enrolment: Enrolment? = nil,
        unsent: Int = 0,
        again: Int = 0,
        refused: Int = 0,
        received: Int = 0,
        cases: Int = 0,
        households: Int = 0,
        parked: Int = 0,
        splitViews: Int = 0,
        contact: Date? = nil,
        reportOnly: Bool = false,
        awaitsApproval: Bool = false,
        wiped: Wiped? = nil,
        leaseLeft: Duration? = nil,
        copied: Bool = false,
        background: Bool = false,
        syncing: Bool = false,
        wait: SyncWait? = nil,
        nextTry: Date? = nil
    ) {
        self.enrolment = enrolment
        self.unsent = unsent
        self.again = again
        self.refused = refused
        self.received = received
        self.cases = cases
        self.households = households
        self.parked = parked
        self.splitViews = splitViews
        self.contact = contact
        self.reportOnly = reportOnly
        self.awaitsApproval = awaitsApproval
        self.wiped = wiped
        self.leaseLeft = leaseLeft
        self.copied = copied
        self.background = background
        self.syncing = syncing
        self.wait = wait
        self.nextTry = nextTry
    }
}

/// Who the phone is to the centre.
public struct Enrolment: Hashable, Sendable {
    /// The person's display name.
    public var name: String?

    /// What he is to the centre.
    public var role: Role

    /// The areas he works in, by code.
    public var scopes: [String]

    /// The department or centre he belongs to.
    public var org: String?

    /// When the grant ends.
    public var expires: Date

    /// Base URL of the server.
    public var server: String

    public init(
        name: String?,
        role: Role,
        scopes: [String] = [],
        org: String? = nil,
        expires: Date = Date(timeIntervalSince1970: 0),
        server: String = ""
    ) {
        self.name = name
        self.role = role
        self.scopes = scopes
        self.org = org
        self.expires = expires
        self.server = server
    }
}

/// What a sync came to.
public struct SyncResult: Hashable, Sendable {
    /// Why it ended before everything was exchanged; `nil` when it is done.
    public var wait: SyncWait?

    /// Entries that came, of others and of the centre.
    public var entries: Int

    /// Own items that were refused.
    public var refused: Int

    /// Bytes sent.
    public var sentBytes: Int

    /// Bytes received.
    public var receivedBytes: Int

    /// Own edits that the centre does not have. Only where there are none was everything exchanged.
    public var unsent: Int

    /// Why; `nil` when there are none.
    public var whyUnsent: Words?

    /// Own edits that the centre has and keeps aside.
    public var aside: Int

    public init(
        wait: SyncWait? = nil,
        entries: Int = 0,
        refused: Int = 0,
        sentBytes: Int = 0,
        receivedBytes: Int = 0,
        unsent: Int = 0,
        whyUnsent: Words? = nil,
        aside: Int = 0
    ) {
        self.wait = wait
        self.entries = entries
        self.refused = refused
        self.sentBytes = sentBytes
        self.receivedBytes = receivedBytes
        self.unsent = unsent
        self.whyUnsent = whyUnsent
        self.aside = aside
    }
}

/// Why sync waits.
public struct SyncWait: Hashable, Sendable {
    /// Why.
    public var reason: WaitReason

    /// What to tell a person.
    public var words: Words

    /// How long at most.
    public var duration: Duration

    public init(reason: WaitReason, words: Words, duration: Duration = .zero) {
        self.reason = reason
        self.words = words
        self.duration = duration
    }
}

/// A line of the log.
public struct LogLine: Hashable, Sendable {
    /// How much it matters.
    public var level: LogLevel

    /// The part of the engine.
    public var target: String

    /// What it says.
    public var text: String

    public init(level: LogLevel, target: String, text: String) {
        self.level = level
        self.target = target
        self.text = text
    }
}

/// What had become of the phone's work when the centre revoked it and its store was wiped.
public struct Wiped: Hashable, Sendable {
    /// When, phone's clock.
    public var at: Date

    /// Edits and facts that the centre had received.
    public var received: Int

    /// Those that the centre keeps aside until its administrator decides.
    public var keptAside: Int

    /// Those that never reached the centre, or were refused.
    public var lost: Int

    public init(at: Date, received: Int = 0, keptAside: Int = 0, lost: Int = 0) {
        self.at = at
        self.received = received
        self.keptAside = keptAside
        self.lost = lost
    }
}

/// What a comparison with another phone's note came to.
public struct Compared: Hashable, Sendable {
    /// Places at which the centre told both phones the same.
    public var same: Int

    /// Places at which it signed two contents: its administrator is to be told.
    public var split: Int

    /// Places that this phone has not; the centre is shown them.
    public var unknown: Int

    public init(same: Int, split: Int, unknown: Int) {
        self.same = same
        self.split = split
        self.unknown = unknown
    }
}
