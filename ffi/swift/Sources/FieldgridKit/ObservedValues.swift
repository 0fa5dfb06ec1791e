/// What an observer sees: the current value first, then each other one; who is slow sees the latest.
///
/// ```swift
/// for try await page in phone.observeToday() { show(page.rows) }
/// ```
///
/// Each loop begins anew with the value of that moment. It ends when its task is cancelled, and throws when the store cannot be read. Values are pulled: no
/// thread of the engine ever calls into the app, and between two values nothing runs.
public struct ObservedValues<Element: Sendable>: AsyncSequence, Sendable {
    /// Gives the next value, or `nil` at the end, also when the task is cancelled.
    public typealias Next = () async throws -> Element?

    private let begin: @Sendable () async throws -> Next

    /// For those who implement ``Fieldgrid``. Each loop calls `begin` once and then what it returned, one call at a time, and lets go of it at the end.
    public init(_ begin: @escaping @Sendable () async throws -> Next) {
        self.begin = begin
    }

    public func makeAsyncIterator() -> Iterator {
        Iterator(state: .new(begin))
    }

    /// One loop.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate enum State {
            case new(@Sendable () async throws -> Next)
            case begun(Next)
            case ended
        }

        fileprivate var state: State

        public mutating func next() async throws -> Element? {
            do {
                if let value = try await pull() { return value }
            } catch {
                state = .ended
                throw error
            }
            state = .ended
            return nil
        }

        private mutating func pull() async throws -> Element? {
            switch state {
            case .new(let begin):
                let next = try await begin()
                state = .begun(next)
                return try await next()
            case .begun(let next):
                return try await next()
            case .ended:
                return nil
            }
        }
    }
}
