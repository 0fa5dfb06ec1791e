package org.fieldgrid

import org.fieldgrid.internal.Vocabulary

/** What something is called, or what to tell a person, in both languages. */
data class Words(val zh: String, val en: String) {
    /** In the language of a BCP 47 tag: Chinese for `zh…`, else English. */
    fun get(language: String): String = if (language.startsWith("zh")) zh else en
}

/** Where work is, told from receipts only. */
enum class DeliveryState {
    /** Nothing of this device's own is in it. */
    THEIRS,

    /** On this phone. */
    ON_PHONE,

    /** Received by the centre. */
    RECEIVED,

    /** Was received, and is to be delivered again: the centre restored a backup. */
    AGAIN,

    /** Refused, for a reason. */
    REFUSED,

    /** A person decides what is to become of it. */
    DECIDE,

    /** The centre waits for what it depends on. */
    WAITING,

    /** The centre keeps it aside for an administrator. */
    QUARANTINED,

    /** Given up by the person. */
    DISCARDED,

    /** Sent again: a later edit stands for it. Only a history shows it. */
    REPLACED,

    /** Of a newer version than this app. */
    OTHER,
}

/** What an author can do about own work that is not let in at the centre. */
enum class Remedy {
    /** Send it again as it was: [Fieldgrid.redo]. */
    REDO,

    /** Send it with other values: [Fieldgrid.correct]. */
    CORRECT,

    /** Send what it said as a note: [Fieldgrid.sendAsNote]. */
    NOTE,

    /** Give it up: [Fieldgrid.discard]. Nobody else does. */
    DISCARD,

    /** Of a newer version than this app. */
    OTHER,
}

/** How a visit went. */
enum class VisitResult {
    /** 见面. */
    MET,

    /** 不在家. */
    ABSENT,

    /** 拒访. */
    REFUSED,

    /** 已搬走. */
    MOVED,

    /** Of a newer version than this app. */
    OTHER,
}

/** Why a visit was made. */
enum class VisitKind {
    /** 日常. */
    ROUTINE,

    /** 关爱. */
    CARE,

    /** 安全检查. */
    SAFETY,

    /** 信息采集. */
    COLLECTION,

    /** 撤离. */
    MUSTER,

    /** Of a newer version than this app. */
    OTHER,
}

/** Why a number is shown. */
enum class RevealReason {
    /** 核实身份. */
    IDENTITY,

    /** 填写表格: an official form. */
    FORM,

    /** 紧急情况. */
    EMERGENCY,

    /** 更正信息. */
    CORRECTION,

    /** 其他原因: said in words. */
    UNLISTED,

    /** Of a newer version than this app. */
    OTHER,
}

/** What a person is to the centre. */
enum class Role {
    /** 流动网格员: a delivery rider who reports what he sees. */
    RIDER,

    /** 志愿者. */
    VOLUNTEER,

    /** 楼层长. */
    FLOOR_LEADER,

    /** 分楼层长. */
    FLOOR_GROUP_LEADER,

    /** 单元长. */
    UNIT_LEADER,

    /** 楼栋长. */
    BUILDING_LEADER,

    /** 网格员. */
    GRID_MEMBER,

    /** 网格长. */
    GRID_HEAD,

    /** 小区党组织(物业)负责人. */
    ESTATE_LEAD,

    /** 社区/村. */
    COMMUNITY,

    /** 部门承办人. */
    DEPARTMENT,

    /** 镇街调度员. */
    TOWN_DISPATCHER,

    /** 镇街负责人. */
    TOWN_LEADER,

    /** 县区调度平台. */
    COUNTY,

    /** 市指挥枢纽. */
    CITY,

    /** 审计. */
    AUDITOR,

    /** Of a newer version than this app. */
    OTHER,
}

/** Why the phone waits before it asks the centre again. */
enum class WaitReason {
    /** Nothing is wrong: the next look is due later. */
    SCHEDULED,

    /** No connection to the server. */
    NO_NETWORK,

    /** The server did not answer in time. */
    TIMEOUT,

    /** The server is busy, or this phone asked too often; it said when to come again. */
    SERVER_BUSY,

    /** The server failed. */
    SERVER_FAILED,

    /** The device is not enrolled. */
    NOT_ENROLLED,

    /** The server does not recognise the device's signature. */
    NOT_RECOGNISED,

    /** The device is revoked. */
    REVOKED,

    /** The server speaks a newer version of the protocol, or no longer this one. */
    NEEDS_UPDATE,

    /** The phone's clock is outside the time for which the server's certificate holds. */
    CLOCK,

    /** The server's certificate is not trusted. */
    UNTRUSTED,

    /** What came back is not an answer to the request: a login page of the network, or a damaged answer. */
    BAD_ANSWER,

    /** The server does not take the request. */
    REJECTED,

    /** The phone's own storage failed. */
    STORAGE,

    /** The server is older than this phone and cannot read its work yet. */
    SERVER_OUTDATED,

    /** The server did not take what was sent, and signed nothing that says why; it is kept and sent again. */
    NOT_TAKEN,

    /** Of a newer version than this app. */
    OTHER,
}

/** How much a line of the log matters. */
enum class LogLevel {
    /** Something failed. */
    ERROR,

    /** Something is odd. */
    WARN,

    /** What happens. */
    INFO,

    /** Each step. */
    DEBUG,
}

/** The engine's words for it. */
val Role.words: Words get() = Vocabulary.roles.getValue(this)

/** The engine's words for it. */
val RevealReason.words: Words get() = Vocabulary.revealReasons.getValue(this)
