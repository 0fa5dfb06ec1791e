package org.fieldgrid.sample

import android.Manifest.permission.ACCESS_FINE_LOCATION
import android.annotation.SuppressLint
import android.content.Context
import android.content.pm.PackageManager.PERMISSION_GRANTED
import android.location.Location
import android.location.LocationListener
import android.location.LocationManager
import android.location.LocationManager.GPS_PROVIDER
import android.os.Bundle
import android.os.Looper
import kotlinx.coroutines.suspendCancellableCoroutine
import kotlinx.coroutines.withTimeoutOrNull
import kotlin.coroutines.resume

/** Where the phone is: one fix, when it is asked for, and never a track. */
class Spot(private val context: Context) {
    val permitted: Boolean get() = context.checkSelfPermission(ACCESS_FINE_LOCATION) == PERMISSION_GRANTED

    /** One fix within [LONGEST_MS]; `null` without permission, or when there is none. */
    suspend fun fix(): Location? {
        val locations = context.service<LocationManager>()
        if (!permitted || GPS_PROVIDER !in locations.allProviders) return null
        return withTimeoutOrNull(LONGEST_MS) { locations.next() }
    }

    // requestSingleUpdate is the one call that Android 6 and 15 both have.
    @Suppress("DEPRECATION")
    @SuppressLint("MissingPermission")
    private suspend fun LocationManager.next(): Location = suspendCancellableCoroutine { waiting ->
        val listener = object : LocationListener {
            override fun onLocationChanged(location: Location) = waiting.resume(location)
            override fun onProviderEnabled(provider: String) = Unit
            override fun onProviderDisabled(provider: String) = Unit

            @Deprecated("Before Android 10 the system still calls it.")
            override fun onStatusChanged(provider: String, status: Int, extras: Bundle?) = Unit
        }
        requestSingleUpdate(GPS_PROVIDER, listener, Looper.getMainLooper())
        waiting.invokeOnCancellation { removeUpdates(listener) }
    }

    private companion object {
        const val LONGEST_MS = 10_000L
    }
}
