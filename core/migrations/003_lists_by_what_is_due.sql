-- A day's list was sorted anew each time it was shown. `today` is its order: what is due, then the others, the latest change first, after 2^62, which is later
-- than anything is due. A clock that claims a time before 1970 is not to take the sum beyond SQLite's integers.
ALTER TABLE cases ADD COLUMN today INTEGER NOT NULL GENERATED ALWAYS AS (coalesce(due_ms, 4611686018427387904 - max(updated_ms, 0))) VIRTUAL;
CREATE INDEX cases_by_today ON cases (open, today, n);

-- SQLite takes an index over all cases before one over those that are open, and sorts.
DROP INDEX cases_by_due;
CREATE INDEX cases_by_due ON cases (open, due_ms, n);
