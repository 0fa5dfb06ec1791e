import FieldgridKit
import Foundation
import XCTest

/// A worker's day, on the real library in SQLCipher, with a real server.
final class DayTests: Phones {
    func testADay() async throws {
        let town = try town()
        let phone = try await reopen("a")
        var status = try await phone.status()
        XCTAssertNil(status.enrolment)
        var sync = try await phone.syncNow()
        XCTAssertEqual(sync.wait?.reason, .notEnrolled)
        guard case .notEnrolled = try await failure(of: { try await phone.report(manhole()) }) else { return XCTFail() }
        guard case .enrolmentFailed(let words, .invalidInvite) = try await failure(of: { try await phone.enrol("7KQ2") }) else { return XCTFail() }
        XCTAssertTrue(words.zh.contains("入网码") && words.en.contains("invite"), "\(words)")
        try await phone.enrol(try town.invite())
        status = try await phone.status()
        XCTAssertEqual(status.enrolment?.name, "陈静")
        XCTAssertEqual(status.enrolment?.role, .gridMember)
        XCTAssertEqual(status.enrolment?.scopes, [Town.grid])
        XCTAssertEqual(Role.gridMember.words.en, "grid member")

        // Without network: a report, its edit, a household, a visit.
        town.close()
        let id = try await phone.report(manhole())
        try await phone.act(case: id, .supplement, ActionFields(text: "已放警示牌"))
        let saved = try await phone.case(id)
        var `case` = try XCTUnwrap(saved)
        XCTAssertEqual(`case`.history.map(\.kind), [.report, .supplement])
        XCTAssertTrue(`case`.history.allSatisfy { $0.own && $0.effective && $0.delivery.state == .onPhone })
        XCTAssertLessThan(abs(`case`.row.updated.timeIntervalSinceNow), 60)
        let today = try await phone.observeToday().becomes { !$0.rows.isEmpty }
        XCTAssertEqual(today.rows.map(\.delivery.state), [.onPhone])
        let grids = try await phone.grids()
        XCTAssertEqual(Set(grids.keys), [Town.grid])
        XCTAssertTrue(idNumberFits("610799194509300025"))
        XCTAssertFalse(idNumberFits("610799194509300026"))
        let household = try await phone.addHousehold(household(), persons: [head()])
        let added = try await phone.household(household)
        let person = try XCTUnwrap(added?.persons.first)
        try await phone.editHousehold(household, ["phone": "12012345678"], persons: [person.id: ["birth": "1945-09-30"]])
        try await phone.setIdNumber(household: household, person: person.id, "610799194509300025")
        try await phone.visit(household: household, Visit(kind: .care, result: .met, persons: [person.id], needs: "需要换灯泡"))
        let number = try await phone.revealIdNumber(household: household, person: person.id, .unlisted, note: "补办社保卡")
        XCTAssertEqual(number, "610799194509300025")
        let edited = try await phone.household(household)
        let seen = try XCTUnwrap(edited)
        XCTAssertEqual(seen.fields["phone"], "12012345678")
        XCTAssertEqual(seen.persons.map { $0.fields["birth"] }, ["1945-09-30"])
        XCTAssertEqual(seen.persons.map(\.tags), [["独居老人"]])
        XCTAssertEqual(seen.persons.map(\.hasIdNumber), [true])
        XCTAssertEqual(seen.visits.map(\.result), [.met])
        XCTAssertNil(seen.persons.first?.fields["id_no"])
        sync = try await phone.syncNow()
        XCTAssertEqual(sync.wait?.reason, .noNetwork)
        status = try await phone.status()
        XCTAssertGreaterThanOrEqual(status.unsent, 6)
        XCTAssertEqual(status.wait?.reason, .noNetwork)

        // The network is back.
        try town.open()
        sync = try await phone.syncNow()
        XCTAssertNil(sync.wait)
        status = try await phone.observeStatus().becomes { $0.unsent == 0 }
        XCTAssertNotNil(status.contact)
        let received = try await phone.case(id)
        `case` = try XCTUnwrap(received)
        XCTAssertTrue(`case`.history.allSatisfy { $0.delivery.state == .received && $0.delivery.received != nil }, "\(`case`)")
        XCTAssertFalse(`case`.next.isEmpty)

        // Search, Chinese and by number.
        for (typed, found) in [("井盖", id), ("王秀英", household), ("5678", household)] {
            let hits = try await phone.search(typed)
            XCTAssertEqual(hits.rows.map(\.id), [found], typed)
        }
    }

