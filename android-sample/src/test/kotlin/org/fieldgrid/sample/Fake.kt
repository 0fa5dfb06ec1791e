package org.fieldgrid.sample

import kotlinx.coroutines.flow.flowOf
import org.fieldgrid.*
import org.fieldgrid.fake.FakeFieldgrid

/** 12 May 2026, 14:30 in Hanzhong. */
const val NOON = 1_778_567_400_000L
private const val MIN = 60_000L
private const val HOUR = 60 * MIN

object Sample {
    val onPhone = Delivery(DeliveryState.ON_PHONE, null, null)
    fun received(ms: Long) = Delivery(DeliveryState.RECEIVED, null, ms)
    val theirs = Delivery(DeliveryState.THEIRS, null, null)
    fun case(id: String, title: String?, category: String, state: CaseState, due: Long? = null, severity: Severity = Severity.NORMAL, delivery: Delivery = theirs, address: String = "东大街街道劳动路社区三组") =
        CaseRow(id, state, true, severity, category, title, address, dueMs = due, mine = true, assigned = due != null, delivery = delivery)
    val cases = listOf(
        case("1", "天汉大道与劳动西路十字东北角人行道上的井盖破损下沉", "0201", CaseState.DISPATCHED, NOON - 100 * MIN, Severity.URGENT),
        case("2", "3号楼2单元楼道堆放杂物", "0302", CaseState.HANDLING, NOON + 3 * HOUR, delivery = received(NOON - 28 * MIN)),
        case("3", "东大街烧烤摊夜间占道", "0704", CaseState.HANDLING, NOON + 26 * HOUR),
        case("4", null, "0203", CaseState.REPORTED, delivery = onPhone, address = "民主街小学门口"),
        case("5", "小区垃圾桶满溢", "0101", CaseState.REPORTED, delivery = Delivery(DeliveryState.REFUSED, Words("地点不在您的负责区域内。请核对地点，或转告负责该处的网格。", "The place is outside your area. Check the place, or tell the grid that is in charge of it."), null)),
    )
    val persons = listOf(
        Person("p", "王秀英", mapOf("relation" to "02", "birth" to "1945-09-30"), listOf("独居老人", "高龄"), care = true, hasIdNumber = true),
        Person("q", "李明", mapOf("relation" to "40", "birth" to "2015-06-01")),
    )
    val households = listOf(
        HouseholdRow("h1", null, "劳动路12号3号楼2单元501", "王秀英", "12012345678", 2, 1, false, received(NOON)),
        HouseholdRow("h2", null, "劳动路12号3号楼2单元502", "李建国", "12012345679", 4, 0, false, theirs),
        HouseholdRow("h3", null, "劳动路12号3号楼2单元601", "张伟", null, 1, 0, false, onPhone),
    )
}

