-- How far the streams had been read when work was done that could not be sealed then: CBOR of the header's positions. It is sealed later, and judged there.
ALTER TABLE own ADD COLUMN positions BLOB;
