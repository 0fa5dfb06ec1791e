package org.fieldgrid

import java.io.File
import java.lang.reflect.InvocationTargetException
import java.lang.reflect.Modifier
import java.util.UUID
import kotlin.coroutines.Continuation
import kotlin.coroutines.intrinsics.suspendCoroutineUninterceptedOrReturn
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertNotNull
import kotlin.test.assertTrue
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.first

/** Texts that are cut off in the middle of an emoji, and values that print themselves. */
class TextTest : Phones() {
    private val half = "井盖破损😀".dropLast(1)

    @Test
    fun halfAnEmojiIsSaved() = day {
        phone("a").use { phone ->
            val case = phone.report(manhole().copy(text = half))
            assertEquals("井盖破损\uFFFD", assertNotNull(phone.case(case)).text)
            val household = phone.addHousehold(household(), listOf(head(half)))
            phone.editHousehold(household, FieldEdit(mapOf("note" to half), mapOf(half to true)))
            assertEquals("井盖破损\uFFFD", assertNotNull(phone.household(household)).fields["note"])
        }
    }

    /** Every call of the interface that takes a text anywhere is given half an emoji in each. */
    @Test
    fun nothingButTheTypedErrorLeavesACallThatIsGivenHalfAnEmoji() = day {
        phone("a").use { phone ->
            val calls = Fieldgrid::class.java.methods.filter { method -> !Modifier.isStatic(method.modifiers) && method.parameterTypes.any { given(it) != null } }
            assertTrue(calls.size >= 20, "${calls.map { it.name }}")
            for (call in calls) {
                val arguments = call.parameterTypes.filter { it != Continuation::class.java }.map { given(it) ?: other(it) }
                val failed = runCatching {
                    val result = suspendCoroutineUninterceptedOrReturn<Any?> { next ->
                        val all = if (call.parameterTypes.lastOrNull() == Continuation::class.java) arguments + next else arguments
                        call.invoke(phone, *all.toTypedArray())
                    }
                    if (result is Flow<*>) result.first()
                }.exceptionOrNull().let { if (it is InvocationTargetException) it.targetException else it }
                assertTrue(failed == null || failed is FieldgridException, "${call.name}: $failed")
            }
        }
        val options = OpenOptions(File(folder.root, half), key(), File(folder.root, "$half.life"), half.toByteArray(Charsets.UTF_16))
        val failed = runCatching { Fieldgrid.open(options).closeAndWait() }.exceptionOrNull()
        assertTrue(failed == null || failed is FieldgridException, "$failed")
        assertFalse(idNumberFits(half))
    }

    @Test
    fun valuesDoNotPrintWhatWasTyped() = day {
        val typed = "独居老人"
        val edit = FieldEdit(mapOf("note" to typed), mapOf(typed to true))
        val place = Place(typed, 33.0675, 107.023)
        val person = Person("p", typed, mapOf("name" to typed), listOf(typed))
        val row = HouseholdRow("h", address = typed, head = typed, phone = typed)
        val case = CaseRow("c", CaseState.REPORTED, title = typed, address = typed)
        val fields = ActionFields(text = typed, title = typed, place = place, person = typed)
        for (value in listOf(
            edit, place, person, row, case, fields, HouseholdDetail(row, mapOf("note" to typed), listOf(typed), listOf(person)), CaseDetail(case, text = typed, place = place),
            Visit(VisitKind.CARE, VisitResult.MET, needs = typed), Alternative("p", "note", listOf(typed)), RefusedEdit("e", "c", typed), Enrolment(typed, Role.RIDER),
            Page(listOf(case)), Hit.Household(row),
        )) {
            assertFalse(typed in "$value" || "33.06" in "$value", "$value")
        }
    }

    private fun given(type: Class<*>): Any? = when (type) {
        String::class.java -> half
        ActionFields::class.java -> ActionFields(
            text = half, title = half, category = half, place = Place(half), reason = half, reply = half, result = half, measure = half, observation = half,
            conclusion = half, instruction = half, duplicateCheck = half, decision = half, source = half,
        )
        FieldEdit::class.java -> FieldEdit(mapOf(half to half), mapOf(half to true))
        Visit::class.java -> Visit(VisitKind.CARE, VisitResult.MET, listOf(half), half, null, listOf(half))
        CaseFilter::class.java -> CaseFilter(category = half, area = half)
        HouseholdFilter::class.java -> HouseholdFilter(half)
        Map::class.java -> mapOf(half to FieldEdit(half to half))
        List::class.java -> listOf(FieldEdit(half to half))
        else -> null
    }

    private fun other(type: Class<*>): Any? = when (type) {
        Int::class.java -> 10
        UUID::class.java -> UUID.randomUUID()
        ActionKind::class.java -> ActionKind.SUPPLEMENT
        RevealReason::class.java -> RevealReason.IDENTITY
        else -> null
    }
}
