import FieldgridKit
import Foundation
import XCTest

/// What a loop over observed values does, and what it leaves behind.
final class ObserveTests: Phones {
    func testTheCurrentValueComesFirstThenTheLatest() async throws {
        let phone = try await phone("a")
        let id = try await phone.report(manhole())
        var values = phone.observeCase(id).makeAsyncIterator()
        let first = try await values.next()
        XCTAssertEqual(first??.history.count, 1)
        // Nobody looks meanwhile: what was between is not shown.
        for number in 1...5 { try await phone.act(case: id, .supplement, ActionFields(text: "第\(number)次")) }
        let latest = try await values.next()
        XCTAssertEqual(latest??.history.count, 6)
    }

    func testACaseThatIsNotHereIsNilAndNoEnd() async throws {
        let phone = try await phone("a")
        let nowhere = try await phone.observeCase("019438a4-0000-7000-8000-000000000000").first()
        XCTAssertNil(nowhere)
    }

    func testALoopEndsWithItsTask() async throws {
        let phone = try await phone("a")
        let loops = [
            Task { for try await _ in phone.observeStatus() {} },
            Task { for try await _ in phone.observeToday() {} },
            Task { for try await _ in phone.observeRefused() {} },
            Task { for try await _ in FieldgridEngine.observeLog() {} },
        ]
        // They wait for a second value, which nobody makes.
        try await Task.sleep(for: .milliseconds(200))
        loops.forEach { $0.cancel() }
        try await within(.seconds(5)) { for loop in loops { try await loop.value } }
    }

    func testNothingIsLeftOfALoopThatEnded() async throws {
        let phone = try await phone("a")
        let id = try await phone.report(manhole())
        for try await _ in phone.observeCase(id) { break }
        let cancelled = Task { for try await _ in phone.observeHouseholds() {} }
        try await Task.sleep(for: .milliseconds(100))
        cancelled.cancel()
        try await cancelled.value

        // What is left of a loop would keep the store open: closing waits five seconds for it, and nobody else could have the store.
        try await within(.seconds(4)) { await phone.closeAndWait() }
        _ = try await reopen("a")
    }

    func testALoopThatIsBusyDoesNotKeepItsStoreOpen() async throws {
        let phone = try await phone("a")
        var values = phone.observeStatus().makeAsyncIterator()
        _ = try await values.next()
        phone.close()
        _ = try await reopen("a")
        do {
            _ = try await values.next()
            XCTFail("it goes on")
        } catch FieldgridError.closed {}
    }

    func testALoopSaysThatItsPhoneWasClosed() async throws {
        let phone = try await phone("a")
        let loop = Task { for try await _ in phone.observeStatus() {} }
        try await Task.sleep(for: .milliseconds(100))
        phone.close()
        guard case .closed = try await within(.seconds(5), { try await failure { try await loop.value } }) else { return XCTFail() }
    }
}
