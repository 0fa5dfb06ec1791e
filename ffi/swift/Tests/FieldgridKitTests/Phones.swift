import FieldgridKit
import Foundation
import XCTest

/// A town and its phones, for a test.
class Phones: XCTestCase {
    private(set) var folder = URL(fileURLWithPath: "/")
    private var opened: Town?

    override func setUpWithError() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("fieldgrid-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    override func tearDownWithError() throws {
        opened?.close()
        opened = nil
        try FileManager.default.removeItem(at: folder)
    }

    func town() throws -> Town {
        if let opened { return opened }
        let town = try Town(in: folder.appendingPathComponent("server"))
        opened = town
        return town
    }

    func options(_ name: String, key: UInt8 = 1) -> OpenOptions {
        OpenOptions(path: folder.appendingPathComponent("\(name).db"), key: Data(repeating: key, count: 32))
    }

    /// A phone that is enrolled. It is closed when the test ends.
    func phone(_ name: String, role: String = "grid_member", scope: String = Town.grid) async throws -> any Fieldgrid {
        let phone = try await reopen(name)
        try await phone.enrol(try town().invite(role: role, scope: scope, name: name))
        return phone
    }

    func reopen(_ name: String) async throws -> any Fieldgrid {
        let phone = try await FieldgridEngine.open(options(name))
        addTeardownBlock { await phone.closeAndWait() }
        return phone
    }

    func manhole(_ title: String = "天汉大道井盖破损") -> ActionFields {
        ActionFields(
            text: "井盖破损下沉,有人绊倒", title: title, category: "0201", severity: .urgent,
            place: Place(address: "天汉大道12号", latitude: 33.0675, longitude: 107.023, accuracy: 8), grid: Town.grid
        )
    }

    func household(_ address: String = "民主街12号1单元301") -> FieldEdit {
        ["grid": Town.grid, "address": address]
    }

    func head(_ name: String = "王秀英") -> FieldEdit {
        FieldEdit(["name": name, "relation": "02"], tags: ["独居老人": true])
    }
}

extension ObservedValues {
    /// The first value that is so; fails after half a minute.
    func becomes(_ what: @escaping @Sendable (Element) -> Bool) async throws -> Element {
        try await within(.seconds(30)) {
            for try await value in self where what(value) { return value }
            throw TestFailure("it ended first")
        }
    }

    /// The current value.
    func first() async throws -> Element {
        try await becomes { _ in true }
    }
}

func within<T: Sendable>(_ time: Duration, _ work: @escaping @Sendable () async throws -> T) async throws -> T {
    try await withThrowingTaskGroup(of: T.self) { group in
        group.addTask(operation: work)
        group.addTask {
            try await Task.sleep(for: time)
            throw TestFailure("not within \(time)")
        }
        defer { group.cancelAll() }
        guard let first = try await group.next() else { throw CancellationError() }
        return first
    }
}

/// The error that `work` must end with.
func failure<T>(file: StaticString = #filePath, line: UInt = #line, of work: () async throws -> T) async throws -> FieldgridError {
    do {
        _ = try await work()
    } catch let error as FieldgridError {
        return error
    }
    XCTFail("it did not fail", file: file, line: line)
    throw TestFailure("it did not fail")
}
