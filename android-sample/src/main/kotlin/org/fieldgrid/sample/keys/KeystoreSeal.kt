package org.fieldgrid.sample.keys

import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyProperties.BLOCK_MODE_GCM
import android.security.keystore.KeyProperties.ENCRYPTION_PADDING_NONE
import android.security.keystore.KeyProperties.KEY_ALGORITHM_AES
import android.security.keystore.KeyProperties.PURPOSE_DECRYPT
import android.security.keystore.KeyProperties.PURPOSE_ENCRYPT
import java.security.GeneralSecurityException
import java.security.KeyStore
import javax.crypto.Cipher
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec

/** AES-GCM with a key in the Android keystore: in the phone's secure hardware, where it has one. */
class KeystoreSeal : Seal {
    private val store by lazy { KeyStore.getInstance(STORE).apply { load(null) } }

    override fun seal(plain: ByteArray): ByteArray = Cipher.getInstance(TRANSFORMATION).run {
        init(Cipher.ENCRYPT_MODE, newKey())
        iv + doFinal(plain)
    }

    override fun open(sealed: ByteArray): ByteArray {
        if (sealed.size < NONCE) throw KeysLost()
        try {
            val key = store.getKey(ALIAS, null) as? SecretKey ?: throw KeysLost()
            return Cipher.getInstance(TRANSFORMATION).run {
                init(Cipher.DECRYPT_MODE, key, GCMParameterSpec(TAG_BITS, sealed, 0, NONCE))
                doFinal(sealed, NONCE, sealed.size - NONCE)
            }
        } catch (lost: GeneralSecurityException) {
            throw KeysLost(lost)
        }
    }

    override fun forget() = store.deleteEntry(ALIAS)

    private fun newKey(): SecretKey = KeyGenerator.getInstance(KEY_ALGORITHM_AES, STORE).run {
        init(
            KeyGenParameterSpec.Builder(ALIAS, PURPOSE_ENCRYPT or PURPOSE_DECRYPT)
                .setBlockModes(BLOCK_MODE_GCM)
                .setEncryptionPaddings(ENCRYPTION_PADDING_NONE)
                .setKeySize(256)
                .build(),
        )
        generateKey()
    }

    private companion object {
        const val STORE = "AndroidKeyStore"
        const val ALIAS = "fieldgrid.store"
        const val TRANSFORMATION = "AES/GCM/NoPadding"
        const val NONCE = 12
        const val TAG_BITS = 128
    }
}