    func testAWrongKeyIsSaidAndDestroysNothing() async throws {
        let first = try await phone("a")
        let id = try await first.report(manhole())
        await first.closeAndWait()
        let before = try files()
        guard case .wrongKey(let words) = try await failure(of: { try await FieldgridEngine.open(options("a", key: 2)) }) else { return XCTFail() }
        XCTAssertFalse(words.zh.isEmpty || words.en.isEmpty)
        var short = options("a")
        short.key = Data(repeating: 1, count: 31)
        guard case .invalidInput = try await failure(of: { try await FieldgridEngine.open(short) }) else { return XCTFail() }
        XCTAssertEqual(try files(), before)
        let phone = try await reopen("a")
        let cases = try await phone.cases()
        XCTAssertEqual(cases.rows.map(\.id), [id])
        guard case .inUse = try await failure(of: { try await FieldgridEngine.open(options("a")) }) else { return XCTFail() }
    }

    func testAFormIsSavedOnceWhateverHappensBeforeItIsClosed() async throws {
        let forms = (1...7).map { _ in UUID() }
        let saved = { [self] (phone: any Fieldgrid) async throws -> [String] in
            let id = try await phone.report(manhole(), form: forms[0])
            let note = try await phone.act(case: id, .supplement, ActionFields(text: "已放警示牌"), form: forms[1])
            let home = try await phone.addHousehold(household(), persons: [head()], form: forms[2])
            try await phone.editHousehold(home, ["phone": "12012345678", "note": "有狗"], persons: [:], form: forms[3])
            let person = try await phone.addPerson(household: home, head("李明"), form: forms[4])
            let visit = try await phone.visit(household: home, Visit(kind: .care, result: .met, persons: [person]), form: forms[5])
            try await phone.setIdNumber(household: home, person: person, "610799194509300025", form: forms[6])
            return [id, note, home, person, visit]
        }
        let first = try await phone("a")
        let ids = try await saved(first)
        let unsent = try await first.status().unsent
        await first.closeAndWait()
        // The process ended before it heard of it.
        let phone = try await reopen("a")
        let again = try await saved(phone)
        XCTAssertEqual(again, ids)
        let status = try await phone.status()
        XCTAssertEqual([status.unsent, status.cases, status.households], [unsent, 1, 1])
        let other = manhole("路灯不亮")
        guard case .alreadySaved(let words) = try await failure(of: { try await phone.report(other, form: forms[0]) }) else { return XCTFail() }
        XCTAssertFalse(words.zh.isEmpty || words.en.isEmpty)
    }

    func testAKeyIsNotPrinted() {
        let options = options("a")
        var dumped = ""
        dump(options, to: &dumped)
        for said in ["\(options)", String(reflecting: options), dumped] {
            XCTAssertTrue(said.contains("a.db") && !said.contains("32 bytes") && !said.contains("key"), said)
        }
    }

    func testAClosedPhoneSaysSoAndIsOpenedAgainAtOnce() async throws {
        let phone = try await phone("a")
        let watching = Task { for try await _ in phone.observeStatus() {} }
        _ = try await phone.observeStatus().first()
        phone.close()
        phone.close()
        guard case .closed = try await within(.seconds(5), { try await failure { try await watching.value } }) else { return XCTFail() }
        guard case .closed = try await failure(of: { try await phone.status() }) else { return XCTFail() }
        guard case .closed = try await failure(of: { try await phone.observeStatus().first() }) else { return XCTFail() }
        guard case .closed = try await failure(of: { try await phone.syncNow() }) else { return XCTFail() }
        for number in 1...20 {
            let again = try await reopen("a")
            try await again.start()
            _ = try await again.report(manhole("第\(number)处"))
            again.close()
        }
        let cases = try await reopen("a").cases()
        XCTAssertEqual(cases.rows.count, 20)
    }

