import Foundation

/// A list of any length, loaded as one scrolls and watched where one looks: tell it by ``look(first:last:)`` which rows are on the screen, and show what
/// ``rows`` gives.
///
/// ```swift
/// let households = Pages { phone.observeHouseholds(after: $0) }
/// ```
///
/// However long the list is, only the pages on the screen and those beside it are watched. The others keep the rows that they had, and are looked at again
/// before they come back to the screen.
public final class Pages<Row: Identifiable & Hashable & Sendable>: Sendable {
    /// What is loaded of a list.
    public struct Rows: Hashable, Sendable {
        /// The rows.
        public var list: [Row]

        /// Whether the list goes on.
        public var more: Bool

        public init(list: [Row] = [], more: Bool = true) {
            self.list = list
            self.more = more
        }
    }

    private let loader: Loader<Row>

    /// - Parameter page: The page that begins after a token; the first begins after `nil`. By its `id` a row is told from every other: one that has moved to
    ///   where one looks is not shown at its old place as well.
    public init(_ page: @escaping @Sendable (_ after: PageToken?) -> ObservedValues<Page<Row>>) {
        loader = Loader(page)
    }

    /// The rows, and again at each change. One loop at a time: a new one goes on where the last was, and ends it if it has not ended.
    public var rows: ObservedValues<Rows> {
        ObservedValues { [loader] in
            var shown = await loader.begin().makeAsyncIterator()
            return { try await shown.next() }
        }
    }

    /// Rows `first` to `last` are on the screen.
    public func look(first: Int, last: Int) {
        loader.onScreen.set(first, last)
        Task { await loader.watchAround() }
    }
}

/// Which rows are on the screen, as it was said last: of calls that follow each other at once, no task could say which was the later.
private final class OnScreen: @unchecked Sendable {
    private let lock = NSLock()
    private var rows = 0...0

    func set(_ first: Int, _ last: Int) {
        lock.withLock { rows = first...max(first, last) }
    }

    func get() -> ClosedRange<Int> {
        lock.withLock { rows }
    }
}

private actor Loader<Row: Identifiable & Hashable & Sendable> {
    private struct Watch {
        let id: Int
        let task: Task<Void, Never>
    }

    private struct Loaded {
        var after: PageToken?
        var page: Page<Row>?
        var watch: Watch?

        var rows: [Row] { page?.rows ?? [] }

        mutating func unwatch() {
            watch?.task.cancel()
            watch = nil
        }
    }

    /// Rows beyond the screen that are ready, so that nobody waits who scrolls.
    private static var beside: Int { 25 }

    nonisolated let onScreen = OnScreen()
    private let page: @Sendable (PageToken?) -> ObservedValues<Page<Row>>
    private var loaded = [Loaded()]
    private var watches = 0
    private var loops = 0
    private var show: AsyncThrowingStream<Pages<Row>.Rows, any Error>.Continuation?

    init(_ page: @escaping @Sendable (PageToken?) -> ObservedValues<Page<Row>>) {
        self.page = page
    }

    func begin() -> AsyncThrowingStream<Pages<Row>.Rows, any Error> {
        stop()
        loops += 1
        let (rows, show) = AsyncThrowingStream.makeStream(of: Pages<Row>.Rows.self, bufferingPolicy: .bufferingNewest(1))
        show.onTermination = { [weak self, loop = loops] _ in
            Task { await self?.end(loop) }
        }
        self.show = show
        watchAround()
        return rows
    }

    /// Watches what is on the screen and beside it, loads more when that is near the end, and lets go of the rest.
    func watchAround() {
        guard show != nil else { return }
        let rows = onScreen.get()
        let first = min(rows.lowerBound, loaded.reduce(0) { $0 + $1.rows.count } - 1)
        var at = 0
        for number in loaded.indices {
            let end = at + loaded[number].rows.count
            if at - Self.beside > rows.upperBound || end + Self.beside < first {
                loaded[number].unwatch()
            } else if loaded[number].watch == nil {
                watch(number)
            }
            at = end
        }
        if let next = loaded.last?.page?.next, at - Self.beside <= rows.upperBound {
            loaded.append(Loaded(after: next))
            watch(loaded.count - 1)
        }
    }

    private func watch(_ number: Int) {
        watches += 1
        let id = watches
        let values = page(loaded[number].after)
        loaded[number].watch = Watch(id: id, task: Task { await follow(values, number, id) })
    }

    private nonisolated func follow(_ values: ObservedValues<Page<Row>>, _ number: Int, _ watch: Int) async {
        do {
            for try await value in values { await came(value, number, watch) }
        } catch {
            await failed(error, number, watch)
        }
    }

    private func came(_ page: Page<Row>, _ number: Int, _ watch: Int) {
        guard isWatched(number, by: watch) else { return }
        loaded[number].page = page
        if let next = page.next {
            if number + 1 < loaded.count, loaded[number + 1].after != next {
                // Else what now lies between the two pages would be missing, or be there twice.
                loaded[number + 1].after = next
                loaded[number + 1].unwatch()
            }
        } else {
            for rest in loaded.indices.dropFirst(number + 1) { loaded[rest].unwatch() }
            loaded.removeSubrange((number + 1)...)
        }
        watchAround()
        show?.yield(shown())
    }

    private func failed(_ error: any Error, _ number: Int, _ watch: Int) {
        guard isWatched(number, by: watch) else { return }
        show?.finish(throwing: error)
        stop()
    }

    /// Whether it is still watched so: what a watch says that was given up meanwhile is no news.
    private func isWatched(_ number: Int, by watch: Int) -> Bool {
        loaded.indices.contains(number) && loaded[number].watch?.id == watch
    }

    private func end(_ loop: Int) {
        if loop == loops { stop() }
    }

    private func stop() {
        for number in loaded.indices { loaded[number].unwatch() }
        show?.finish()
        show = nil
    }

    private func shown() -> Pages<Row>.Rows {
        let fresh = Set(loaded.filter { $0.watch != nil }.flatMap { $0.rows.map(\.id) })
        var seen: Set<Row.ID> = []
        let list = loaded.flatMap { one in
            one.rows.filter { row in (one.watch != nil || !fresh.contains(row.id)) && seen.insert(row.id).inserted }
        }
        return Pages<Row>.Rows(list: list, more: loaded.last.map { $0.page == nil || $0.page?.next != nil } ?? false)
    }
}