/** Shows the same to everybody: what the pictures show. */
class Fake(fake: Fieldgrid = FakeFieldgrid()) : Fieldgrid by fake {
    override suspend fun enrol(invite: String) =
        throw FieldgridException.EnrolmentFailed(Words("邀请码已用过或已过期，请向镇街中心要新的", "The code was used or has ended; ask the town centre for a new one"), FieldgridException.EnrolmentFailed.Reason.INVITE_ENDED)
    override suspend fun status() = STATUS
    override fun observeStatus() = flowOf(STATUS)
    override suspend fun names() = Names(areas = mapOf(GRID to "东大街街道劳动路社区三组"))
    override suspend fun grids() = mapOf(GRID to "东大街街道劳动路社区三组")
    override suspend fun revealIdNumber(household: String, person: String, reason: RevealReason, note: String?): String? = "610799194509300025"
    override suspend fun syncNow() = SyncResult()
    override suspend fun start() = Unit
    override suspend fun wake() = Unit
    override fun close() = Unit
    override suspend fun closeAndWait() = Unit
    override fun observeCases(filter: CaseFilter, limit: Int, after: PageToken?) = flowOf(Page(Sample.cases))
    override fun observeToday(limit: Int, after: PageToken?) = flowOf(Page(Sample.cases))
    override fun observeHouseholds(filter: HouseholdFilter, limit: Int, after: PageToken?) = flowOf(Page(Sample.households))
    override suspend fun search(typed: String, limit: Int, after: PageToken?) = Page(listOf(Hit.Case(Sample.cases[0]), Hit.Household(Sample.households[0])))
    override fun observeRefused() = flowOf(
        listOf(
            RefusedEdit(
                "x", "3", "东大街烧烤摊夜间占道", NOON - HOUR,
                Delivery(DeliveryState.REFUSED, Words("您的角色不能做这一项。可以改为补充说明发给中心。", "Your role may not do this. You can send it to the centre as a supplement."), null),
                listOf(ActionKind.PROGRESS), mayBeNote = true,
            ),
            RefusedEdit("z", "5", "小区垃圾桶满溢", NOON - HOUR, Sample.cases[4].delivery, listOf(ActionKind.REPORT)),
            RefusedEdit("y", "h1", "劳动路12号3号楼2单元501", NOON - 2 * HOUR, Sample.cases[4].delivery),
        ),
    )
    override fun observeCase(id: String) = flowOf(
        CaseDetail(
            Sample.cases[1].copy(number = "HZ610702001202605120017"),
            "住户反映二单元楼道堆放旧家具，挡住消防通道。",
            history = listOf(
                HistoryEntry("a", ActionKind.REPORT, Role.GRID_MEMBER, "陈静", own = true, madeMs = NOON - 26 * HOUR, text = "住户反映二单元楼道堆放旧家具，挡住消防通道。", delivery = Sample.received(NOON - 25 * HOUR)),
                HistoryEntry("b", ActionKind.ACCEPT, Role.TOWN_DISPATCHER, "赵敏", madeMs = NOON - 24 * HOUR),
                HistoryEntry("c", ActionKind.DISPATCH, Role.TOWN_DISPATCHER, "赵敏", madeMs = NOON - 23 * HOUR, text = "请网格员通知住户清理"),
                HistoryEntry(
                    "d", ActionKind.WITHDRAW, Role.GRID_MEMBER, "陈静", own = true, madeMs = NOON - 22 * HOUR, text = "已自行清理", effective = false,
                    noEffect = Words("当前状态不允许", "the case was not in a state that allows it"), delivery = Sample.received(NOON - 21 * HOUR),
                ),
                HistoryEntry("e", ActionKind.PROGRESS, Role.GRID_MEMBER, "陈静", own = true, madeMs = NOON - 10 * MIN, text = "已上门，住户答应今天清走", delivery = Sample.onPhone),
            ),
            flags = listOf(Flag(4, FlagLevel.INFO, listOf("b", "d"))),
            assignments = listOf(
                Assignment("c", "东大街城管中队", "刘强", NOON + 3 * HOUR, AssignmentState.SIGNED),
                Assignment("b", "东大街环卫所", null, NOON + 3 * HOUR, AssignmentState.RECALLED),
            ),
            next = listOf(ActionKind.FINISH, ActionKind.PROGRESS, ActionKind.SUPPLEMENT, ActionKind.REQUEST_EXTENSION).map(::NextAction),
        ),
    )
    override fun observeHousehold(id: String) = flowOf(
        HouseholdDetail(
            Sample.households[0],
            mapOf("address" to "劳动路12号3号楼2单元501", "phone" to "12012345678", "contact" to "王秀英"),
            alternatives = listOf(Alternative(null, "phone", listOf("12012345679"))),
            persons = Sample.persons,
            visits = listOf(
                VisitRow("v", id, VisitKind.CARE, VisitResult.MET, NOON - HOUR, NOON + 7 * 24 * HOUR, Sample.onPhone),
                VisitRow("w", id, VisitKind.ROUTINE, VisitResult.ABSENT, NOON - 72 * HOUR, null, Sample.received(NOON - 70 * HOUR)),
            ),
        ),
    )

    companion object {
        const val GRID = "610702001001001"
        val STATUS = DeviceStatus(
            Enrolment("陈静", Role.GRID_MEMBER, listOf(GRID), server = "https://hz.example"),
            unsent = 2,
            refused = 1,
            received = 216,
            cases = 12,
            households = 287,
            contactMs = NOON - 28 * MIN,
            wait = SyncWait(WaitReason.NO_NETWORK, Words("没有网络，记录已保存在本机，有网后自动上传", "No network. Records are safe on this phone and go out when there is one")),
        )
    }
}
