package org.fieldgrid.sample

import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.flowOf
import org.fieldgrid.*
import org.fieldgrid.Delivery

/** 12 May 2026, 14:30 in Hanzhong. */
const val NOON = 1_778_567_400_000L
private const val MIN = 60_000L
private const val HOUR = 60 * MIN

object Sample {
    val onPhone = Delivery(DeliveryState.ON_PHONE, null, null)
    fun received(ms: Long) = Delivery(DeliveryState.RECEIVED, null, ms)
    val theirs = Delivery(DeliveryState.THEIRS, null, null)
    fun case(id: String, title: String?, category: String, state: CaseState, due: Long? = null, severity: Severity = Severity.NORMAL, delivery: Delivery = theirs, address: String = "东大街街道劳动路社区三组") =
        CaseRow(id, state, true, severity, category, title, address, null, due, NOON, 0u, true, due != null, delivery)
    val cases = listOf(
        case("1", "天汉大道与劳动西路十字东北角人行道上的井盖破损下沉", "0201", CaseState.DISPATCHED, NOON - 100 * MIN, Severity.URGENT),
        case("2", "3号楼2单元楼道堆放杂物", "0302", CaseState.HANDLING, NOON + 3 * HOUR, delivery = received(NOON - 28 * MIN)),
        case("3", "东大街烧烤摊夜间占道", "0704", CaseState.HANDLING, NOON + 26 * HOUR),
        case("4", null, "0203", CaseState.REPORTED, delivery = onPhone, address = "民主街小学门口"),
        case("5", "小区垃圾桶满溢", "0101", CaseState.REPORTED, delivery = Delivery(DeliveryState.REFUSED, Words("地点不在您的负责区域内。请核对地点,或转告负责该处的网格。", "The place is outside your area. Check the place, or tell the grid that is in charge of it."), null)),
    )
    val households = listOf(
        HouseholdRow("h1", "劳动路12号3号楼2单元501", "王秀英", "12012345678", 2u, 1u, false, received(NOON)),
        HouseholdRow("h2", "劳动路12号3号楼2单元502", "李建国", "12012345679", 4u, 0u, false, theirs),
        HouseholdRow("h3", "劳动路12号3号楼2单元601", "张伟", null, 1u, 0u, false, onPhone),
    )
}

class Fake : Fieldgrid {
    override suspend fun enrolment() = Enrolment("陈静", Words("网格员", "grid member"), listOf("610702001001001"), "东大街街道劳动路社区三组")
    override suspend fun enrol(invite: String) = throw FieldgridException.NotEnrolled(Words("邀请码已用过或已过期,请向镇街中心要新的", "The code was used or has ended; ask the town centre for a new one"))
    override suspend fun report(fields: ActionFields) = "case"
    override suspend fun addHousehold(fields: Map<String, String>, persons: List<Map<String, String>>) = "household"
    override fun close() = Unit
    override suspend fun stop() = Unit
    override suspend fun act(case: String, kind: ActionKind, fields: ActionFields) = Unit
    override suspend fun setField(household: String, name: String, value: String) = Unit
    override suspend fun visit(household: String, visit: Visit) = Unit
    override fun observeToday(limit: Int) = flowOf(CasePage(Sample.cases, false))
    override fun observeCase(case: String) = flowOf(
        CaseDetail(
            Sample.cases[1].copy(number = "HZ610702001202605120017"), "住户反映二单元楼道堆放旧家具,挡住消防通道。", null, true,
            listOf(
                HistoryEntry("a", ActionKind.REPORT, Words("网格员", "grid member"), "陈静", true, NOON - 26 * HOUR, "住户反映二单元楼道堆放旧家具,挡住消防通道。", null, Sample.received(NOON - 25 * HOUR)),
                HistoryEntry("b", ActionKind.ACCEPT, Words("镇街调度员", "town dispatcher"), "赵敏", false, NOON - 24 * HOUR, null, null, Sample.theirs),
                HistoryEntry("c", ActionKind.DISPATCH, Words("镇街调度员", "town dispatcher"), "赵敏", false, NOON - 23 * HOUR, "请网格员通知住户清理", null, Sample.theirs),
                HistoryEntry("d", ActionKind.WITHDRAW, Words("网格员", "grid member"), "陈静", true, NOON - 22 * HOUR, "已自行清理", Words("当前状态不允许", "the case was not in a state that allows it"), Sample.received(NOON - 21 * HOUR)),
                HistoryEntry("e", ActionKind.PROGRESS, Words("网格员", "grid member"), "陈静", true, NOON - 10 * MIN, "已上门,住户答应今天清走", null, Sample.onPhone),
            ),
            listOf(ActionKind.FINISH, ActionKind.PROGRESS, ActionKind.SUPPLEMENT, ActionKind.REQUEST_EXTENSION), false,
        ),
    )
    override fun observeHouseholds(limit: Int) = flowOf(HouseholdPage(Sample.households, false))
    override fun observeHousehold(household: String) = flowOf(
        HouseholdDetail(
            Sample.households[0], mapOf("address" to "劳动路12号3号楼2单元501", "phone" to "12012345678", "contact" to "王秀英"),
            listOf(Person("p", "王秀英", "户主", "1945-09-30", listOf("独居老人", "高龄")), Person("q", "李明", "孙", "2015-06-01", emptyList())),
            listOf(VisitRow(VisitKind.CARE, VisitResult.MET, NOON - HOUR, NOON + 7 * 24 * HOUR, Sample.onPhone), VisitRow(VisitKind.ROUTINE, VisitResult.ABSENT, NOON - 72 * HOUR, null, Sample.received(NOON - 70 * HOUR))), false,
        ),
    )
    override fun observeStatus() = flowOf(Status(2u, 0u, 1u, NOON - 28 * MIN, false))
    override fun observeSync() = flowOf(SyncStatus(false, Words("没有网络,记录已保存在本机,有网后自动上传", "No network. Records are safe on this phone and go out when there is one")))
    override fun observeRefused() = flowOf(listOf(EditRow("x", "5", false, NOON - HOUR, Sample.cases[4].delivery, listOf(ActionKind.REPORT)), EditRow("y", "h1", false, NOON - 2 * HOUR, Sample.cases[4].delivery, emptyList())))
    override suspend fun search(typed: String, limit: Int) = HitPage(listOf(Hit.Case(Sample.cases[0]), Hit.Household(Sample.households[0])), false)
    override suspend fun discard(record: String, edit: String) = Unit
    override suspend fun sendAsNote(case: String, edit: String) = Unit
    override suspend fun syncNow() = SyncStatus(false, null)
    override suspend fun start() = Unit
    override suspend fun wake() = Unit
}
