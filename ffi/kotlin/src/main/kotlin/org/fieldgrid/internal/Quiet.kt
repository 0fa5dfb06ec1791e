package org.fieldgrid.internal

/** What `toString` says of a value that holds what was typed: its type, and what tells it from others. */
internal fun quiet(type: String, vararg told: Any?) = told.joinToString(", ", "$type(", ")")
