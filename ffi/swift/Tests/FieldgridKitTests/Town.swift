import Foundation

/// A town centre: the real server, as a process of its own, on this machine.
final class Town {
    static let code = "610702001"
    static let community = code + "001"
    static let grid = community + "001"
    static let otherGrid = community + "002"

    private let folder: URL
    private let port = freePort()
    private var url: String { "http://127.0.0.1:\(port)" }
    private var process: Process?

    init(in folder: URL) throws {
        self.folder = folder
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try command("import-divisions", "--builtin", "hanzhong")
        try command("grids", "create", Self.community, "--count", "2")
        try open()
    }

    deinit { close() }

    func open() throws {
        let process = try start(["serve", "--listen", "127.0.0.1:\(port)", "--public-url", url], output: .nullDevice)
        self.process = process
        let end = Date() + patience
        while !answers(port) {
            guard process.isRunning, Date() < end else { throw TestFailure("the server does not answer: \(log)") }
            Thread.sleep(forTimeInterval: 0.02)
        }
    }

    /// No network: nobody answers on the server's address.
    func close() {
        guard let process else { return }
        // Not `terminate`: a process inherits what the thread of a Swift task blocks, and that is every other signal.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        self.process = nil
    }

    func invite(role: String = "grid_member", scope: String = Town.grid, name: String = "陈静") throws -> String {
        let said = try command("invite", "--role", role, "--scope", scope, "--name", name, "--public-url", url)
        guard let invite = said.split(separator: "\n").last(where: { $0.hasPrefix("fieldgrid:") }) else { throw TestFailure("no invite in: \(said)") }
        return String(invite)
    }

    @discardableResult
    func command(_ arguments: String...) throws -> String {
        let output = Pipe()
        let process = try start(arguments, output: output.fileHandleForWriting)
        try output.fileHandleForWriting.close()
        let said = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw TestFailure("sync-server \(arguments[0]) failed: \(log)") }
        return String(decoding: said, as: UTF8.self)
    }

    private func start(_ arguments: [String], output: FileHandle) throws -> Process {
        let log = folder.appendingPathComponent("server.log").path
        if !FileManager.default.fileExists(atPath: log) { _ = FileManager.default.createFile(atPath: log, contents: nil) }
        guard let errors = FileHandle(forWritingAtPath: log) else { throw TestFailure("\(log) cannot be written") }
        try errors.seekToEnd()
        let process = Process()
        process.executableURL = try Self.server()
        process.arguments = arguments + ["--data", folder.appendingPathComponent("town").path, "--log", "warn"]
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        return process
    }

    private var log: String { (try? String(contentsOf: folder.appendingPathComponent("server.log"), encoding: .utf8)) ?? "" }

    /// As cargo builds it, unless `SYNC_SERVER` says where it is.
    private static func server() throws -> URL {
        let environment = ProcessInfo.processInfo.environment
        let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../../..").standardizedFileURL
        let target = environment["CARGO_TARGET_DIR"].map { URL(fileURLWithPath: $0) } ?? repository.appendingPathComponent("target")
        let server = environment["SYNC_SERVER"].map { URL(fileURLWithPath: $0) } ?? target.appendingPathComponent("debug/sync-server")
        guard FileManager.default.isExecutableFile(atPath: server.path) else {
            throw TestFailure("no server at \(server.path): cargo build -p sync-server, or set SYNC_SERVER")
        }
        return server
    }
}

struct TestFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

private let patience: TimeInterval = 20

// MARK: - Sockets, which Foundation has none of

#if canImport(Glibc) || canImport(Musl)
private let stream = Int32(SOCK_STREAM.rawValue)
#else
private let stream = SOCK_STREAM
#endif

private func freePort() -> UInt16 {
    withSocket(port: 0) { socket, address, length in
        bind(socket, address, length)
        var length = length
        return getsockname(socket, address, &length)
    }.port
}

private func answers(_ port: UInt16) -> Bool {
    withSocket(port: port) { socket, address, length in connect(socket, address, length) }.result == 0
}

private func withSocket(
    port: UInt16, _ work: (Int32, UnsafeMutablePointer<sockaddr>, socklen_t) -> Int32
) -> (result: Int32, port: UInt16) {
    let socket = socket(AF_INET, stream, 0)
    defer { _ = Foundation.close(socket) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let result = withUnsafeMutablePointer(to: &address) { address in
        address.withMemoryRebound(to: sockaddr.self, capacity: 1) { work(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
    return (result, UInt16(bigEndian: address.sin_port))
}
