package org.fieldgrid

import java.io.File
import java.util.concurrent.CountDownLatch
import kotlin.concurrent.thread
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeoutOrNull

/** A process of its own: its first calls into the engine come at once, as a logger's, a screen's and a form's in an app's first second. */
object FirstCalls {
    @JvmStatic
    fun main(arguments: Array<String>) {
        val folder = File(arguments.single())
        val calls = listOf<suspend () -> Unit>(
            { withTimeoutOrNull(10) { Fieldgrid.observeLog(LogLevel.DEBUG).first() } },
            { Fieldgrid.open(OpenOptions(File(folder, "a.db"), ByteArray(32))).closeAndWait() },
            { Fieldgrid.open(OpenOptions(File(folder, "b.db"), ByteArray(32))).closeAndWait() },
            { idNumberFits("610799198001010017") },
            { check(caseCategories.isNotEmpty() && CaseState.REPORTED.words.en.isNotEmpty()) },
        )
        val start = CountDownLatch(1)
        val threads = calls.map { call ->
            thread {
                start.await()
                runBlocking { call() }
            }
        }
        start.countDown()
        threads.forEach { it.join() }
        print("done")
    }
}
