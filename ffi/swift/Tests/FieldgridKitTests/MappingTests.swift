import FieldgridFFI
@testable import FieldgridKit
import Foundation
import XCTest

/// What apps see is what the engine's bindings have, and what forms give arrives whole. That every code is there the compiler sees to; a field with a default
/// it would let fall.
final class MappingTests: XCTestCase {
    private var count = 0

    func testWhatTheEngineGivesIsAllShown() {
        let caseRow = FieldgridFFI.CaseRow(
            id: text(), state: .dispatched, open: true, severity: .emergency, category: text(), title: text(), address: text(), grid: text(), number: text(),
            dueMs: ms(), updatedMs: ms(), flags: UInt32(ms()), mine: false, assigned: true, delivery: delivery()
        )
        let refused = FieldgridFFI.RefusedEdit(
            id: text(), record: text(), title: text(), madeMs: ms(), delivery: delivery(), actions: [.finish], mayBeNote: true,
            name: words(), fields: said(), household: nil, persons: [:], visit: nil, idNumber: text(), backedUp: true, remedies: [.redo, .correct]
        )
        let entry = FieldgridFFI.HistoryEntry(
            id: text(), kind: .object, role: .city, author: text(), org: text(), own: true, madeMs: ms(), text: text(), fields: said(), effective: false,
            noEffect: words(), delivery: delivery()
        )
        let assignment = FieldgridFFI.Assignment(id: text(), org: text(), person: text(), dueMs: ms(), state: .paused, required: false)
        let `case` = FieldgridFFI.CaseScreen(
            row: caseRow, text: text(), place: place(), occurredMs: ms(), source: text(), gridName: text(), reply: text(), whole: true, round: UInt16(ms()),
            reopenPending: false, flags: [.init(row: UInt8(ms()), level: .must, actions: [text(), text()])], history: [entry], assignments: [assignment],
            next: [.init(kind: .accept, requires: [.duplicateCheck])], refused: [refused], parked: true
        )
        same(`case`, CaseDetail(`case`))

        let householdRow = FieldgridFFI.HouseholdRow(
            id: text(), grid: text(), address: text(), head: text(), phone: text(), persons: UInt32(ms()), care: UInt32(ms()), masked: true, delivery: delivery()
        )
        let visit = FieldgridFFI.VisitRow(
            id: text(), household: text(), kind: .muster, result: .moved, visitedMs: ms(), nextDueMs: ms(), delivery: delivery(),
            needs: text(), persons: [text()], cases: [text()]
        )
        let person = FieldgridFFI.Person(id: text(), name: text(), fields: table(), tags: [text()], care: true, hasIdNumber: false, ended: true)
        let household = FieldgridFFI.HouseholdScreen(
            row: householdRow, fields: table(), tags: [text()], persons: [person], alternatives: [.init(person: text(), field: text(), values: [text()])],
            visits: [visit], refused: [refused], parked: true
        )
        same(household, HouseholdDetail(household))

        let wait = FieldgridFFI.SyncWait(reason: .revoked, words: words(), ms: UInt64(ms()))
        let enrolment = FieldgridFFI.Enrolment(name: text(), role: .auditor, scopes: [text()], org: text(), expiresMs: ms(), server: text())
        let status = FieldgridFFI.DeviceStatus(
            enrolment: enrolment, unsent: UInt32(ms()), again: UInt32(ms()), refused: UInt32(ms()), received: UInt32(ms()), cases: UInt32(ms()),
            households: UInt32(ms()), parked: UInt32(ms()), splitViews: UInt32(ms()), contactMs: ms(), reportOnly: true, awaitsApproval: true,
            wiped: FieldgridFFI.Wiped(atMs: ms(), received: UInt32(ms()), keptAside: UInt32(ms()), lost: UInt32(ms())), leaseLeftMs: ms(), copied: false, background: true,
            syncing: false, wait: wait, nextTryMs: ms()
        )
        same(status, FieldgridKit.DeviceStatus(status))
        let result = FieldgridFFI.SyncResult(
            wait: wait, entries: UInt64(ms()), refused: UInt64(ms()), sentBytes: UInt64(ms()), receivedBytes: UInt64(ms()),
            unsent: UInt32(ms()), whyUnsent: words(), aside: UInt32(ms())
        )
        same(result, FieldgridKit.SyncResult(result))
        let names = FieldgridFFI.Names(areas: table(), orgs: table(), people: table())
        same(names, FieldgridKit.Names(names))
        let line = FieldgridFFI.LogLine(level: .warn, target: text(), text: text())
        same(line, FieldgridKit.LogLine(line))
        let category = FieldgridFFI.Category(code: text(), words: words(), severity: .urgent)
        same(category, CaseCategory(category))
        let token = FieldgridFFI.PageToken(key: ms(), n: ms())
        let cases = FieldgridFFI.CasePage(rows: [caseRow], next: token)
        same(cases, Page(cases))
        let households = FieldgridFFI.HouseholdPage(rows: [householdRow], next: token)
        same(households, Page(households))
        let visits = FieldgridFFI.VisitPage(rows: [visit], next: token)
        same(visits, Page(visits))
    }

