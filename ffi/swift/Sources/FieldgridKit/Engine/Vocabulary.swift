#if compiler(>=6.0)
internal import FieldgridFFI
#else
import FieldgridFFI
#endif

/// Words and tables of the engine.
enum Vocabulary {
    static func words(_ state: CaseState) -> Words { Words(stateWords(state: .init(state))) }
    static func words(_ kind: ActionKind) -> Words { Words(actionWords(kind: .init(kind))) }
    static func words(_ severity: Severity) -> Words { Words(severityWords(severity: .init(severity))) }
    static func words(_ role: Role) -> Words { Words(roleWords(role: .init(role))) }
    static func words(_ reason: RevealReason) -> Words { Words(revealReasonWords(reason: .init(reason))) }
    static func requires(_ kind: ActionKind) -> [ActionField] { requiredFields(kind: .init(kind)).map(ActionField.init) }
    static func idNumberFits(_ number: String) -> Bool { FieldgridFFI.idNumberFits(number: number) }
    static var categories: [CaseCategory] { FieldgridFFI.categories().map(CaseCategory.init) }
}
