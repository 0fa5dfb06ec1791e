package org.fieldgrid

import java.io.File
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.Rule
import org.junit.rules.TemporaryFolder

/** A town and its phones, for a test. */
abstract class Phones {
    @get:Rule
    val folder = TemporaryFolder()

    val town by lazy { Town(folder.newFolder("server")) }

    fun key(n: Int = 1) = ByteArray(32) { n.toByte() }

    fun store(name: String) = File(folder.root, "$name.db")

    suspend fun open(name: String, key: ByteArray = key()): Fieldgrid = Fieldgrid.open(OpenOptions(store(name), key))

    suspend fun phone(name: String, enrol: Boolean = true, role: String = "grid_member", scope: String = Town.GRID): Fieldgrid =
        open(name).also { if (enrol) it.enrol(town.invite(role, scope, name)) }

    fun day(work: suspend () -> Unit) = runBlocking { withTimeout(300_000) { work() } }

    suspend fun <T> Flow<T>.becomes(what: (T) -> Boolean): T = withTimeout(30_000) { first { what(it) } }

    fun manhole(title: String = "天汉大道井盖破损") = ActionFields(
        title = title, text = "井盖破损下沉,有人绊倒", category = "0201", severity = Severity.URGENT, place = Place("天汉大道12号", 33.0675, 107.023, 8), grid = Town.GRID,
    )

    fun household(address: String = "民主街12号1单元301") = FieldEdit("grid" to Town.GRID, "address" to address)

    fun head(name: String = "王秀英") = FieldEdit(mapOf("name" to name, "relation" to "02"), mapOf("独居老人" to true))
}