    func testWhatTheCentreRefusesIsVisibleWithItsReason() async throws {
        let first = try await phone("a")
        let id = try await first.report(manhole())
        let household = try await first.addHousehold(household(), persons: [head()])
        try await syncs(first)
        var far = manhole()
        far.grid = "610703001001001"
        guard case .refused(_, reason: "out_of_scope") = try await failure(of: { [far] in try await first.report(far) }) else { return XCTFail() }
        let none = String(repeating: "00", count: 32)
        guard case .notFound = try await failure(of: { try await first.discard(record: id, edit: none) }) else { return XCTFail() }
        guard case .invalidInput = try await failure(of: { try await first.discard(record: "no id", edit: "no hash") }) else { return XCTFail() }
        await first.closeAndWait()

        // A copy of the store, life and all: the centre lets neither do more than report until it has approved one.
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where name.hasPrefix("a.") {
            try FileManager.default.copyItem(at: folder.appendingPathComponent(name), to: folder.appendingPathComponent("copy." + name.dropFirst(2)))
        }
        let phone = try await reopen("a")
        let copy = try await reopen("copy")
        _ = try await phone.report(manhole("另一处"))
        try await syncs(phone)
        try await copy.editHousehold(household, ["note": "有狗"])
        try await copy.act(case: id, .withdraw, ActionFields(reason: "已自行修好"))
        async let seen = copy.observeRefused().becomes { $0.count == 2 }
        for _ in 1...3 { try await copy.syncNow() }
        let refused = try await seen
        XCTAssertTrue(refused.allSatisfy { $0.delivery.state == .refused && $0.delivery.reason?.zh.isEmpty == false }, "\(refused)")
        let withdrawal = try XCTUnwrap(refused.first { $0.record == id })
        let note = try XCTUnwrap(refused.first { $0.record == household })
        XCTAssertEqual(note.title, "民主街12号1单元301")
        XCTAssertFalse(note.mayBeNote)
        XCTAssertEqual(withdrawal.actions, [.withdraw])
        XCTAssertTrue(withdrawal.mayBeNote)
        var `case` = try await copy.case(id)
        XCTAssertEqual(`case`?.row.delivery.state, .refused)
        XCTAssertEqual(`case`?.refused.map(\.id), [withdrawal.id])
        guard case .reportOnly = try await failure(of: { try await copy.editHousehold(household, ["note": "再写"]) }) else { return XCTFail() }

        try await copy.discard(record: household, edit: note.id)
        try await copy.sendAsNote(case: id, edit: withdrawal.id)
        let left = try await copy.refused()
        XCTAssertEqual(left, [])
        try await syncs(copy)
        `case` = try await copy.case(id)
        let told = try XCTUnwrap(`case`?.history.last)
        XCTAssertEqual(told.kind, .supplement)
        XCTAssertEqual(told.delivery.state, .received)
        XCTAssertTrue(told.text?.contains("已自行修好") == true, "\(told)")
    }

    func testADispatcherChoosesADepartmentByItsName() async throws {
        let org = try town().command("orgs", "create", "城管中队", "--area", Town.code).trimmingCharacters(in: .whitespacesAndNewlines)
        let reporter = try await phone("a")
        let dispatcher = try await phone("dispatcher", role: "town_dispatcher", scope: Town.code)
        let id = try await reporter.report(manhole())
        try await syncs(reporter)
        try await syncs(dispatcher)
        let reported = try await dispatcher.case(id)
        XCTAssertTrue(reported?.next.contains { $0.kind == .accept } == true, "\(String(describing: reported?.next))")
        try await dispatcher.act(case: id, .accept, ActionFields(duplicateCheck: "none"))
        let names = try await dispatcher.names()
        XCTAssertEqual(names.orgs[org], "城管中队")
        let due = Date(timeIntervalSince1970: (Date().timeIntervalSince1970 + 86_400).rounded())
        try await dispatcher.act(case: id, .dispatch, ActionFields(instruction: "请修复", due: due, org: org))
        try await syncs(dispatcher)
        try await syncs(reporter)
        let synced = try await reporter.case(id)
        let seen = try XCTUnwrap(synced)
        XCTAssertEqual(seen.row.state, .dispatched)
        XCTAssertEqual(seen.assignments.map(\.org), ["城管中队"])
        XCTAssertEqual(seen.assignments.map(\.due), [due])
        XCTAssertEqual(seen.history.last?.fields, ActionFields(instruction: "请修复", due: due, org: org))
        XCTAssertEqual(seen.place, manhole().place)
        XCTAssertLessThan(abs(try XCTUnwrap(seen.occurred).timeIntervalSinceNow), 60)
        XCTAssertEqual(seen.round, 1)
        XCTAssertEqual(seen.flags, [])
        XCTAssertFalse(seen.reopenPending)
    }

