package org.fieldgrid.sample

import java.io.File
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import org.fieldgrid.sample.keys.KeysLost
import org.fieldgrid.sample.keys.Seal
import org.fieldgrid.sample.keys.StoreKeys
import org.junit.Rule
import org.junit.rules.TemporaryFolder

class StoreKeysTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val file by lazy { File(folder.root, "store.key") }
    private val keys by lazy { StoreKeys(file, PlainSeal, ROUNDS) }
    private val pin = "246810".toCharArray()

    @Test
    fun `the PIN makes the same key again`() {
        val key = keys.create(pin)
        assertContentEquals(key, StoreKeys(file, PlainSeal).open(pin), "the rounds are those of the file")
        assertFalse(file.readBytes().asList().windowed(key.size).contains(key.asList()), "the key is not in the file")
    }

    @Test
    fun `another PIN makes another key, and changes nothing`() {
        val key = keys.create(pin)
        val before = file.readBytes()
        assertFalse(keys.open("246811".toCharArray()).contentEquals(key))
        assertContentEquals(before, file.readBytes())
        assertContentEquals(key, keys.open(pin))
    }

    @Test
    fun `without the phone's hardware the PIN opens nothing`() {
        keys.create(pin)
        val elsewhere = object : Seal {
            override fun seal(plain: ByteArray) = error("nothing is sealed to open")
            override fun open(sealed: ByteArray) = throw KeysLost()
            override fun forget() = Unit
        }
        assertFailsWith<KeysLost> { StoreKeys(file, elsewhere, ROUNDS).open(pin) }
    }

    @Test
    fun `a damaged file is a lost key, not a crash`() {
        keys.create(pin)
        val whole = file.readBytes()
        for (length in 0 until whole.size - KEY) {
            file.writeBytes(whole.copyOf(length))
            assertFailsWith<KeysLost> { keys.open(pin) }
        }
        file.writeBytes(whole.apply { this[0] = 9 })
        assertFailsWith<KeysLost> { keys.open(pin) }
    }

    private companion object {
        const val ROUNDS = 1_000
        const val KEY = 32
    }
}
