package org.fieldgrid

import java.io.File
import java.util.UUID
import kotlin.test.AfterTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertIs
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeout

/** A worker's day, on the real library in SQLCipher, with a real server. */
class DayTest : Phones() {
    @AfterTest
    fun close() = town.close()

    @Test
    fun aDay() = day {
        phone("a", enrol = false).use { phone ->
            assertNull(phone.status().enrolment)
            assertEquals(WaitReason.NOT_ENROLLED, phone.syncNow().wait?.reason)
            assertIs<FieldgridException.NotEnrolled>(assertFailsWith<FieldgridException> { phone.report(manhole()) })
            val bad = assertFailsWith<FieldgridException.EnrolmentFailed> { phone.enrol("7KQ2") }
            assertEquals(FieldgridException.EnrolmentFailed.Reason.INVALID_INVITE, bad.reason)
            val invite = town.invite()
            phone.enrol(invite)
            assertEquals(listOf("陈静", Role.GRID_MEMBER, listOf(Town.GRID)), phone.status().enrolment?.let { listOf(it.name, it.role, it.scopes) })
            assertEquals("grid member", Role.GRID_MEMBER.words.en)

            // Without network: a report, its edit, a household, a visit.
            town.close()
            val case = phone.report(manhole())
            phone.act(case, ActionKind.SUPPLEMENT, ActionFields(text = "已放警示牌"))
            val shown = assertNotNull(phone.case(case))
            assertEquals(listOf(ActionKind.REPORT, ActionKind.SUPPLEMENT), shown.history.map { it.kind })
            assertTrue(shown.history.all { it.own && it.effective && it.delivery.state == DeliveryState.ON_PHONE })
            assertEquals(DeliveryState.ON_PHONE, phone.observeToday().becomes { it.rows.isNotEmpty() }.rows.single().delivery.state)
            assertEquals(setOf(Town.GRID), phone.grids().keys)
            val household = phone.addHousehold(household(), listOf(head()))
            val person = assertNotNull(phone.household(household)).persons.single()
            phone.editHousehold(household, FieldEdit("phone" to "12012345678"), mapOf(person.id to FieldEdit("birth" to "1945-09-30")))
            phone.setIdNumber(household, person.id, "610799194509300025")
            phone.visit(household, Visit(VisitKind.CARE, VisitResult.MET, listOf(person.id), needs = "需要换灯泡"))
            assertEquals("610799194509300025", phone.revealIdNumber(household, person.id, RevealReason.UNLISTED, "补办社保卡"))
            val seen = assertNotNull(phone.household(household))
            assertEquals(listOf("12012345678", "1945-09-30", "独居老人", true, VisitResult.MET), listOf(seen.fields["phone"], seen.persons.single().fields["birth"], seen.persons.single().tags.single(), seen.persons.single().hasIdNumber, seen.visits.single().result))
            assertFalse("id_no" in seen.persons.single().fields)
            assertEquals(WaitReason.NO_NETWORK, phone.syncNow().wait?.reason)
            val waiting = phone.status()
            assertTrue(waiting.unsent >= 6, "$waiting")
            assertEquals(WaitReason.NO_NETWORK, waiting.wait?.reason)

            // The network is back.
            town.open()
            assertNull(phone.syncNow().wait)
            val done = phone.observeStatus().becomes { it.unsent == 0 }
            assertNotNull(done.contactMs)
            val received = assertNotNull(phone.case(case))
            assertTrue(received.history.all { it.delivery.state == DeliveryState.RECEIVED && it.delivery.receivedMs != null }, "$received")
            assertTrue(received.next.isNotEmpty())

            // Search, Chinese and by number.
            assertEquals(case, phone.search("井盖").rows.filterIsInstance<Hit.Case>().single().row.id)
            assertEquals(household, phone.search("王秀英").rows.filterIsInstance<Hit.Household>().single().row.id)
            assertEquals(household, phone.search("5678").rows.filterIsInstance<Hit.Household>().single().row.id)
        }
    }

