package org.fieldgrid

import java.io.File
import java.nio.file.Files
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.first

/** Each error says what is the matter, and where. */
class ErrorsTest : Phones() {
    private suspend inline fun wrong(vararg fields: String, crossinline call: suspend () -> Unit) =
        assertEquals(fields.toList(), assertFailsWith<FieldgridException.InvalidInput> { call() }.fields)

    private suspend inline fun lacks(vararg fields: String, crossinline call: suspend () -> Unit) =
        assertEquals(fields.toList(), assertFailsWith<FieldgridException.Incomplete> { call() }.fields)

    private fun at(latitude: Double?, longitude: Double?, accuracyM: Int? = null) = manhole().copy(place = Place("桥头", latitude, longitude, accuracyM))

    @Test
    fun whatMustNotBeWrittenIsRefusedAtTheFormWithItsField() = day {
        phone("a").use { phone ->
            lacks("category", "place", "evidence") { phone.report(ActionFields()) }
            wrong("category") { phone.report(manhole().copy(category = "9999")) }
            wrong("severity") { phone.report(manhole().copy(severity = Severity.OTHER)) }
            for (no in listOf(999.0, -90.1, Double.NaN, Double.POSITIVE_INFINITY)) wrong("place.latitude") { phone.report(at(no, 107.0)) }
            for (no in listOf(180.1, Double.NaN)) wrong("place.longitude") { phone.report(at(33.0, no)) }
            lacks("place.longitude") { phone.report(at(33.0, null)) }
            wrong("place.accuracy") { phone.report(at(33.0, 107.0, -5)) }
            for (ms in listOf(-1L, 4_070_908_800_000)) wrong("occurred_at") { phone.report(manhole().copy(occurredMs = ms)) }
            val case = phone.report(manhole().copy(severity = null, text = null))
            assertEquals(Severity.URGENT, assertNotNull(phone.case(case)).row.severity, "as bad as its category is")
            wrong("kind") { phone.act(case, ActionKind.OTHER, ActionFields(text = "x")) }
            wrong("kind") { phone.act(case, ActionKind.REPORT, manhole()) }
            lacks("reason") { phone.act(case, ActionKind.WITHDRAW) }
            for (score in listOf(77, 257, -1)) wrong("score") { phone.act(case, ActionKind.RATE, ActionFields(score = score)) }
            assertFailsWith<FieldgridException.Refused> { phone.act(case, ActionKind.CLOSE, ActionFields(conclusion = "办结", reply = "已办")) }
            val long = assertFailsWith<FieldgridException.Refused> { phone.act(case, ActionKind.SUPPLEMENT, ActionFields(text = "字".repeat(2_001))) }
            assertEquals("too_large" to listOf("text"), long.reason to long.fields)

            lacks("grid", "address") { phone.addHousehold(FieldEdit()) }
            val household = phone.addHousehold(household(), listOf(head()))
            val person = assertNotNull(phone.household(household)).persons.single().id
            lacks("grid") { phone.editHousehold(household, FieldEdit("grid" to null)) }
            wrong("shoe_size") { phone.editHousehold(household, FieldEdit("shoe_size" to "x")) }
            wrong("tag") { phone.editHousehold(household, FieldEdit(emptyMap(), mapOf("" to true))) }
            val number = assertFailsWith<FieldgridException.Refused> { phone.setIdNumber(household, person, "6".repeat(3_000)) }
            assertEquals(listOf("id_number"), number.fields)
            wrong("record") { phone.visit(case, Visit(VisitKind.CARE, VisitResult.MET)) }
            wrong("record") { phone.act(household, ActionKind.SUPPLEMENT, ActionFields(text = "x")) }
            wrong("kind") { phone.visit(household, Visit(VisitKind.OTHER, VisitResult.MET)) }
            val nobody = "01900000-0000-7000-8000-000000000000"
            assertFailsWith<FieldgridException.NotFound> { phone.editHousehold(household, persons = mapOf(nobody to FieldEdit("name" to "x"))) }
            assertFailsWith<FieldgridException.NotFound> { phone.setIdNumber(household, nobody, "1") }
            wrong("case") { phone.act("no id", ActionKind.SUPPLEMENT, ActionFields(text = "x")) }
            assertEquals(2, phone.status().unsent, "nothing else was saved")
        }
    }

    @Test
    fun openingSaysWhatCannotBeOpened() = day {
        suspend fun open(path: File = store("a"), key: ByteArray = key(), life: File? = null, caPem: ByteArray? = null) =
            Fieldgrid.open(OpenOptions(path, key, life, caPem))
        open().use { assertTrue("app" in assertFailsWith<FieldgridException.InUse> { open() }.words.en) }
        wrong("key") { open(key = ByteArray(16)) }
        wrong("path") { open(folder.root) }
        wrong("life") { open(life = folder.root) }
        wrong("life") { open(life = store("a")) }
        wrong("ca_pem") { open(caPem = "x".toByteArray()) }
        Files.createSymbolicLink(store("linked").toPath(), store("a").toPath())
        open().use { assertFailsWith<FieldgridException.InUse> { open(store("linked"), life = File(folder.root, "other.life")) } }
        open(life = File(folder.root, "no/backup.life")).closeAndWait()

        assertTrue(store("a").delete())
        assertFailsWith<FieldgridException.Lost> { open(life = File(folder.root, "no/backup.life")) }
        Fieldgrid.open(OpenOptions(store("a"), key(), File(folder.root, "no/backup.life"), startAnew = true)).use { assertFalse(it.status().copied) }
    }

    @Test
    fun whoIsNotEnrolledIsNotToldThatHouseholdsAreLocked() = day {
        open("a").use { phone ->
            assertFailsWith<FieldgridException.NotEnrolled> { phone.households() }
            assertFailsWith<FieldgridException.NotEnrolled> { phone.observeHouseholds().first() }
            assertFailsWith<FieldgridException.NotEnrolled> { phone.visits() }
            assertTrue(phone.cases().rows.isEmpty())
            phone.start()
            phone.enrol(town.invite())
            assertTrue(phone.observeStatus().becomes { it.background }.background, "asked for before there was a centre")
            phone.closeAndWait()
            assertFailsWith<FieldgridException.Closed> { phone.wake() }
        }
    }

    @Test
    fun theLogSaysWhatTheEngineDoesAndNothingThatWasTyped() = day {
        val lines = mutableListOf<String>()
        coroutineScope {
            val reading = async(start = CoroutineStart.UNDISPATCHED) { Fieldgrid.observeLog(LogLevel.DEBUG).collect { lines += "${it.level} ${it.text}" } }
            kotlinx.coroutines.delay(200)
            phone("a").use { phone ->
                phone.report(manhole())
                assertNull(phone.syncNow().wait)
                town.close()
                phone.report(manhole())
                assertNotNull(phone.syncNow().wait)
            }
            open("a").closeAndWait()
            assertFailsWith<FieldgridException.WrongKey> { open("a", key(2)) }
            kotlinx.coroutines.delay(200)
            reading.cancelAndJoin()
        }
        for (what in listOf("store opened", "enrolled", "saved", "all is exchanged", "no_network", "the key does not fit")) {
            assertTrue(lines.any { what in it }, "$what: $lines")
        }
        assertTrue(lines.none { "井盖" in it || "天汉" in it || "陈静" in it }, "$lines")
    }
}
