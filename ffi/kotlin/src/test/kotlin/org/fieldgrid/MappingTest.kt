package org.fieldgrid

import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertTrue
import org.fieldgrid.internal.given
import org.fieldgrid.internal.shown

/** What apps see is what the engine's bindings have: no code, no field is lost on the way. */
class MappingTest {
    @Test
    fun everyCodeIsThereAndNoOther() {
        same(ActionField.entries, org.fieldgrid.ffi.ActionField.entries)
        same(ActionKind.entries, org.fieldgrid.ffi.ActionKind.entries)
        same(AssignmentState.entries, org.fieldgrid.ffi.AssignmentState.entries)
        same(CaseOrder.entries, org.fieldgrid.ffi.CaseOrder.entries)
        same(CaseState.entries, org.fieldgrid.ffi.CaseState.entries)
        same(DeliveryState.entries, org.fieldgrid.ffi.DeliveryState.entries)
        same(FlagLevel.entries, org.fieldgrid.ffi.FlagLevel.entries)
        same(LogLevel.entries, org.fieldgrid.ffi.LogLevel.entries)
        same(Remedy.entries, org.fieldgrid.ffi.Remedy.entries)
        same(RevealReason.entries, org.fieldgrid.ffi.RevealReason.entries)
        same(Role.entries, org.fieldgrid.ffi.Role.entries)
        same(Severity.entries, org.fieldgrid.ffi.Severity.entries)
        same(VisitKind.entries, org.fieldgrid.ffi.VisitKind.entries)
        same(VisitResult.entries, org.fieldgrid.ffi.VisitResult.entries)
        same(WaitReason.entries, org.fieldgrid.ffi.WaitReason.entries)
    }

    @Test
    fun everythingHasWordsInBothLanguages() {
        val words = CaseState.entries.map { it.words } + ActionKind.entries.map { it.words } + Severity.entries.map { it.words } + Role.entries.map { it.words } +
            RevealReason.entries.map { it.words } + caseCategories.values.map { it.words }
        for (word in words) assertTrue(word.zh.any { it.code > 0x4e00 } && word.en.isNotEmpty() && word.en.all { it.code < 0x2100 }, "$word")
        assertTrue(ActionField.DUE_AT in ActionKind.DISPATCH.requires)
    }

    @Test
    fun whatAnActionSaysGoesOutAndBackUnchanged() {
        val said = ActionFields(
            text = "破损", title = "井盖", category = "0201", severity = Severity.URGENT, place = Place("天汉大道12号", 33.067512, 107.023049, 8),
            occurredMs = 1, finishedMs = 2, seenMs = 3, reason = "原因", reply = "答复", result = "done", measure = "已修", observation = "已填平",
            conclusion = "办结", instruction = "请处理", duplicateCheck = "none", score = 5, dueMs = 4, grid = Town.GRID, org = "o", person = "p",
            required = listOf("r"), departments = listOf("d"), targets = listOf("t"), maxDays = 6, row = 7, decision = "yellow", primary = "c", source = "12345",
        )
        assertTrue(ActionFields::class.java.declaredFields.none { it.apply { isAccessible = true }.get(said) == null }, "each field is tried")
        assertEquals(said, said.given().shown())
        assertEquals(ActionFields(), ActionFields().given().shown())
    }

    @Test
    fun aMistypedIdNumberIsSeen() {
        for (right in listOf("610799198001010017", "610799194509300025", "61079919720615006X", "61079919720615006x")) assertTrue(idNumberFits(right), right)
        for (wrong in listOf("", "610799198001010016", "61079919800101001", "610799198013010017", "护照E12345678")) assertFalse(idNumberFits(wrong), wrong)
    }

    private fun same(ours: List<Enum<*>>, theirs: List<Enum<*>>) = assertEquals(theirs.map { it.name }, ours.map { it.name })
}
