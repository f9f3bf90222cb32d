-- SPDX-License-Identifier: Apache-2.0
-- States are kept as a checkpoint took them (center/state_run.h), not a row each.
CREATE TABLE state_runs (
    id INTEGER PRIMARY KEY,  -- later ones count
    form INTEGER NOT NULL REFERENCES state_tables (id) ON DELETE CASCADE,
    whole INTEGER NOT NULL,  -- of all states that there were; else of those that had changed
    content BLOB NOT NULL
) STRICT;
CREATE INDEX state_runs_by_form ON state_runs (form);
INSERT INTO state_runs (form, whole, content) SELECT form, 0, state_run(key, touched, value) FROM states;
DROP TABLE states;
