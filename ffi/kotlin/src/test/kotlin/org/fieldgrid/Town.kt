package org.fieldgrid

import java.io.File
import java.net.HttpURLConnection
import java.net.ServerSocket
import java.net.URI
import java.util.concurrent.TimeUnit.SECONDS

/** A town centre: the real server, as a process of its own, on this machine. */
class Town(private val folder: File) : AutoCloseable {
    private val port = ServerSocket(0).use { it.localPort }
    private val url = "http://127.0.0.1:$port"
    private var process: Process? = null

    init {
        command("import-divisions", "--builtin", "hanzhong")
        command("grids", "create", COMMUNITY, "--count", "2")
        open()
    }

    fun open() {
        process = start("serve", "--listen", "127.0.0.1:$port", "--public-url", url)
        val end = System.nanoTime() + SECONDS.toNanos(PATIENCE)
        while (!answers()) {
            check(System.nanoTime() < end && process?.isAlive == true) { "the server does not answer: ${log().readText()}" }
            Thread.sleep(20)
        }
    }

    /** No network: nobody answers on the server's address. */
    override fun close() {
        process?.run {
            destroy()
            if (!waitFor(PATIENCE, SECONDS)) destroyForcibly().waitFor()
        }
        process = null
    }

    fun invite(role: String = "grid_member", scope: String = GRID, name: String = "陈静"): String =
        command("invite", "--role", role, "--scope", scope, "--name", name, "--public-url", url).lines().last { it.startsWith("fieldgrid:") }

    private fun answers(): Boolean = try {
        (URI("$url/v1/health").toURL().openConnection() as HttpURLConnection).responseCode == HttpURLConnection.HTTP_OK
    } catch (_: java.io.IOException) {
        false
    }

    fun command(vararg arguments: String): String {
        val process = start(*arguments, output = ProcessBuilder.Redirect.PIPE)
        val said = process.inputStream.bufferedReader().readText()
        check(process.waitFor() == 0) { "sync-server ${arguments.first()} failed: ${log().readText()}" }
        return said
    }

    private fun start(vararg arguments: String, output: ProcessBuilder.Redirect = ProcessBuilder.Redirect.DISCARD): Process =
        ProcessBuilder(checkNotNull(System.getProperty("sync.server")), *arguments, "--data", File(folder, "town").path, "--log", "warn")
            .redirectOutput(output).redirectError(ProcessBuilder.Redirect.appendTo(log())).start()

    private fun log() = File(folder, "server.log")

    companion object {
        const val COMMUNITY = "610702001001"
        const val GRID = COMMUNITY + "001"
        const val OTHER_GRID = COMMUNITY + "002"
        private const val PATIENCE = 20L
    }
}
