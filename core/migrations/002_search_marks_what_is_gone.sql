-- The index marks what was replaced as gone, and a purge takes it out (store/search.rs, `scrub`): `secure-delete` took it out at every change, which with
-- 10,000 records was two thirds of the time that a page of edits took.
INSERT INTO search (search, rank) VALUES ('secure-delete', 0);
