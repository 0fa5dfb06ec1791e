package org.fieldgrid

import java.util.UUID
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import org.fieldgrid.fake.FakeFieldgrid

class FakeTest {
    private val why = Words("地点不在您的负责区域内。", "The place is outside your area.")

    @Test
    fun whatIsSavedIsListedAndStaysOnThePhoneUntilASync() = runBlocking {
        val phone = FakeFieldgrid()
        phone.online = false
        val case = phone.report(ActionFields(title = "井盖破损", text = "有人绊倒"))
        assertEquals(DeliveryState.ON_PHONE, phone.observeToday().first().rows.single().delivery.state)
        assertEquals(WaitReason.NO_NETWORK, phone.syncNow().wait?.reason)
        assertEquals(1, phone.status().unsent)
        phone.online = true
        phone.syncNow()
        assertEquals(DeliveryState.RECEIVED, phone.case(case)?.row?.delivery?.state)
        assertEquals(0, phone.observeStatus().first().unsent)
        assertTrue(phone.search("井盖").rows.single() is Hit.Case)
    }

    @Test
    fun whatWasRefusedSaysWhatWasTypedAndIsSentAgainOrCorrected() = runBlocking {
        val phone = FakeFieldgrid()
        val home = phone.addHousehold(FieldEdit("address" to "民主街1号", "grid" to Town.GRID))
        phone.syncNow()
        phone.editHousehold(home, FieldEdit("note" to "有够"))
        phone.refuseNext(Words("越界", "out of scope"), Words("越界", "out of scope"))
        phone.syncNow()
        val refused = phone.refused().single()
        assertEquals(FieldEdit("note" to "有够"), refused.household)
        assertTrue(Remedy.REDO in refused.remedies && Remedy.CORRECT in refused.remedies)
        phone.redo(home, refused.id)
        phone.syncNow()
        phone.correct(home, phone.refused().single().id, FieldEdit("note" to "有狗"))
        assertEquals(0, phone.syncNow().unsent)
        assertTrue(phone.refused().isEmpty())
        assertEquals("有狗", phone.household(home)?.fields?.get("note"))
        assertEquals(listOf(DeliveryState.RECEIVED, DeliveryState.DISCARDED, DeliveryState.RECEIVED), phone.history().rows.map { it.delivery.state })
    }

    @Test
    fun whatIsRefusedStaysVisibleUntilItIsDecided() = runBlocking {
        val phone = FakeFieldgrid()
        val case = phone.report(ActionFields(title = "井盖破损"))
        phone.syncNow()
        phone.act(case, ActionKind.FINISH, ActionFields(text = "已修好"))
        phone.refuseNext(why)
        assertEquals(1, phone.syncNow().refused)
        val refused = phone.observeRefused().first().single()
        assertEquals(why, refused.delivery.reason)
        assertEquals(DeliveryState.REFUSED, phone.case(case)?.row?.delivery?.state)
        phone.sendAsNote(case, refused.id)
        assertTrue(phone.refused().isEmpty())
        assertEquals("已修好", phone.case(case)?.history?.last()?.text)
        assertFailsWith<FieldgridException.NotFound> { phone.discard(case, refused.id) }
        Unit
    }

    @Test
    fun aFormIsSavedOnce() = runBlocking {
        val phone = FakeFieldgrid()
        val form = UUID.randomUUID()
        val case = phone.report(ActionFields(title = "井盖破损"), form)
        phone.syncNow()
        assertEquals(case, phone.report(ActionFields(title = "井盖破损"), form))
        assertFailsWith<FieldgridException.AlreadySaved> { phone.report(ActionFields(title = "路灯不亮"), form) }
        assertFailsWith<FieldgridException.AlreadySaved> { phone.act(case, ActionKind.SIGN, form = form) }
        assertEquals(case, phone.cases().rows.single().id)
        val other = UUID.randomUUID()
        assertFailsWith<FieldgridException.NotFound> { phone.act("none", ActionKind.SUPPLEMENT, form = other) }
        phone.act(case, ActionKind.SUPPLEMENT, form = other)
        assertEquals(1, phone.status().unsent, "what failed was not noted")
    }

    @Test
    fun householdsAreEditedByField() = runBlocking {
        val phone = FakeFieldgrid()
        val id = phone.addHousehold(FieldEdit("grid" to "1", "address" to "民主街5号"), listOf(FieldEdit("name" to "张三", "relation" to "02")))
        phone.editHousehold(id, FieldEdit("phone" to "12012345678"))
        phone.visit(id, Visit(VisitKind.ROUTINE, VisitResult.ABSENT))
        val household = assertNotNull(phone.household(id))
        assertEquals(listOf("张三", "12012345678"), listOf(household.row.head, household.row.phone))
        assertEquals(VisitResult.ABSENT, phone.visits(id).rows.single().result)
        assertNull(phone.revealIdNumber(id, household.persons.single().id, RevealReason.IDENTITY))
        phone.setIdNumber(id, household.persons.single().id, "610799194509300025")
        val unsent = phone.status().unsent
        assertEquals("610799194509300025", phone.revealIdNumber(id, household.persons.single().id, RevealReason.IDENTITY))
        assertEquals(unsent + 1, phone.status().unsent, "that it was read is to be sent")
        phone.close()
        assertFailsWith<FieldgridException.Closed> { phone.status() }
        Unit
    }
}
