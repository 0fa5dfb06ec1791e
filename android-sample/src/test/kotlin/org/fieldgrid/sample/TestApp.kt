package org.fieldgrid.sample

import java.io.File
import java.util.TimeZone
import org.fieldgrid.Fieldgrid
import org.fieldgrid.sample.keys.KeysLost
import org.fieldgrid.sample.keys.Seal
import org.fieldgrid.sample.keys.StoreKeys

/** The app with a plain key where the phone has its keystore, which Robolectric has not; and with what else a test puts in its place. */
class TestApp : SampleApp() {
    override val now: () -> Long get() = clock

    /** Others in another process. */
    override var saves = Saves()

    override fun keys() = StoreKeys(File(noBackupFilesDir, "store.key"), PlainSeal, rounds = 1_000)

    override suspend fun open(store: File, key: ByteArray): Fieldgrid = engine(store, key)

    companion object {
        var clock: () -> Long = System::currentTimeMillis
        var engine: suspend (store: File, key: ByteArray) -> Fieldgrid = { _, _ -> error("no engine") }

        init {
            TimeZone.setDefault(TimeZone.getTimeZone("Asia/Shanghai"))
        }
    }
}

/** Seals with nothing but a mark. */
object PlainSeal : Seal {
    private val MARK = "sealed".toByteArray()

    override fun seal(plain: ByteArray) = MARK + plain

    override fun open(sealed: ByteArray): ByteArray {
        if (sealed.size < MARK.size || !sealed.copyOf(MARK.size).contentEquals(MARK)) throw KeysLost()
        return sealed.copyOfRange(MARK.size, sealed.size)
    }

    override fun forget() = Unit
}
