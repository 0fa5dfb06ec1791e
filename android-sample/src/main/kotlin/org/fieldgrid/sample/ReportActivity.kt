package org.fieldgrid.sample

import android.Manifest.permission.ACCESS_FINE_LOCATION
import android.location.Location
import android.os.Bundle
import android.view.View
import android.widget.Button
import android.widget.EditText
import android.widget.LinearLayout
import kotlin.math.roundToInt
import kotlinx.coroutines.launch
import org.fieldgrid.Category
import org.fieldgrid.Place
import org.fieldgrid.caseCategories
import org.fieldgrid.ActionFields

/** Reporting a case: what kind, in words, send. The place is offered; a more exact kind may be chosen. */
class ReportActivity : SavingScreen(R.layout.report) {
    private var major: Category? = null
    private var minor: Category? = null
    private var fix: Location? = null

    override fun create() {
        title = getString(R.string.report_title)
        val majors = caseCategories.values.filter(Category::major)
        view<LinearLayout>(R.id.majors).tiles(majors.map { Mark(icon(it), say(it.words), R.color.accent) }) { at -> choose(majors[at]) }
        view<View>(R.id.chosen).setOnClickListener { choose(null) }
        savesBy(view(R.id.send))
        doing { offerPlace() }
        view<Button>(R.id.spot).run {
            show(Mark(R.drawable.ic_spot, getString(R.string.spot_use), R.color.ink))
            setOnClickListener { if (app.spot.permitted) find() else requestPermissions(arrayOf(ACCESS_FINE_LOCATION), 0) }
        }
    }

    override fun keep(state: Bundle) {
        super.keep(state)
        state.putString(KIND, (minor ?: major)?.code)
        state.putParcelable(FIX, fix)
    }

    @Suppress("DEPRECATION") // The typed one came with Android 13.
    override fun restore(state: Bundle) {
        super.restore(state)
        fix = state.getParcelable(FIX)
        fix?.let(::tell)
        val code = state.getString(KIND) ?: return
        choose(caseCategories[code.take(MAJOR)])
        caseCategories[code]?.takeUnless(Category::major)?.let(::narrow)
    }

    /** With a kind, its words; without, the kinds. */
    private fun choose(chosen: Category?) {
        major = chosen
        minor = null
        view<View>(R.id.kind_label).shown(chosen == null)
        view<View>(R.id.majors).shown(chosen == null)
        for (id in listOf(R.id.chosen, R.id.details, R.id.send)) view<View>(id).shown(chosen != null)
        if (chosen != null) {
            view<Button>(R.id.chosen).run {
                show(Mark(icon(chosen), getString(R.string.category_change, say(chosen.words)), R.color.ink))
                isSelected = true
            }
            offerMinors()
            view<View>(R.id.words).requestFocus()
            if (app.spot.permitted && fix == null && pressedMs == null) find()
        }
    }

    override fun onRequestPermissionsResult(asked: Int, permissions: Array<String>, results: IntArray) {
        if (app.spot.permitted) find()
    }

    private fun find() = scope.launch {
        val spot = view<Button>(R.id.spot)
        spot.isEnabled = false
        spot.setText(R.string.spot_finding)
        val found = app.spot.fix()
        when {
            isSaving -> spot.setText(R.string.spot_use)
            found == null -> spot.setText(R.string.spot_none)
            else -> tell(found)
        }
        if (!isSaving) fix = found
        spot.isEnabled = true
    }

    private fun tell(fix: Location) {
        view<Button>(R.id.spot).text = getString(R.string.spot_found, fix.accuracy.roundToInt())
    }

    private fun minors() = caseCategories.values.filter { !it.major && it.code.startsWith(checkNotNull(major).code) }

    private fun offerMinors() = view<LinearLayout>(R.id.minors).run {
        val minors = minors()
        removeAllViews()
        tiles(minors.map { Mark(0, say(it.words)) }) { at -> narrow(minors[at].takeIf { it != minor }) }
    }

    /** To a more exact kind, or back. */
    private fun narrow(to: Category?) {
        minor = to
        view<LinearLayout>(R.id.minors).choose(minors().indexOf(to))
    }

    /** What the person's area is called, unless he was quicker. */
    private suspend fun offerPlace() {
        val areas = engine.names().areas
        val usual = engine.status().enrolment?.scopes?.firstNotNullOfOrNull(areas::get)
        val place = view<EditText>(R.id.place)
        if (place.typed.isEmpty()) place.setText(usual)
    }

    override fun missing(): String? = when {
        view<EditText>(R.id.words).typed.isEmpty() -> getString(R.string.words_empty)
        view<EditText>(R.id.place).typed.isEmpty() -> getString(R.string.place_empty)
        else -> null
    }

    override suspend fun save() {
        val category = checkNotNull(minor ?: major) { "without a kind there is nothing to press" }
        val place = Place(view<EditText>(R.id.place).typed, fix?.latitude, fix?.longitude, fix?.accuracy?.roundToInt())
        engine.report(ActionFields(category = category.code, severity = category.severity, text = view<EditText>(R.id.words).typed, place = place), form)
    }

    private fun icon(major: Category): Int = when (major.code) {
        "01" -> R.drawable.ic_cat_01
        "02" -> R.drawable.ic_cat_02
        "03" -> R.drawable.ic_cat_03
        "04" -> R.drawable.ic_cat_04
        "05" -> R.drawable.ic_cat_05
        "06" -> R.drawable.ic_cat_06
        "07" -> R.drawable.ic_cat_07
        "08" -> R.drawable.ic_cat_08
        "09" -> R.drawable.ic_cat_09
        "10" -> R.drawable.ic_cat_10
        else -> R.drawable.ic_question
    }

    private companion object {
        const val KIND = "kind"
        const val FIX = "fix"

        /** Digits of a major's code. */
        const val MAJOR = 2
    }
}
