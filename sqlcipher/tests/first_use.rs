//! SQLite counts itself as ready before SQLCipher is: of threads that opened the first stores of a process at the same time, one was told that its key could not be
//! set, another that there is no function to export. A process of its own, and one test, because nothing else may use SQLite between the rounds.

use std::sync::Barrier;

use rusqlite::{Connection, ffi};

const THREADS: usize = 4;
const ROUNDS: usize = 500;

#[test]
fn threads_that_are_first_at_the_same_time_all_get_a_keyed_store() {
    for round in 0..ROUNDS {
        // In every second round one thread's library does not wait: the others are to find the cryptography ready all the same.
        let one_does_not_wait = round % 2 == 0;
        let together = &Barrier::new(THREADS);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                scope.spawn(move || {
                    together.wait();
                    if thread == 0 && one_does_not_wait {
                        let _ = Connection::open_in_memory().expect("memory");
                        return;
                    }
                    fieldgrid_sqlcipher::initialize();
                    let db = Connection::open_in_memory().expect("memory");
                    db.execute_batch("PRAGMA key = 'correct horse';").unwrap_or_else(|error| panic!("round {round}: {error}"));
                    if !one_does_not_wait {
                        db.prepare("SELECT sqlcipher_export('main')").unwrap_or_else(|error| panic!("round {round}: {error}"));
                    }
                });
            }
        });
        // SAFETY: every connection is closed and every thread that used SQLite has ended.
        let code = unsafe { ffi::sqlite3_shutdown() };
        assert_eq!(code, ffi::SQLITE_OK);
    }
}
