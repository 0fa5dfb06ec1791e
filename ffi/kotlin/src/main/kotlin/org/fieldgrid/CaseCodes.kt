package org.fieldgrid

import org.fieldgrid.internal.Vocabulary

/** Where a case stands. Computed from what was done, never set. */
enum class CaseState {
    /** No effective report yet. */
    DRAFT,

    /** 待受理. */
    REPORTED,

    /** 待分派. */
    ACCEPTED,

    /** 待签收. */
    DISPATCHED,

    /** 处置中. */
    HANDLING,

    /** 挂起. */
    SUSPENDED,

    /** 待核查. */
    RESOLVED,

    /** 待结案. */
    VERIFIED,

    /** 已结案. */
    CLOSED,

    /** 不予受理. */
    REJECTED,

    /** 撤回. */
    WITHDRAWN,

    /** 并案. */
    MERGED,

    /** 作废. */
    VOID,

    /** Of a newer version than this app. */
    OTHER,
}

/** How bad it is. */
enum class Severity {
    /** 一般. */
    NORMAL,

    /** 紧急. */
    URGENT,

    /** 突发. */
    EMERGENCY,

    /** Of a newer version than this app. */
    OTHER,
}

/** What an action does. */
enum class ActionKind {
    /** 上报. */
    REPORT,

    /** 补充. */
    SUPPLEMENT,

    /** 满意度. */
    RATE,

    /** 即办即结. */
    SELF_RESOLVE,

    /** 签收. */
    SIGN,

    /** 过程反馈. */
    PROGRESS,

    /** 申请退回. */
    REQUEST_RETURN,

    /** 申请延期. */
    REQUEST_EXTENSION,

    /** 处置完成. */
    FINISH,

    /** 报到. */
    CHECK_IN,

    /** 异议. */
    OBJECT,

    /** 申请重办. */
    REQUEST_REOPEN,

    /** 核查不通过. */
    VERIFY_FAIL,

    /** 受理. */
    ACCEPT,

    /** 派遣. */
    DISPATCH,

    /** 撤派. */
    RECALL,

    /** 同意退回. */
    APPROVE_RETURN,

    /** 不同意退回. */
    DENY_RETURN,

    /** 同意延期. */
    APPROVE_EXTENSION,

    /** 不同意延期. */
    DENY_EXTENSION,

    /** 挂起. */
    SUSPEND,

    /** 恢复. */
    RESUME,

    /** 上报上级. */
    ESCALATE,

    /** 交办. */
    DELEGATE,

    /** 吹哨. */
    WHISTLE,

    /** 结束吹哨. */
    WHISTLE_END,

    /** 评价部门. */
    RATE_DEPARTMENT,

    /** 督办. */
    SUPERVISE,

    /** 结束督办. */
    SUPERVISE_END,

    /** 重办. */
    REOPEN,

    /** 不同意重办. */
    DENY_REOPEN,

    /** 裁决. */
    RESOLVE_FLAG,

    /** 更正. */
    EDIT,

    /** 取消并案. */
    UNMERGE,

    /** 并入. */
    MERGE_IN,

    /** 核查通过. */
    VERIFY_PASS,

    /** 结案. */
    CLOSE,

    /** 不予受理. */
    REJECT,

    /** 撤回. */
    WITHDRAW,

    /** 并案. */
    MERGE,

    /** 作废. */
    VOID,

    /** Of a newer version than this app. */
    OTHER,
}

/** What an action must say. */
enum class ActionField {
    /** Category code. */
    CATEGORY,

    /** A point or an address. */
    PLACE,

    /** When it happened. */
    OCCURRED_AT,

    /** How bad it is. */
    SEVERITY,

    /** Text, photo or voice. */
    EVIDENCE,

    /** Satisfaction, 1–5. */
    SCORE,

    /** What was done. */
    MEASURE,

    /** A photo. */
    PHOTO,

    /** Photos before and after. */
    PHOTOS,

    /** Where the author stood, as a fix. */
    SPOT,

    /** When it was finished. */
    FINISHED_AT,

    /** Why. */
    REASON,

    /** When it is (newly) due. */
    DUE_AT,

    /** Result code. */
    RESULT,

    /** What was seen on the spot. */
    OBSERVATION,

    /** When it was seen. */
    SEEN_AT,

    /** The grid it belongs to. */
    GRID,

    /** Result of the check for duplicates. */
    DUPLICATE_CHECK,

    /** The organisation it is given to. */
    ORG,

    /** What is to be done. */
    INSTRUCTION,

    /** The assignments, requests or actions it is about. */
    TARGETS,

    /** Longest time. */
    MAX_DAYS,

    /** Departments. */
    DEPARTMENTS,

    /** A level or a decision's word. */
    DECISION,

    /** The row of the flag. */
    ROW,

    /** At least one header field. */
    HEADER,

    /** Conclusion. */
    CONCLUSION,

    /** The reply to the reporter. */
    REPLY,

    /** The other case. */
    PRIMARY,
}

/** How much a flag matters. */
enum class FlagLevel {
    /** For information. */
    INFO,

    /** A person must decide. */
    MUST,
}

/** What a list of cases is ordered by. */
enum class CaseOrder {
    /** The latest change first. */
    UPDATED,

    /** Only open cases with a due time, soonest first. */
    DUE,

    /** A day's list: open cases, what is due soonest first, then the others, the latest change first. */
    TODAY,
}

/** How far an assignment is. */
enum class AssignmentState {
    /** Given, not yet signed for. */
    UNSIGNED,

    /** Signed for; work goes on. */
    SIGNED,

    /** Finished. */
    FINISHED,

    /** Taken back. */
    RECALLED,

    /** Superseded by a later dispatch. */
    SUPERSEDED,

    /** Paused until a person decides. */
    PAUSED,
}

/** A category of cases. [code] has two digits for a major and four for a minor, which begins with its major's. */
data class Category(val code: String, val words: Words, val severity: Severity) {
    /** Whether it is a major, with minors under it. */
    val major: Boolean get() = code.length == 2
}

/** The engine's words for it. */
val CaseState.words: Words get() = Vocabulary.states.getValue(this)

/** The engine's words for it. */
val ActionKind.words: Words get() = Vocabulary.actions.getValue(this)

/** The engine's words for it. */
val Severity.words: Words get() = Vocabulary.severities.getValue(this)

/** What an action of this kind must say; times that it lacks are filled in. */
val ActionKind.requires: List<ActionField> get() = Vocabulary.requires.getValue(this)

/** The categories of cases by code: each major before its minors. */
val caseCategories: Map<String, Category> get() = Vocabulary.categories