    func testWhatFormsGiveArrivesWhole() {
        let given = said()
        let fields = FieldgridKit.ActionFields(given)
        same(given, fields)
        XCTAssertEqual(FieldgridFFI.ActionFields(fields), given)
        XCTAssertEqual(FieldgridFFI.ActionFields(FieldgridKit.ActionFields()), FieldgridFFI.ActionFields())
        XCTAssertEqual(FieldgridKit.ActionFields(FieldgridFFI.ActionFields()), FieldgridKit.ActionFields())

        let filter = FieldgridKit.CaseFilter(state: .handling, open: true, mine: true, assigned: true, category: text(), area: text(), order: .today)
        same(FieldgridFFI.CaseFilter(filter), filter)
        let households = FieldgridKit.HouseholdFilter(area: text(), care: true)
        same(FieldgridFFI.HouseholdFilter(households), households)
        let visit = FieldgridKit.Visit(kind: .safety, result: .absent, persons: [text()], needs: text(), nextDue: Date(ms: ms()), cases: [text()])
        same(FieldgridFFI.Visit(visit), visit)
        let edit = FieldgridKit.FieldEdit(["phone": text(), "note": nil], tags: ["独居老人": true, "残疾": false])
        XCTAssertEqual(FieldgridFFI.FieldEdit(edit), FieldgridFFI.FieldEdit(values: edit.values, tags: edit.tags))
        let token = FieldgridKit.PageToken(key: ms(), n: ms())
        same(FieldgridFFI.PageToken(token), token)
    }

    func testEverythingHasWordsInBothLanguages() {
        let states = FieldgridKit.CaseState.allCases.map(\.words) + FieldgridKit.Severity.allCases.map(\.words)
        let others = FieldgridKit.ActionKind.allCases.map(\.words) + FieldgridKit.Role.allCases.map(\.words)
        let reasons = FieldgridKit.RevealReason.allCases.map(\.words)
        for words in states + others + reasons + CaseCategory.all.map(\.words) {
            XCTAssertTrue(words.zh.unicodeScalars.contains { $0.value > 0x4e00 }, "\(words)")
            XCTAssertTrue(!words.en.isEmpty && words.en.unicodeScalars.allSatisfy { $0.value < 0x2100 }, "\(words)")
        }
        XCTAssertTrue(FieldgridKit.ActionKind.dispatch.requires.contains(.dueAt))
    }

    // MARK: Values of which no two are alike

    private func ms() -> Int64 {
        count += 1
        return Int64(count)
    }

    private func text() -> String { "文\(ms())" }
    private func words() -> FieldgridFFI.Words { .init(zh: text(), en: text()) }
    private func table() -> [String: String] { [text(): text()] }
    private func delivery() -> FieldgridFFI.Delivery { .init(state: .refused, reason: words(), receivedMs: ms()) }
    private func place() -> FieldgridFFI.Place { .init(address: text(), latitude: 33.067512, longitude: 107.023049, accuracyM: UInt32(ms())) }

    private func said() -> FieldgridFFI.ActionFields {
        .init(
            title: text(), text: text(), category: text(), severity: .urgent, place: place(), occurredMs: ms(), finishedMs: ms(), seenMs: ms(), reason: text(),
            reply: text(), result: text(), measure: text(), observation: text(), conclusion: text(), instruction: text(), duplicateCheck: text(), score: 5,
            dueMs: ms(), grid: text(), org: text(), person: text(), required: [text()], departments: [text()], targets: [text()], maxDays: UInt16(ms()),
            row: UInt8(ms()), decision: text(), primary: text(), source: text()
        )
    }

    // MARK: Field by field

    /// Both have the same fields with the same in them, and none is without: a field that nobody tried may be lost.
    private func same(_ theirs: Any, _ ours: Any, _ path: String = "") {
        let mirror = Mirror(reflecting: theirs)
        let path = path.isEmpty ? "\(mirror.subjectType)" : path
        switch (mirror.displayStyle, ours) {
        case (.optional, _):
            guard let value = mirror.children.first?.value, let shown = some(ours) else { return XCTFail("\(path) is not tried, or lost") }
            same(value, shown, path)
        case (_, let date as Date):
            XCTAssertEqual("\(theirs)", "\(date.ms)", path)
        case (_, let duration as Duration):
            XCTAssertEqual("\(theirs)", "\(duration / .milliseconds(1))".replacingOccurrences(of: ".0", with: ""), path)
        case (.collection, _):
            let (values, shown) = (Array(mirror.children), Array(Mirror(reflecting: ours).children))
            XCTAssertFalse(values.isEmpty, "\(path) is not tried")
            XCTAssertEqual(values.count, shown.count, path)
            for (value, shown) in zip(values, shown) { same(value.value, shown.value, path) }
        case (.struct, _):
            let values = fields(theirs, named: shownName)
            let shown = fields(ours) { $0 }
            XCTAssertEqual(Set(values.keys), Set(shown.keys), path)
            for (name, value) in values { shown[name].map { same(value, $0, "\(path).\(name)") } }
        default:
            // A dictionary here has one entry, so that it is printed in one way.
            XCTAssertEqual("\(theirs)", "\(ours)", path)
        }
    }

    private func some(_ value: Any) -> Any? {
        let mirror = Mirror(reflecting: value)
        return mirror.displayStyle == .optional ? mirror.children.first?.value : value
    }

    private func fields(_ value: Any, named name: (String) -> String) -> [String: Any] {
        Dictionary(uniqueKeysWithValues: Mirror(reflecting: value).children.map { (name($0.label ?? ""), $0.value) })
    }

    /// Milliseconds are a `Date` or a `Duration` here.
    private func shownName(_ field: String) -> String {
        switch field {
        case "ms": "duration"
        case "accuracyM": "accuracy"
        case _ where field.hasSuffix("Ms"): String(field.dropLast(2))
        default: field
        }
    }
}
