// swift-tools-version:5.9
import PackageDescription

/// Where the engine's library is; `./generate` puts it into `lib`.
let library = Context.environment["FIELDGRID_LIBRARY_DIR"] ?? Context.packageDirectory + "/lib"

let package = Package(
    name: "fieldgrid",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [
        .library(name: "FieldgridKit", targets: ["FieldgridKit"]),
        .library(name: "FieldgridTesting", targets: ["FieldgridTesting"]),
    ],
    targets: [
        // Generated, both: the C header as a module, and the bindings on it. Nothing of them is in the public interface.
        .systemLibrary(name: "fieldgrid_ffiFFI"),
        .target(
            name: "FieldgridFFI",
            dependencies: ["fieldgrid_ffiFFI"],
            linkerSettings: [.linkedLibrary("fieldgrid_ffi"), .unsafeFlags(["-L\(library)", "-Xlinker", "-rpath", "-Xlinker", library])]
        ),
        .target(name: "FieldgridKit", dependencies: ["FieldgridFFI"]),
        .target(name: "FieldgridTesting", dependencies: ["FieldgridKit"]),
        .testTarget(name: "FieldgridKitTests", dependencies: ["FieldgridFFI", "FieldgridKit", "FieldgridTesting"]),
    ],
    // Each toolchain takes the latest that it knows: strict concurrency by the language itself from 6.0 on.
    swiftLanguageVersions: [.v5, .version("6")]
)