    @Test
    fun aWrongKeyIsSaidAndDestroysNothing() = day {
        val case = phone("a").use { it.report(manhole()) }
        val files = { folder.root.listFiles { file -> file.name.startsWith("a.db") && !file.name.endsWith("-shm") }!!.associate { it.name to it.readBytes().contentHashCode() } }
        open("a").closeAndWait()
        val before = files()
        val wrong = assertFailsWith<FieldgridException.WrongKey> { open("a", key(2)) }
        assertTrue(wrong.words.zh.isNotEmpty() && wrong.words.en.isNotEmpty())
        assertFailsWith<FieldgridException.InvalidInput> { Fieldgrid.open(OpenOptions(store("a"), ByteArray(31))) }
        assertEquals(before, files())
        open("a").use { phone ->
            assertEquals(case, phone.cases().rows.single().id)
            assertFailsWith<FieldgridException.InUse> { open("a") }
        }
    }

    @Test
    fun aFormIsSavedOnceWhateverHappensBeforeItIsClosed() = day {
        val forms = List(7) { UUID.randomUUID() }
        lateinit var case: String
        lateinit var household: String
        suspend fun saved(phone: Fieldgrid): List<String> {
            case = phone.report(manhole(), forms[0])
            val note = phone.act(case, ActionKind.SUPPLEMENT, ActionFields(text = "已放警示牌"), forms[1])
            household = phone.addHousehold(household(), listOf(head()), forms[2])
            val persons = assertNotNull(phone.household(household)).persons.filter { it.name == "王秀英" }
            phone.editHousehold(household, FieldEdit("phone" to "12012345678", "note" to "有狗"), persons.associate { it.id to FieldEdit("birth" to "1945-09-30") }, forms[3])
            val person = phone.addPerson(household, head("李明"), forms[4])
            val visit = phone.visit(household, Visit(VisitKind.CARE, VisitResult.MET, listOf(person)), forms[5])
            phone.setIdNumber(household, person, "610799194509300025", forms[6])
            return listOf(case, note, household, person, visit)
        }
        val before = phone("a").use { saved(it) to it.status().unsent }
        // The process ended before it heard of it.
        open("a").use { phone ->
            assertEquals(before, saved(phone) to phone.status().unsent)
            assertNull(phone.syncNow().wait)
            assertEquals(before.first, saved(phone))
            assertEquals(listOf(0, 1, 1), phone.status().let { listOf(it.unsent, it.cases, it.households) })
            val changed = assertFailsWith<FieldgridException.AlreadySaved> { phone.report(manhole("路灯不亮"), forms[0]) }
            assertTrue(changed.words.zh.isNotEmpty() && changed.words.en.isNotEmpty())
            assertFailsWith<FieldgridException.AlreadySaved> { phone.visit(household, Visit(VisitKind.CARE, VisitResult.MET), forms[0]) }
            assertEquals(0, phone.status().unsent)
        }
    }

    @Test
    fun aClosedPhoneSaysSoAndIsOpenedAgainAtOnce() = day {
        val phone = phone("a")
        coroutineScope {
            val watching = async { runCatching { phone.observeStatus().collect {} }.exceptionOrNull() }
            phone.observeStatus().first()
            phone.close()
            phone.close()
            assertIs<FieldgridException.Closed>(watching.await(), "who watches is told")
        }
        assertFailsWith<FieldgridException.Closed> { phone.status() }
        assertFailsWith<FieldgridException.Closed> { phone.observeStatus().first() }
        assertFailsWith<FieldgridException.Closed> { phone.syncNow() }
        for (n in 1..20) {
            open("a").use {
                it.start()
                it.report(manhole("第${n}处"))
            }
        }
        open("a").use { assertEquals(20, it.cases().rows.size) }
    }

