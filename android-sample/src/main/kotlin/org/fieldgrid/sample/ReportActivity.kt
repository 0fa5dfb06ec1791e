package org.fieldgrid.sample

import android.Manifest.permission.ACCESS_FINE_LOCATION
import android.location.Location
import android.view.View
import android.widget.Button
import android.widget.EditText
import android.widget.LinearLayout
import android.widget.TextView
import kotlin.math.roundToInt
import kotlinx.coroutines.launch
import org.fieldgrid.Category
import org.fieldgrid.Place
import org.fieldgrid.caseCategories
import org.fieldgrid.ActionFields
import org.fieldgrid.FieldgridException

/** Reporting a case: what kind, in words, send. The place is offered; a more exact kind may be chosen. */
class ReportActivity : Screen(R.layout.report) {
    private var major: Category? = null
    private var minor: Category? = null
    private var fix: Location? = null

    override fun create() {
        title = getString(R.string.report_title)
        val (majors, minors) = caseCategories.values.partition(Category::major)
        view<LinearLayout>(R.id.majors).tiles(majors.map { Mark(icon(it), say(it.words), R.color.accent) }) { at -> choose(majors[at], minors.filter { it.code.startsWith(majors[at].code) }) }
        view<View>(R.id.chosen).setOnClickListener { choose(null) }
        view<View>(R.id.send).setOnClickListener { scope.launch { send() } }
        doing { offerPlace() }
        view<Button>(R.id.spot).run {
            show(Mark(R.drawable.ic_spot, getString(R.string.spot_use), R.color.ink))
            setOnClickListener { if (app.spot.permitted) find() else requestPermissions(arrayOf(ACCESS_FINE_LOCATION), 0) }
        }
    }

    /** With a kind, its words; without, the kinds. */
    private fun choose(chosen: Category?, minors: List<Category> = emptyList()) {
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
            offer(minors)
            view<View>(R.id.words).requestFocus()
            if (app.spot.permitted && fix == null) find()
        }
    }

    override fun onRequestPermissionsResult(asked: Int, permissions: Array<String>, results: IntArray) {
        if (app.spot.permitted) find()
    }

    private fun find() = scope.launch {
        val spot = view<Button>(R.id.spot)
        spot.isEnabled = false
        spot.setText(R.string.spot_finding)
        fix = app.spot.fix()
        spot.text = fix?.let { getString(R.string.spot_found, it.accuracy.roundToInt()) } ?: getString(R.string.spot_none)
        spot.isEnabled = true
    }

    private fun offer(minors: List<Category>) = view<LinearLayout>(R.id.minors).run {
        removeAllViews()
        tiles(minors.map { Mark(0, say(it.words)) }) { at ->
            minor = minors[at].takeIf { it != minor }
            choose(minors.indexOf(minor))
        }
    }

    /** What the person's area is called, unless he was quicker. */
    private suspend fun offerPlace() {
        val areas = engine.names().areas
        val usual = engine.status().enrolment?.scopes?.firstNotNullOfOrNull(areas::get)
        val place = view<EditText>(R.id.place)
        if (place.typed.isEmpty()) place.setText(usual)
    }

    private suspend fun send() {
        val category = minor ?: major ?: return
        val text = view<EditText>(R.id.words).typed
        val place = view<EditText>(R.id.place).typed
        val missing = if (text.isEmpty()) R.string.words_empty else if (place.isEmpty()) R.string.place_empty else null
        complain(missing?.let(::getString))
        if (missing != null) return
        view<View>(R.id.send).isEnabled = false
        try {
            engine.report(ActionFields(category = category.code, severity = category.severity, text = text, place = Place(place, fix?.latitude, fix?.longitude, fix?.accuracy?.roundToInt())))
            finish()
        } catch (refused: FieldgridException) {
            complain(say(refused.words))
            view<View>(R.id.send).isEnabled = true
        }
    }

    private fun complain(words: String?) = view<TextView>(R.id.error).showOrHide(words)

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
}
