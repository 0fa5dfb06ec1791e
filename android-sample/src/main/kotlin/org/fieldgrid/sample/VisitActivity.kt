package org.fieldgrid.sample

import android.content.Context
import android.content.Intent
import android.widget.EditText
import android.widget.LinearLayout
import org.fieldgrid.Visit
import org.fieldgrid.VisitKind
import org.fieldgrid.VisitResult

/** A visit, at the household's door: two taps and save. */
class VisitActivity : Form() {
    private lateinit var result: Choice<VisitResult>
    private lateinit var kind: Choice<VisitKind>
    private lateinit var needs: EditText
    private lateinit var next: Choice<Int>

    override fun fields(into: LinearLayout) {
        title = getString(R.string.visit_title)
        result = into.choice(getString(R.string.visit_result), VisitResult.entries.filter { it != VisitResult.OTHER }.map { it to label(it) })
        kind = into.choice(getString(R.string.visit_kind), VisitKind.entries.filter { it != VisitKind.OTHER }.map { it to label(it) }, VisitKind.ROUTINE)
        needs = into.words(getString(R.string.visit_needs))
        next = into.choice(getString(R.string.visit_next), listOf(0 to R.string.visit_next_none, WEEK to R.string.visit_next_7, MONTH to R.string.visit_next_30), 0)
    }

    override fun missing(): String? = if (result.chosen == null) getString(R.string.visit_result_missing) else null

    override suspend fun save() {
        val days = next.chosen?.takeIf { it > 0 }
        engine.visit(
            checkNotNull(intent.getStringExtra(ID)),
            Visit(
                kind = kind.chosen ?: VisitKind.ROUTINE,
                result = checkNotNull(result.chosen),
                needs = needs.typed.ifEmpty { null },
                nextDueMs = days?.let { checkNotNull(pressedMs) + it * Times.DAY },
            ),
            form,
        )
    }

    companion object {
        private const val ID = "household"
        private const val WEEK = 7
        private const val MONTH = 30

        fun of(context: Context, household: String): Intent = Intent(context, VisitActivity::class.java).putExtra(ID, household)
    }
}

fun label(result: VisitResult): Int = when (result) {
    VisitResult.MET -> R.string.visit_met
    VisitResult.ABSENT -> R.string.visit_absent
    VisitResult.REFUSED -> R.string.visit_refused
    VisitResult.MOVED -> R.string.visit_moved
    VisitResult.OTHER -> R.string.newer
}

fun label(kind: VisitKind): Int = when (kind) {
    VisitKind.ROUTINE -> R.string.visit_routine
    VisitKind.CARE -> R.string.visit_care
    VisitKind.SAFETY -> R.string.visit_safety
    VisitKind.COLLECTION -> R.string.visit_collection
    VisitKind.MUSTER -> R.string.visit_muster
    VisitKind.OTHER -> R.string.newer
}