    @Test
    fun whatTheCentreRefusesIsVisibleWithItsReason() = day {
        lateinit var case: String
        lateinit var household: String
        phone("a").use { a ->
            case = a.report(manhole())
            household = a.addHousehold(household(), listOf(head()))
            assertNull(a.syncNow().wait)
            val outside = assertFailsWith<FieldgridException.Refused> { a.report(manhole().copy(grid = "610703001001001")) }
            assertEquals("out_of_scope", outside.reason)
            assertFailsWith<FieldgridException.NotFound> { a.discard(case, "00".repeat(32)) }
            assertFailsWith<FieldgridException.InvalidInput> { a.discard("no id", "no hash") }
        }
        // A copy of the store, life and all: the centre lets neither do more than report until it has approved one.
        open("a").closeAndWait()
        for (file in folder.root.listFiles { file -> file.name.startsWith("a.") }!!) file.copyTo(File(folder.root, file.name.replace("a.", "copy.")))
        open("a").use { a ->
            open("copy").use { copy ->
                a.report(manhole("另一处"))
                assertNull(a.syncNow().wait)
                copy.editHousehold(household, FieldEdit("note" to "有狗"))
                copy.act(case, ActionKind.WITHDRAW, ActionFields(reason = "已自行修好"))
                val refused = coroutineScope {
                    val seen = async { copy.observeRefused().becomes { it.size == 2 } }
                    repeat(3) { copy.syncNow() }
                    seen.await()
                }
                assertTrue(refused.all { it.delivery.state == DeliveryState.REFUSED && it.delivery.reason?.zh?.isNotEmpty() == true }, "$refused")
                val (withdrawal, note) = refused.partition { it.record == case }.let { it.first.single() to it.second.single() }
                assertEquals(listOf(household, "民主街12号1单元301", false), listOf(note.record, note.title, note.mayBeNote))
                assertEquals(listOf(listOf(ActionKind.WITHDRAW), true), listOf(withdrawal.actions, withdrawal.mayBeNote))
                assertEquals(listOf(FieldEdit("note" to "有狗"), "已自行修好"), listOf(note.household, withdrawal.fields?.reason))
                assertTrue(Remedy.REDO in note.remedies && Remedy.CORRECT in note.remedies)
                assertEquals(setOf(note.id, withdrawal.id), copy.history(2).rows.map { it.id }.toSet())
                assertEquals(DeliveryState.REFUSED, copy.case(case)?.row?.delivery?.state)
                assertEquals(withdrawal.id, copy.case(case)?.refused?.single()?.id)
                assertFailsWith<FieldgridException.NotApproved> { copy.editHousehold(household, FieldEdit("note" to "再写")) }

                copy.discard(household, note.id)
                copy.sendAsNote(case, withdrawal.id)
                assertTrue(copy.refused().isEmpty())
                assertNull(copy.syncNow().wait)
                val told = assertNotNull(copy.case(case)).history.last()
                assertEquals(listOf(ActionKind.SUPPLEMENT, DeliveryState.RECEIVED), listOf(told.kind, told.delivery.state))
                assertTrue("已自行修好" in told.text.orEmpty(), told.text)
            }
        }
    }

    @Test
    fun aDispatcherChoosesADepartmentByItsName() = day {
        val org = town.command("orgs", "create", "城管中队", "--area", TOWN_CODE).trim()
        phone("a").use { reporter ->
            phone("dispatcher", role = "town_dispatcher", scope = TOWN_CODE).use { dispatcher ->
                val case = reporter.report(manhole())
                assertNull(reporter.syncNow().wait)
                assertNull(dispatcher.syncNow().wait)
                assertTrue(ActionKind.ACCEPT in assertNotNull(dispatcher.case(case)).next.map { it.kind })
                dispatcher.act(case, ActionKind.ACCEPT, ActionFields(duplicateCheck = "none"))
                assertEquals("城管中队", dispatcher.names().orgs[org])
                val due = System.currentTimeMillis() + 86_400_000
                dispatcher.act(case, ActionKind.DISPATCH, ActionFields(org = org, dueMs = due, instruction = "请修复"))
                assertNull(dispatcher.syncNow().wait)
                assertNull(reporter.syncNow().wait)
                val seen = assertNotNull(reporter.case(case))
                assertEquals(CaseState.DISPATCHED, seen.row.state)
                assertEquals(listOf("城管中队" to due), seen.assignments.map { it.org to it.dueMs })
                val dispatch = seen.history.last().fields
                assertEquals(listOf(org, due, "请修复"), listOf(dispatch.org, dispatch.dueMs, dispatch.instruction))
                assertEquals(listOf(33.0675, 107.023), seen.place?.run { listOf(latitude, longitude) })
                assertEquals(listOf(1, emptyList<Flag>()), listOf(seen.round, seen.flags))
            }
        }
    }

