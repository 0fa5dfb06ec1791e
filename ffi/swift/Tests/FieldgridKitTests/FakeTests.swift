import FieldgridKit
import FieldgridTesting
import Foundation
import XCTest

final class FakeTests: XCTestCase {
    private let why = Words(zh: "地点不在您的负责区域内。", en: "The place is outside your area.")

    func testWhatIsSavedIsListedAndStaysOnThePhoneUntilASync() async throws {
        let phone = FakeFieldgrid()
        phone.online = false
        let id = try await phone.report(ActionFields(text: "有人绊倒", title: "井盖破损"))
        let today = try await phone.observeToday().first()
        XCTAssertEqual(today.rows.map(\.delivery.state), [.onPhone])
        let offline = try await phone.syncNow()
        XCTAssertEqual(offline.wait?.reason, .noNetwork)
        var status = try await phone.status()
        XCTAssertEqual(status.unsent, 1)
        phone.online = true
        try await phone.syncNow()
        let `case` = try await phone.case(id)
        XCTAssertEqual(`case`?.row.delivery.state, .received)
        status = try await phone.observeStatus().first()
        XCTAssertEqual(status.unsent, 0)
        try await phone.act(case: id, .suspend, ActionFields(reason: "等配件", maxDays: 3))
        let suspended = try await phone.case(id)
        XCTAssertEqual(suspended?.history.last?.fields, ActionFields(reason: "等配件", maxDays: 3))
        let hits = try await phone.search("井盖")
        XCTAssertEqual(hits.rows.map(\.id), [id])
    }

    func testWhatIsRefusedStaysVisibleUntilItIsDecided() async throws {
        let phone = FakeFieldgrid()
        let id = try await phone.report(ActionFields(title: "井盖破损"))
        try await phone.syncNow()
        try await phone.act(case: id, .finish, ActionFields(text: "已修好"))
        phone.refuseNext(why)
        let sync = try await phone.syncNow()
        XCTAssertEqual(sync.refused, 1)
        let refused = try await phone.observeRefused().first()
        let edit = try XCTUnwrap(refused.first)
        XCTAssertEqual(edit.delivery.reason, why)
        var `case` = try await phone.case(id)
        XCTAssertEqual(`case`?.row.delivery.state, .refused)
        try await phone.sendAsNote(case: id, edit: edit.id)
        let left = try await phone.refused()
        XCTAssertEqual(left, [])
        `case` = try await phone.case(id)
        XCTAssertEqual(`case`?.history.last?.text, "已修好")
        guard case .notFound = try await failure(of: { try await phone.discard(record: id, edit: edit.id) }) else { return XCTFail() }
    }

    func testAFormIsSavedOnce() async throws {
        let phone = FakeFieldgrid()
        let form = UUID()
        let id = try await phone.report(ActionFields(title: "井盖破损"), form: form)
        try await phone.syncNow()
        let again = try await phone.report(ActionFields(title: "井盖破损"), form: form)
        XCTAssertEqual(again, id)
        let changed = ActionFields(title: "路灯不亮")
        guard case .alreadySaved = try await failure(of: { try await phone.report(changed, form: form) }) else { return XCTFail() }
        let note = UUID()
        guard case .notFound = try await failure(of: { try await phone.act(case: "none", .supplement, changed, form: note) }) else { return XCTFail() }
        try await phone.act(case: id, .supplement, changed, form: note)
        let status = try await phone.status()
        XCTAssertEqual([status.cases, status.unsent], [1, 1], "what failed was not noted")
    }

    func testHouseholdsAreEditedByField() async throws {
        let phone = FakeFieldgrid()
        let id = try await phone.addHousehold(["grid": "1", "address": "民主街5号"], persons: [["name": "张三", "relation": "02"]])
        try await phone.editHousehold(id, ["phone": "12012345678"])
        try await phone.visit(household: id, Visit(kind: .routine, result: .absent))
        let shown = try await phone.household(id)
        XCTAssertEqual(shown?.row.head, "张三")
        XCTAssertEqual(shown?.row.phone, "12012345678")
        let visits = try await phone.visits(household: id)
        XCTAssertEqual(visits.rows.map(\.result), [.absent])
        let person = try XCTUnwrap(shown?.persons.first).id
        let none = try await phone.revealIdNumber(household: id, person: person, .identity)
        XCTAssertNil(none)
        try await phone.setIdNumber(household: id, person: person, "610799194509300025")
        let before = try await phone.status().unsent
        let number = try await phone.revealIdNumber(household: id, person: person, .identity)
        XCTAssertEqual(number, "610799194509300025")
        let after = try await phone.status().unsent
        XCTAssertEqual(after, before + 1, "that it was read is to be sent")
        phone.close()
        guard case .closed = try await failure(of: { try await phone.status() }) else { return XCTFail() }
    }

    func testListsAreWatchedAndPaged() async throws {
        let phone = FakeFieldgrid()
        async let seen = phone.observeCases(limit: 2).becomes { $0.rows.count == 2 && $0.next != nil }
        for number in 1...3 { _ = try await phone.report(ActionFields(title: "第\(number)处")) }
        let page = try await seen
        let rest = try await phone.cases(limit: 2, after: page.next)
        XCTAssertEqual(rest.rows.count, 1)
        XCTAssertNil(rest.next)
        XCTAssertEqual(Set((page.rows + rest.rows).map(\.title)), ["第1处", "第2处", "第3处"])
        let loop = Task { for try await _ in phone.observeStatus() {} }
        try await Task.sleep(for: .milliseconds(50))
        loop.cancel()
        try await within(.seconds(5)) { try await loop.value }
    }
}
