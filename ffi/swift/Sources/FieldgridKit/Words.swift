import Foundation

/// What something is called, or what to tell a person, in both languages.
public struct Words: Hashable, Sendable {
    /// 中文.
    public var zh: String

    /// English.
    public var en: String

    public init(zh: String, en: String) {
        self.zh = zh
        self.en = en
    }

    /// In the language of a BCP 47 tag: Chinese for `zh…`, else English.
    public subscript(language: String) -> String {
        language.hasPrefix("zh") ? zh : en
    }

    /// In the language that the person prefers.
    public var localized: String {
        self[Locale.preferredLanguages.first ?? "zh"]
    }
}

/// A category of cases. Its code has two digits for a major and four for a minor, which begins with its major's.
public struct CaseCategory: Identifiable, Hashable, Sendable {
    /// The code.
    public var code: String

    /// What it is called.
    public var words: Words

    /// How bad it is by default.
    public var severity: Severity

    public init(code: String, words: Words, severity: Severity = .normal) {
        self.code = code
        self.words = words
        self.severity = severity
    }

    /// The code.
    public var id: String { code }

    /// Whether it is a major, with minors under it.
    public var major: Bool { code.count == 2 }

    /// All of them: each major before its minors.
    public static let all = Vocabulary.categories
}

extension CaseState {
    /// The engine's words for it.
    public var words: Words { Vocabulary.words(self) }
}

extension ActionKind {
    /// The engine's words for it.
    public var words: Words { Vocabulary.words(self) }

    /// What an action of this kind must say; times that it lacks are filled in.
    public var requires: [ActionField] { Vocabulary.requires(self) }
}

extension Severity {
    /// The engine's words for it.
    public var words: Words { Vocabulary.words(self) }
}

extension Role {
    /// The engine's words for it.
    public var words: Words { Vocabulary.words(self) }
}

extension RevealReason {
    /// The engine's words for it.
    public var words: Words { Vocabulary.words(self) }
}