    func testWhatTwoDecidedAtOnceIsFlaggedAndDecided() async throws {
        let reporter = try await phone("a")
        let one = try await phone("one", role: "town_dispatcher", scope: Town.code)
        let two = try await phone("two", role: "town_leader", scope: Town.code)
        let id = try await reporter.report(manhole())
        for phone in [reporter, one, two] { try await syncs(phone) }
        try await one.act(case: id, .accept, ActionFields(duplicateCheck: "none"))
        try await two.act(case: id, .reject, ActionFields(reason: "不属实", reply: "已核实"))
        for phone in [one, two, one] { try await syncs(phone) }
        let both = try await one.case(id)
        let seen = try XCTUnwrap(both)
        let flag = try XCTUnwrap(seen.flags.first { $0.level == .must })
        XCTAssertEqual(Set(seen.history.filter { flag.actions.contains($0.id) }.map(\.kind)), [.accept, .reject])
        XCTAssertEqual(seen.row.flags, 1)
        try await one.act(case: id, .resolveFlag, ActionFields(targets: flag.actions, row: flag.row, decision: "accepted"))
        let decided = try await one.case(id)
        XCTAssertEqual(decided?.flags.filter { $0.level == .must }, [])
    }

    func testACancelledCallGoesOn() async throws {
        let phone = try await phone("a")
        // A save says how it ended, cancelled or not.
        let saves = (1...20).map { number in
            let fields = manhole("井盖\(number)")
            return Task { try await phone.report(fields) }
        }
        saves.forEach { $0.cancel() }
        var saved: Set<String> = []
        for save in saves { saved.insert(try await save.value) }
        let cases = try await phone.cases(limit: 500)
        XCTAssertEqual(Set(cases.rows.map(\.id)), saved)

        // Who waits for the network stops waiting at once; the round that was begun, or the next one, brings everything.
        let sync = Task { try await phone.syncNow() }
        try await Task.sleep(for: .milliseconds(3))
        sync.cancel()
        do {
            _ = try await sync.value
            XCTFail("it was not cancelled")
        } catch is CancellationError {}
        try await syncs(phone)
        let status = try await phone.observeStatus().becomes { $0.unsent == 0 }
        XCTAssertEqual(status.refused, 0)
    }

    func testTwoPhonesConverge() async throws {
        let (a, b) = (try await phone("a"), try await phone("b"))
        let household = try await a.addHousehold(household(), persons: [head()])
        try await syncs(a)
        try await syncs(b)
        let there = try await b.household(household)
        XCTAssertEqual(there?.persons.map(\.name), ["王秀英"])
        // Both edit, without having seen each other: other fields, and the same one.
        try await a.editHousehold(household, ["phone": "12012345678", "note": "有狗"])
        try await b.editHousehold(household, ["evacuation_group": "三组", "note": "门锁坏"])
        let id = try await b.report(manhole())
        for phone in [a, b, a, b] { try await syncs(phone) }
        let (onA, onB) = (try await a.household(household), try await b.household(household))
        let (one, two) = (try XCTUnwrap(onA), try XCTUnwrap(onB))
        XCTAssertEqual(one.fields, two.fields)
        XCTAssertEqual(one.fields["phone"], "12012345678")
        XCTAssertEqual(one.fields["evacuation_group"], "三组")
        XCTAssertEqual(Set([one.fields["note"] ?? ""] + (one.alternatives.first?.values ?? [])), ["有狗", "门锁坏"])
        XCTAssertEqual(one.alternatives, two.alternatives)
        let (caseA, caseB) = (try await a.case(id), try await b.case(id))
        XCTAssertNotNil(caseA)
        XCTAssertEqual(caseA?.history.map(\.id), caseB?.history.map(\.id))

        // In the background, without being asked.
        try await a.start()
        try await b.start()
        async let seen = b.observeCase(id).becomes { $0?.history.contains { $0.text == "已到现场" } == true }
        try await Task.sleep(for: .milliseconds(200))
        try await a.act(case: id, .supplement, ActionFields(text: "已到现场"))
        let entry = try await seen?.history.first { $0.text == "已到现场" }
        XCTAssertEqual(entry?.own, false)
        try await a.stop()
        try await b.stop()
    }

    private func syncs(_ phone: any Fieldgrid, file: StaticString = #filePath, line: UInt = #line) async throws {
        let result = try await phone.syncNow()
        XCTAssertNil(result.wait, file: file, line: line)
    }

    private func files() throws -> [String: Data] {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasPrefix("a.db") && !$0.hasSuffix("-shm") }
        return try Dictionary(uniqueKeysWithValues: names.map { ($0, try Data(contentsOf: folder.appendingPathComponent($0))) })
    }
}
