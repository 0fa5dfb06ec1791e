package org.fieldgrid.sample.keys

import java.io.File
import java.io.IOException
import java.nio.ByteBuffer
import java.security.NoSuchAlgorithmException
import java.security.SecureRandom
import javax.crypto.Mac
import javax.crypto.SecretKeyFactory
import javax.crypto.spec.PBEKeySpec
import javax.crypto.spec.SecretKeySpec

/** Wraps a few bytes with a key that never leaves the phone's hardware. Tests put a plain key in its place, and nothing else. */
interface Seal {
    fun seal(plain: ByteArray): ByteArray

    /** @throws KeysLost when the hardware's key is gone, or these bytes were not sealed with it. */
    fun open(sealed: ByteArray): ByteArray

    /** Forgets the key: what was sealed with it is opened no more. */
    fun forget()
}

/** What the store's key was made from is gone: another phone, or its lock was taken off. What is in the store cannot be read any more. */
class KeysLost(cause: Throwable? = null) : Exception("the key of this phone's store is gone", cause)

/**
 * The store's 32-byte key: HMAC(secret, PBKDF2(PIN, salt)). The secret is random, and lies in [file] sealed by the phone's hardware; so neither the file
 * without the phone, nor the phone without the PIN, opens the store.
 *
 * Nothing here knows whether a PIN is right: the store tells, by not opening. A wrong one changes nothing.
 */
class StoreKeys(private val file: File, private val seal: Seal, private val rounds: Int = ROUNDS) {
    val exist: Boolean get() = file.exists()

    /** Makes the key of a new store. */
    fun create(pin: CharArray): ByteArray {
        val random = SecureRandom()
        val salt = ByteArray(SALT).also(random::nextBytes)
        val secret = ByteArray(KEY).also(random::nextBytes)
        val stretch = Stretch.entries.last { it.available() }
        val sealed = seal.seal(secret)
        val bytes = ByteBuffer.allocate(1 + Int.SIZE_BYTES + SALT + sealed.size).put(stretch.code).putInt(rounds).put(salt).put(sealed).array()
        file.writeWhole(bytes)
        return key(secret, stretch, pin, salt, rounds)
    }

    /**
     * The key as this PIN makes it.
     *
     * @throws KeysLost when the secret cannot be had.
     */
    fun open(pin: CharArray): ByteArray {
        val bytes = ByteBuffer.wrap(file.readBytes())
        if (bytes.remaining() < 1 + Int.SIZE_BYTES + SALT) throw KeysLost()
        val code = bytes.get()
        val stretch = Stretch.entries.find { it.code == code } ?: throw KeysLost()
        val rounds = bytes.getInt()
        val salt = ByteArray(SALT).also(bytes::get)
        val secret = seal.open(ByteArray(bytes.remaining()).also(bytes::get))
        return key(secret, stretch, pin, salt, rounds)
    }

    /** Forgets the key, and with it everything in the store: that of the hardware first, for a deleted file may be found again. */
    fun forget() {
        seal.forget()
        if (!file.delete() && file.exists()) throw IOException("could not delete ${file.name}")
    }

    private fun key(secret: ByteArray, stretch: Stretch, pin: CharArray, salt: ByteArray, rounds: Int): ByteArray {
        val stretched = stretch.of(pin, salt, rounds)
        try {
            return Mac.getInstance("HmacSHA256").run {
                init(SecretKeySpec(secret, algorithm))
                doFinal(stretched)
            }
        } finally {
            secret.fill(0)
            stretched.fill(0)
        }
    }

    /** How the PIN is stretched, weakest first. Android has the second since 8.0. */
    private enum class Stretch(val code: Byte, val algorithm: String) {
        SHA1(1, "PBKDF2WithHmacSHA1"),
        SHA256(2, "PBKDF2WithHmacSHA256"),
        ;

        fun available(): Boolean = try {
            SecretKeyFactory.getInstance(algorithm) != null
        } catch (_: NoSuchAlgorithmException) {
            false
        }

        fun of(pin: CharArray, salt: ByteArray, rounds: Int): ByteArray {
            val spec = PBEKeySpec(pin, salt, rounds, KEY * Byte.SIZE_BITS)
            try {
                return SecretKeyFactory.getInstance(algorithm).generateSecret(spec).encoded
            } finally {
                spec.clearPassword()
            }
        }
    }

    private companion object {
        const val KEY = 32
        const val SALT = 16

        /** Some 0.3 s on a phone of 2018. Trying PINs needs the phone's hardware anyway. */
        const val ROUNDS = 120_000
    }
}

/** Writes a small file durably: the old one is there, or the new one, and never a part. */
internal fun File.writeWhole(bytes: ByteArray) {
    val whole = File("$path.new")
    whole.outputStream().use {
        it.write(bytes)
        it.fd.sync()
    }
    if (!whole.renameTo(this)) throw IOException("could not write $name")
}
