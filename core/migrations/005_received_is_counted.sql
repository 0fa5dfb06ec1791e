-- The status is looked at after every save, and counting what was received read every row that the phone ever wrote.
CREATE INDEX own_received ON own (n) WHERE status = 2;
