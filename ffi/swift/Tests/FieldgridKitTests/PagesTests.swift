import FieldgridKit
import Foundation
import XCTest

/// A list as one scrolls through it, on the real engine.
final class PagesTests: Phones {
    func testALongListIsWatchedWhereOneLooks() async throws {
        let households = 1_000
        let phone = try await phone("a")
        for number in 1...households { _ = try await phone.addHousehold(household("民主街\(number)号")) }
        let screen = Screen(phone)
        var row = 0
        while true {
            let rows = try await screen.shows { !$0.list.isEmpty }
            if !rows.more && row >= rows.list.count - 10 { break }
            _ = try await screen.at(row)
            row += 10
        }
        let all = try await everything(on: phone)
        XCTAssertEqual(all.count, households)
        XCTAssertEqual(screen.addresses, all)

        // What changes where one looks is shown: the latest change comes first, so it is gone from here.
        let edited = try await screen.at(households - 10)[4].id
        try await phone.editHousehold(edited, ["phone": "12012345678"])
        _ = try await screen.shows { rows in !rows.list.contains { $0.id == edited } }

        // What came meanwhile at the other end is there when one comes to it; nothing is missing or twice on the way.
        for number in 1...70 { _ = try await phone.addHousehold(household("劳动路\(number)号")) }
        let now = try await everything(on: phone)
        for row in stride(from: households, through: 0, by: -100) { _ = try await screen.at(row) }
        for row in stride(from: 0, to: now.count, by: 10) {
            _ = try await screen.at(row)
            _ = try await screen.shows { rows in rows.list.dropFirst(row).prefix(10).map(\.address) == Array(now[row...].prefix(10)) }
        }
        XCTAssertEqual(screen.addresses, now)

        try await screen.leave()
        try await eventually { screen.watched == 0 }
    }

    func testWhoComesBackGoesOnWhereHeWas() async throws {
        let phone = try await phone("a")
        for number in 1...120 { _ = try await phone.addHousehold(household("民主街\(number)号")) }
        let pages = Pages { phone.observeHouseholds(after: $0) }
        pages.look(first: 105, last: 114)
        let whole = try await pages.rows.becomes { !$0.more }
        XCTAssertEqual(whole.list.count, 120)
        _ = try await phone.addHousehold(household("民主街121号"))
        let back = try await pages.rows.first()
        XCTAssertEqual(back.list.count, 120, "nothing that was loaded is loaded again before it is shown")
        pages.look(first: 0, last: 9)
        _ = try await pages.rows.becomes { $0.list.first?.address == "民主街121号" }
    }

    func testALoopEndsWithAnotherAndWithItsPhone() async throws {
        let phone = try await phone("a")
        _ = try await phone.addHousehold(household())
        let pages = Pages { phone.observeHouseholds(after: $0) }
        let seen = Screen.Shown()
        let first = Task { for try await rows in pages.rows { seen.set(rows) } }
        try await eventually { !seen.get().list.isEmpty }
        seen.set(Pages.Rows())
        let second = Task { for try await rows in pages.rows { seen.set(rows) } }
        try await within(.seconds(5)) { try await first.value }
        try await eventually { !seen.get().list.isEmpty }
        phone.close()
        guard case .closed = try await within(.seconds(5), { try await failure { try await second.value } }) else { return XCTFail() }
    }

    private func everything(on phone: any Fieldgrid) async throws -> [String?] {
        var page = try await phone.households(limit: 500)
        var rows = page.rows
        while let next = page.next {
            page = try await phone.households(limit: 500, after: next)
            rows += page.rows
        }
        return rows.map(\.address)
    }
}

/// A screen of ten rows.
private final class Screen: Sendable {
    /// Pages: ten rows and 25 beside them on either side, 50 a page.
    private static let few = 4

    private let counter = Counter()
    private let rows = Shown()
    private let pages: Pages<HouseholdRow>
    private let loop: Task<Void, any Error>

    init(_ phone: any Fieldgrid) {
        pages = Pages { [counter] in counter.counted(phone.observeHouseholds(after: $0)) }
        loop = Task { [pages, rows] in
            for try await shown in pages.rows { rows.set(shown) }
        }
    }

    var addresses: [String?] { rows.get().list.map(\.address) }
    var watched: Int { counter.count }

    func at(_ row: Int) async throws -> [HouseholdRow] {
        pages.look(first: row, last: row + 9)
        let seen = try await shows { $0.list.count > row + 9 || !$0.more }
        // What is left behind is watched no more; it ends in its own time.
        try await eventually { self.watched <= Self.few }
        return Array(seen.list.dropFirst(row).prefix(10))
    }

    func shows(_ what: @escaping @Sendable (Pages<HouseholdRow>.Rows) -> Bool) async throws -> Pages<HouseholdRow>.Rows {
        try await eventually { what(self.rows.get()) }
        return rows.get()
    }

    func leave() async throws {
        loop.cancel()
        try await loop.value
    }

    final class Shown: @unchecked Sendable {
        private let lock = NSLock()
        private var rows = Pages<HouseholdRow>.Rows()

        func get() -> Pages<HouseholdRow>.Rows { lock.withLock { rows } }
        func set(_ new: Pages<HouseholdRow>.Rows) { lock.withLock { rows = new } }
    }
}

/// How many loops over observed values there are.
private final class Counter: @unchecked Sendable {
    private let lock = NSLock()
    private var loops = 0

    var count: Int { lock.withLock { loops } }

    func counted<Value>(_ values: ObservedValues<Value>) -> ObservedValues<Value> {
        ObservedValues {
            let loop = Loop(self)
            var iterator = values.makeAsyncIterator()
            return {
                defer { withExtendedLifetime(loop) {} }
                return try await iterator.next()
            }
        }
    }

    private func add(_ more: Int) { lock.withLock { loops += more } }

    private final class Loop: Sendable {
        private let counter: Counter

        init(_ counter: Counter) {
            self.counter = counter
            counter.add(1)
        }

        deinit { counter.add(-1) }
    }
}

private func eventually(_ what: @escaping @Sendable () -> Bool) async throws {
    try await within(.seconds(30)) {
        while !what() { try await Task.sleep(for: .milliseconds(1)) }
    }
}
