package org.fieldgrid.sample

import android.content.Context
import android.content.Intent
import android.widget.EditText
import android.widget.LinearLayout
import android.widget.TextView
import org.fieldgrid.ActionKind
import org.fieldgrid.ActionFields

/** What a person in the field does to a case, with what its form asks for. Decisions of the centre are made in its console. */
enum class Act(val kind: ActionKind, val label: Int, val asks: List<Ask>) {
    SIGN(ActionKind.SIGN, R.string.do_sign, emptyList()),
    FINISH(ActionKind.FINISH, R.string.do_finish, listOf(Ask.RESULT, Ask.MEASURE)),
    PROGRESS(ActionKind.PROGRESS, R.string.do_progress, listOf(Ask.TEXT)),
    SELF_RESOLVE(ActionKind.SELF_RESOLVE, R.string.do_self_resolve, listOf(Ask.MEASURE)),
    VERIFY_PASS(ActionKind.VERIFY_PASS, R.string.do_verify_pass, listOf(Ask.OBSERVATION)),
    VERIFY_FAIL(ActionKind.VERIFY_FAIL, R.string.do_verify_fail, listOf(Ask.OBSERVATION, Ask.REASON)),
    SUPPLEMENT(ActionKind.SUPPLEMENT, R.string.do_supplement, listOf(Ask.TEXT)),
    RATE(ActionKind.RATE, R.string.do_rate, listOf(Ask.SCORE)),
    REQUEST_EXTENSION(ActionKind.REQUEST_EXTENSION, R.string.do_request_extension, listOf(Ask.REASON, Ask.UNTIL)),
    REQUEST_RETURN(ActionKind.REQUEST_RETURN, R.string.do_request_return, listOf(Ask.REASON)),
    REQUEST_REOPEN(ActionKind.REQUEST_REOPEN, R.string.do_request_reopen, listOf(Ask.REASON)),
    WITHDRAW(ActionKind.WITHDRAW, R.string.do_withdraw, listOf(Ask.REASON)),
    ;

    companion object {
        /** Of what is possible, what is offered here, the likeliest first. */
        fun offered(possible: Collection<ActionKind>): List<Act> = entries.filter { it.kind in possible }
    }
}

/** What a form may ask for. */
enum class Ask(val label: Int) {
    TEXT(R.string.act_text),
    MEASURE(R.string.act_measure),
    RESULT(R.string.act_result),
    REASON(R.string.act_reason),
    OBSERVATION(R.string.act_observation),
    SCORE(R.string.act_score),
    UNTIL(R.string.act_due),
}

/** The form of one action. */
class ActActivity : Form() {
    private val act by lazy { Act.valueOf(checkNotNull(intent.getStringExtra(ACT))) }
    private val texts = mutableMapOf<Ask, EditText>()
    private val choices = mutableMapOf<Ask, Choice<Int>>()

    override fun fields(into: LinearLayout) {
        title = getString(act.label)
        for (ask in act.asks) {
            val label = getString(ask.label)
            when (ask) {
                Ask.RESULT -> choices[ask] = into.choice(label, RESULTS.map { (at, words) -> at to words }, 0)
                Ask.SCORE -> choices[ask] = into.choice(label, SCORES)
                Ask.UNTIL -> choices[ask] = into.choice(label, DAYS, 1)
                else -> texts[ask] = into.words(label)
            }
        }
        if (act.asks.isEmpty()) into.add<TextView>(R.layout.paragraph).setText(R.string.act_confirm)
    }

    override fun missing(): String? {
        val empty = act.asks.filter { ask -> texts[ask]?.typed?.isEmpty() == true || choices[ask]?.let { it.chosen == null } == true }
        return if (empty.isEmpty()) null else getString(R.string.required, empty.joinToString(getString(R.string.and)) { getString(it.label) })
    }

    override suspend fun save() {
        engine.act(
            checkNotNull(intent.getStringExtra(ID)),
            act.kind,
            ActionFields(
                text = texts[Ask.TEXT]?.typed,
                measure = texts[Ask.MEASURE]?.typed,
                reason = texts[Ask.REASON]?.typed,
                observation = texts[Ask.OBSERVATION]?.typed,
                result = choices[Ask.RESULT]?.chosen?.let { RESULT_CODES[it] },
                score = choices[Ask.SCORE]?.chosen,
                dueMs = choices[Ask.UNTIL]?.chosen?.let { checkNotNull(pressedMs) + it * Times.DAY },
            ),
            form,
        )
    }

    companion object {
        private const val ID = "case"
        private const val ACT = "act"

        private val RESULT_CODES = listOf("done", "partly", "not_done")
        private val RESULTS = listOf(0 to R.string.act_result_done, 1 to R.string.act_result_partly, 2 to R.string.act_result_not)
        private val DAYS = listOf(1 to R.string.act_due_1, 3 to R.string.act_due_3, 7 to R.string.act_due_7)
        private val SCORES = listOf(
            5 to R.string.act_score_5,
            4 to R.string.act_score_4,
            3 to R.string.act_score_3,
            2 to R.string.act_score_2,
            1 to R.string.act_score_1,
        )

        fun of(context: Context, case: String, act: Act): Intent = Intent(context, ActActivity::class.java).putExtra(ID, case).putExtra(ACT, act.name)
    }
}
