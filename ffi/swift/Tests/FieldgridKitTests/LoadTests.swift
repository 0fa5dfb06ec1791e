import Dispatch
import FieldgridKit
import Foundation
import XCTest

/// What it costs, through Swift.
final class LoadTests: Phones {
    func testTenThousandRecordsAreListedAndSearchedAtOnce() async throws {
        let phone = try await phone("a")
        let records = 10_000
        let save = try await time { for number in 1...records { _ = try await phone.report(manhole("井盖破损第\(number)处")) } } / records
        let status = try await phone.status()
        XCTAssertEqual(status.cases, records)
        var page = try await phone.cases(limit: 500)
        var ids = Set(page.rows.map(\.id))
        while let next = page.next {
            page = try await phone.cases(limit: 500, after: next)
            ids.formUnion(page.rows.map(\.id))
        }
        XCTAssertEqual(ids.count, records)
        let list = try await median { _ = try await phone.cases(limit: 50) }
        let today = try await median { _ = try await phone.observeToday(limit: 50).first() }
        let one = try await median {
            let hits = try await phone.search("第9876处")
            XCTAssertEqual(hits.rows.count, 1)
        }
        let all = try await median {
            let hits = try await phone.search("井盖", limit: 50)
            XCTAssertEqual(hits.rows.count, 50)
        }
        print("with \(records) records: a save \(save), list of 50 \(list), today \(today), search (one hit) \(one), search (all fit) \(all)")
        for taken in [list, one, all] { XCTAssertLessThan(taken, .milliseconds(25)) }
        XCTAssertLessThan(today, .milliseconds(60))
    }

    func testMemoryIsFlatOverTenThousandObservedChanges() async throws {
        try XCTSkipUnless(inUse() != nil, "memory is read from /proc, which this system has not")
        let phone = try await phone("a")
        let before = inUse() ?? 0
        let id = try await phone.report(manhole())
        let household = try await phone.addHousehold(household(), persons: [head()])
        let observers = [
            Task { try await count(phone.observeHousehold(household)) },
            Task { try await count(phone.observeHouseholds()) },
            Task { try await count(phone.observeStatus()) },
            Task { try await count(phone.observeCase(id)) },
        ]
        var grown: [Int] = []
        for round in 0..<10 {
            // A day's edits: some to each household.
            for number in 0..<100 {
                let other = try await phone.addHousehold(self.household("劳动路\(round)号\(number)"))
                for edit in 1..<10 { try await phone.editHousehold(other, ["phone": "120\(10_000_000 + edit)"]) }
            }
            // Watches that come and go.
            for _ in 0..<20 { _ = try await phone.observeHousehold(household).first() }
            grown.append(inUse() ?? 0)
        }
        observers.forEach { $0.cancel() }
        var seen: [Int] = []
        for observer in observers { seen.append(try await observer.value) }
        await phone.closeAndWait()
        let after = inUse() ?? 0
        print("after each 1,000 observed changes, MB: \(before >> 20) \(grown.map { $0 >> 20 }), closed \(after >> 20); values seen \(seen)")
        XCTAssertGreaterThan(seen[2], 100)
        // What grows is the writing connection's page cache, with the file, to its 8 MB. Closed, nothing of it stays.
        XCTAssertLessThan(grown[9] - grown[2], 8 << 20, "\(grown)")
        XCTAssertLessThan(after - grown[0], 4 << 20, "\(after) after \(grown)")
    }

    @available(macOS 14, iOS 17, *)
    func testNoCallHoldsItsCallersThread() async throws {
        let phone = try await phone("a")
        let spare = options("b")
        let caller = Caller()
        try await caller.day(on: phone, manhole: manhole(), household: household(), head: head(), spare: spare)
        let (pieces, longest) = caller.thread.measured
        print("caller's thread: \(pieces) pieces of work, the longest \(longest)")
        XCTAssertGreaterThan(pieces, 300)
        XCTAssertLessThan(longest, .milliseconds(5))
    }

    private func time(_ work: () async throws -> Void) async throws -> Duration {
        try await ContinuousClock().measure { try await work() }
    }

    private func median(_ work: () async throws -> Void) async throws -> Duration {
        for _ in 1...20 { try await work() }
        var times: [Duration] = []
        for _ in 1...41 { times.append(try await time(work)) }
        return times.sorted()[20]
    }

    /// Bytes of memory in use, where the system says so. What the allocator only keeps, of what threads freed, is given back first.
    private func inUse() -> Int? {
        if let trim = dlsym(nil, "malloc_trim") { _ = unsafeBitCast(trim, to: (@convention(c) (Int) -> Int32).self)(0) }
        guard let pages = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ") else { return nil }
        return Int(pages[1]).map { $0 * 4096 }
    }
}

private func count<T>(_ values: ObservedValues<T>) async throws -> Int {
    var seen = 0
    for try await _ in values { seen += 1 }
    return seen
}

/// Someone like a main actor, on a thread that measures what holds it.
@available(macOS 14, iOS 17, *)
private actor Caller {
    let thread = MeasuredThread()

    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    func day(on phone: any Fieldgrid, manhole: ActionFields, household: FieldEdit, head: FieldEdit, spare: OpenOptions) async throws {
        let id = try await phone.report(manhole)
        let household = try await phone.addHousehold(household, persons: [head])
        let watching = [
            Task { for try await _ in phone.observeToday() {} },
            Task { for try await _ in phone.observeStatus() {} },
            Task { for try await _ in phone.observeHousehold(household) {} },
        ]
        for number in 1...50 {
            try await phone.act(case: id, .supplement, ActionFields(text: "第\(number)次"))
            try await phone.editHousehold(household, ["note": "第\(number)次"])
            _ = try await phone.case(id)
            _ = try await phone.cases()
            _ = try await phone.search("井盖")
            _ = try await phone.status()
            _ = try await phone.visits()
        }
        try await phone.syncNow()
        try await phone.start()
        try await phone.wake()
        try await phone.stop()
        _ = try await phone.names()
        watching.forEach { $0.cancel() }
        let other = try await FieldgridEngine.open(spare)
        other.close()
        await other.closeAndWait()
    }
}

/// The CPU time of each piece of work, for a busy machine holds a thread too; who waits is held by the clock on the wall.
@available(macOS 14, iOS 17, *)
private final class MeasuredThread: SerialExecutor, @unchecked Sendable {
    private let queue = DispatchQueue(label: "caller")
    private let lock = NSLock()
    private var pieces = 0
    private var longest = Duration.zero

    var measured: (pieces: Int, longest: Duration) { lock.withLock { (pieces, longest) } }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { [self] in
            let wall = ContinuousClock.now
            let cpu = threadTime()
            job.runSynchronously(on: asUnownedSerialExecutor())
            let waited = ContinuousClock.now - wall
            let held = waited > .milliseconds(50) ? waited : threadTime() - cpu
            lock.withLock {
                pieces += 1
                // The first of all loads what the language itself needs.
                if pieces > 1 { longest = max(longest, held) }
            }
        }
    }
}

private func threadTime() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
}
