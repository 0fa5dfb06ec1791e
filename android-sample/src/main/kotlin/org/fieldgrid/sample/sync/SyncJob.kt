package org.fieldgrid.sample.sync

import android.app.job.JobInfo
import android.app.job.JobParameters
import android.app.job.JobScheduler
import android.app.job.JobService
import android.content.ComponentName
import android.content.Context
import java.util.concurrent.TimeUnit.MINUTES
import java.util.concurrent.TimeUnit.SECONDS
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.launch
import org.fieldgrid.FieldgridException
import org.fieldgrid.sample.SampleApp
import org.fieldgrid.sample.service

/**
 * Syncs when there is a network, also while the app is not in front: once soon after it was left, then every quarter of an hour.
 *
 * The store opens with the PIN only. Once the system has ended the process, nobody has the key, and the job does nothing until the app is opened again.
 */
class SyncJob : JobService() {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Main)
    private var work: Job? = null

    override fun onStartJob(parameters: JobParameters): Boolean {
        val phone = (application as SampleApp).phone
        if (phone.locked) return false
        work = scope.launch {
            val again = try {
                phone.engine.syncNow()
                phone.engine.status().unsent > 0
            } catch (_: FieldgridException) {
                true
            }
            jobFinished(parameters, again)
        }
        return true
    }

    /** The engine goes on or was never begun; what is not delivered is tried again. */
    override fun onStopJob(parameters: JobParameters): Boolean {
        work?.cancel()
        return true
    }

    override fun onDestroy() {
        scope.cancel()
        super.onDestroy()
    }

    companion object {
        const val SOON = 1
        const val REGULAR = 2

        /** Asks the system for both jobs; asking again changes nothing. */
        fun schedule(context: Context) {
            val scheduler = context.service<JobScheduler>()
            val known = scheduler.allPendingJobs.map(JobInfo::getId)
            if (REGULAR !in known) scheduler.schedule(job(context, REGULAR).setPeriodic(MINUTES.toMillis(15)).setPersisted(false).build())
            scheduler.schedule(job(context, SOON).setBackoffCriteria(SECONDS.toMillis(30), JobInfo.BACKOFF_POLICY_EXPONENTIAL).build())
        }

        /** There is nothing left to sync. */
        fun cancel(context: Context) = listOf(SOON, REGULAR).forEach(context.service<JobScheduler>()::cancel)

        private fun job(context: Context, id: Int) =
            JobInfo.Builder(id, ComponentName(context, SyncJob::class.java)).setRequiredNetworkType(JobInfo.NETWORK_TYPE_ANY)
    }
}
