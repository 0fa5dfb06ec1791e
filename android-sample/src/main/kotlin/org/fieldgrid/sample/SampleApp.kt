package org.fieldgrid.sample

import android.app.Activity
import android.app.Application
import android.os.Bundle
import android.os.SystemClock
import java.io.File
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.launch
import org.fieldgrid.Fieldgrid
import org.fieldgrid.FieldgridException
import org.fieldgrid.OpenOptions
import org.fieldgrid.sample.keys.Attempts
import org.fieldgrid.sample.keys.KeystoreSeal
import org.fieldgrid.sample.keys.StoreKeys
import org.fieldgrid.sample.sync.SyncJob

/** The app: one phone. What tests put in its place they override here. */
open class SampleApp : Application() {
    val phone: Phone by lazy { Phone(keys(), Attempts(File(noBackupFilesDir, "pin.attempts"), running), noBackupFilesDir, ::open) }

    val spot: Spot by lazy { Spot(this) }

    open val saves = Saves()

    open val now: () -> Long = System::currentTimeMillis

    /** Since the phone was started, which nobody can set. */
    private val running: () -> Long = SystemClock::elapsedRealtime

    protected open fun keys() = StoreKeys(File(noBackupFilesDir, "store.key"), KeystoreSeal())

    protected open suspend fun open(store: File, key: ByteArray): Fieldgrid = Fieldgrid.open(OpenOptions(store, key, life = File(noBackupFilesDir, "fieldgrid.life")))

    /** Erases this phone, for good. */
    suspend fun erase() {
        phone.erase()
        SyncJob.cancel(this)
    }

    override fun onCreate() {
        super.onCreate()
        registerActivityLifecycleCallbacks(InFront())
    }

    /** In front, the engine looks at once; behind, the system's job looks for it. */
    private inner class InFront : ActivityLifecycleCallbacks {
        private val scope = MainScope()
        private var started = 0

        override fun onActivityStarted(activity: Activity) {
            if (started++ == 0 && !phone.locked) {
                val engine = phone.engine
                scope.launch {
                    try {
                        engine.wake()
                    } catch (_: FieldgridException) {
                        // What keeps it from syncing is on every screen's sync line.
                    }
                }
            }
        }

        override fun onActivityStopped(activity: Activity) {
            if (--started == 0 && !phone.locked) SyncJob.schedule(this@SampleApp)
        }

        override fun onActivityCreated(activity: Activity, state: Bundle?) = Unit
        override fun onActivityResumed(activity: Activity) = Unit
        override fun onActivityPaused(activity: Activity) = Unit
        override fun onActivitySaveInstanceState(activity: Activity, state: Bundle) = Unit
        override fun onActivityDestroyed(activity: Activity) = Unit
    }
}
