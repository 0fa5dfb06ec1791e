package org.fieldgrid.sample

import android.app.job.JobInfo
import android.app.job.JobParameters
import android.app.job.JobScheduler
import android.content.Intent
import android.net.NetworkCapabilities
import android.os.Looper
import android.os.Parcel
import kotlin.test.BeforeTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertTrue
import kotlinx.coroutines.runBlocking
import org.fieldgrid.Fieldgrid
import org.fieldgrid.sample.sync.SyncJob
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestApp::class)
class SyncJobTest {
    private class Counting(private val unsent: Int, private val fake: Fieldgrid = Fake()) : Fieldgrid by fake {
        var syncs = 0

        override suspend fun syncNow() = fake.syncNow().also { syncs++ }
        override suspend fun status() = Fake.STATUS.copy(unsent = unsent)
    }

    private val app get() = RuntimeEnvironment.getApplication() as TestApp
    private val pending get() = app.service<JobScheduler>().allPendingJobs

    @BeforeTest
    fun clock() {
        TestApp.clock = { NOON }
    }

    @Test
    fun `leaving the app asks for a sync soon and regularly, each with a network`() {
        unlocked(Counting(0))
        val screen = Robolectric.buildActivity(TodayActivity::class.java, Intent(app, TodayActivity::class.java)).setup()
        assertTrue(pending.isEmpty(), "in front the engine syncs by itself")
        screen.pause().stop()
        assertEquals(setOf(SyncJob.SOON, SyncJob.REGULAR), pending.map(JobInfo::getId).toSet())
        assertTrue(pending.all { it.requiredNetwork?.hasCapability(NetworkCapabilities.NET_CAPABILITY_INTERNET) == true })
        assertEquals(JobInfo.BACKOFF_POLICY_EXPONENTIAL, pending.first { it.id == SyncJob.SOON }.backoffPolicy)
    }

    @Test
    fun `a job is done when all is delivered, and comes again when it is not`() {
        for (unsent in listOf(0, 2)) {
            val engine = Counting(unsent)
            unlocked(engine)
            val job = Robolectric.buildService(SyncJob::class.java).create().get()
            assertTrue(job.onStartJob(parameters()))
            shadowOf(Looper.getMainLooper()).idle()
            assertEquals(1, engine.syncs)
            assertTrue(shadowOf(job).isJobFinished)
            assertEquals(unsent > 0, shadowOf(job).isRescheduleNeeded)
            app.phone.lock()
        }
    }

    @Test
    fun `without the PIN there is nothing to do`() {
        val job = Robolectric.buildService(SyncJob::class.java).create().get()
        assertFalse(job.onStartJob(parameters()))
    }

    private fun unlocked(engine: Fieldgrid) {
        TestApp.engine = { _, _ -> engine }
        assertEquals(Unlocked.Open, runBlocking { app.phone.unlock("246810".toCharArray()) })
    }

    private fun parameters(): JobParameters = JobParameters.CREATOR.createFromParcel(Parcel.obtain())
}
