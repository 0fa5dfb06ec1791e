package org.fieldgrid

import java.io.File
import java.util.concurrent.TimeUnit.SECONDS
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import org.junit.Rule
import org.junit.rules.TemporaryFolder

class FirstCallsTest {
    @get:Rule
    val folder = TemporaryFolder()

    /** Each time in a new process: a library is initialised once. `-Dfirst.calls=24` tries as often. */
    @Test
    fun firstCallsThatCoincideDoNotHang() {
        repeat(Integer.getInteger("first.calls", 4)) { n ->
            val said = File(folder.root, "said-$n")
            val java = File(System.getProperty("java.home"), "bin/java").path
            val process = ProcessBuilder(
                java, "-Djna.library.path=${System.getProperty("jna.library.path")}", "-cp", System.getProperty("java.class.path"),
                FirstCalls::class.java.name, folder.newFolder("phone-$n").path,
            ).redirectErrorStream(true).redirectOutput(said).start()
            val ended = process.waitFor(60, SECONDS)
            if (!ended) process.destroyForcibly().waitFor()
            assertTrue(ended, "process $n hangs: ${said.readText()}")
            assertEquals("done", said.readText(), "process $n")
        }
    }
}