    @Test
    fun whatTwoDecidedAtOnceIsFlaggedAndDecided() = day {
        phone("a").use { reporter ->
            phone("one", role = "town_dispatcher", scope = TOWN_CODE).use { one ->
                phone("two", role = "town_leader", scope = TOWN_CODE).use { two ->
                    val case = reporter.report(manhole())
                    for (phone in listOf(reporter, one, two)) assertNull(phone.syncNow().wait)
                    one.act(case, ActionKind.ACCEPT, ActionFields(duplicateCheck = "none"))
                    two.act(case, ActionKind.REJECT, ActionFields(reason = "不属实", reply = "已核实"))
                    for (phone in listOf(one, two, one)) assertNull(phone.syncNow().wait)
                    val seen = assertNotNull(one.case(case))
                    val flag = seen.flags.single { it.level == FlagLevel.MUST }
                    assertEquals(setOf(ActionKind.ACCEPT, ActionKind.REJECT), seen.history.filter { it.id in flag.actions }.map { it.kind }.toSet())
                    assertEquals(1, seen.row.flags)
                    one.act(case, ActionKind.RESOLVE_FLAG, ActionFields(row = flag.row, targets = flag.actions, decision = "accepted"))
                    assertTrue(assertNotNull(one.case(case)).flags.none { it.level == FlagLevel.MUST })
                }
            }
        }
    }

    @Test
    fun aCancelledCallGoesOn() = day {
        phone("a").use { phone ->
            val cases = (1..20).map { n -> "井盖$n" }
            coroutineScope {
                for (title in cases) {
                    val save = launch(Dispatchers.Default) { phone.report(manhole(title)) }
                    delay(1)
                    save.cancel()
                }
            }
            // Each was done, or never begun; what was begun goes on after its caller has gone.
            withTimeout(30_000) { while (phone.cases(limit = 500).rows.size != phone.status().unsent) delay(20) }
            phone.report(manhole("最后"))
            val sync = coroutineScope {
                val sync = async(Dispatchers.Default) { phone.syncNow() }
                delay(3)
                sync.cancel()
                sync
            }
            assertTrue(sync.isCancelled)
            // The round that was begun, or the next one, brings everything.
            assertNull(phone.syncNow().wait)
            assertEquals(0, phone.observeStatus().becomes { it.unsent == 0 }.refused)
        }
    }

    @Test
    fun twoPhonesConverge() = day {
        phone("a").use { a ->
            phone("b").use { b ->
                val household = a.addHousehold(household(), listOf(head()))
                assertNull(a.syncNow().wait)
                assertNull(b.syncNow().wait)
                assertEquals("王秀英", b.household(household)?.persons?.single()?.name)
                // Both edit, without having seen each other: other fields, and the same one.
                a.editHousehold(household, FieldEdit("phone" to "12012345678", "note" to "有狗"))
                b.editHousehold(household, FieldEdit("evacuation_group" to "三组", "note" to "门锁坏"))
                val case = b.report(manhole())
                for (phone in listOf(a, b, a, b)) assertNull(phone.syncNow().wait)
                val (one, two) = listOf(a, b).map { assertNotNull(it.household(household)) }
                assertEquals(one.fields, two.fields)
                assertEquals(listOf("12012345678", "三组"), listOf(one.fields["phone"], one.fields["evacuation_group"]))
                assertEquals(setOf("有狗", "门锁坏"), setOf(one.fields["note"]) + one.alternatives.single().values)
                assertEquals(one.alternatives, two.alternatives)
                assertEquals(b.case(case)?.history?.map { it.id }, a.case(case)?.history?.map { it.id })
                // In the background, without being asked.
                a.start()
                b.start()
                val seen = coroutineScope {
                    val seen = async { b.observeCase(case).becomes { it?.history?.any { entry -> entry.text == "已到现场" } == true } }
                    delay(200)
                    a.act(case, ActionKind.SUPPLEMENT, ActionFields(text = "已到现场"))
                    seen.await()
                }
                assertFalse(assertNotNull(seen).history.single { it.text == "已到现场" }.own)
                a.stop()
                b.stop()
            }
        }
    }

    private companion object {
        const val TOWN_CODE = "610702001"
    }
}
