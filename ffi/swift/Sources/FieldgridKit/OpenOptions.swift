import Foundation

/// Where a store is and what opens it.
public struct OpenOptions: Hashable, Sendable {
    /// The database file; made when missing.
    public var path: URL

    /// The raw key of 32 bytes, from the platform's keystore. The engine keeps it in memory only.
    public var key: Data

    /// A small file that backups do not reach (iOS: `isExcludedFromBackup`), which tells a restored store from the one closed last; by default beside the
    /// database.
    public var life: URL?

    /// Certificates of a private CA to trust beside the public ones, PEM.
    public var caPem: Data?

    /// Begins a new store where ``life`` tells of one that is gone, instead of ``FieldgridError/lost(_:)``. A store that is there is opened.
    public var startAnew: Bool

    public init(path: URL, key: Data, life: URL? = nil, caPem: Data? = nil, startAnew: Bool = false) {
        self.path = path
        self.key = key
        self.life = life
        self.caPem = caPem
        self.startAnew = startAnew
    }
}

extension OpenOptions: CustomStringConvertible, CustomReflectable {
    /// Without the key.
    public var description: String { "OpenOptions(path: \(path.path))" }

    /// Without the key.
    public var customMirror: Mirror { Mirror(self, children: ["path": path]) }
}
