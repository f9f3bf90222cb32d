-- SPDX-License-Identifier: Apache-2.0
-- Times are nanoseconds since 1970; ids and subjects are 16 bytes.

CREATE TABLE workspaces (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    version INTEGER NOT NULL DEFAULT 1  -- of its settings, exclusions and tags
) STRICT;
INSERT INTO workspaces (id, name, created) VALUES (1, 'default', 0);

CREATE TABLE alerts (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    workspace INTEGER NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    external_id INTEGER NOT NULL,
    detector TEXT NOT NULL,
    key BLOB NOT NULL CHECK (length(key) = 16),
    severity INTEGER NOT NULL,
    status INTEGER NOT NULL,
    classification INTEGER NOT NULL DEFAULT 0,
    reopened INTEGER NOT NULL DEFAULT 0,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    count INTEGER NOT NULL,
    raised INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    suppressed_until INTEGER NOT NULL DEFAULT 0,
    title TEXT NOT NULL,
    names TEXT NOT NULL,  -- of who is in it, for searches
    body BLOB NOT NULL
) STRICT;
CREATE INDEX alerts_by_status ON alerts (workspace, status, number);
CREATE INDEX alerts_by_end ON alerts (workspace, "end");
CREATE INDEX alerts_by_change ON alerts (workspace, changed);

CREATE TABLE alert_parties (
    subject BLOB NOT NULL CHECK (length(subject) = 16),
    alert INTEGER NOT NULL REFERENCES alerts (number) ON DELETE CASCADE,
    PRIMARY KEY (subject, alert)
) STRICT, WITHOUT ROWID;
CREATE INDEX alert_parties_by_alert ON alert_parties (alert);

CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace INTEGER NOT NULL,  -- 0: the installation
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    object TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_object ON audit (workspace, object, number);
CREATE INDEX audit_by_time ON audit (at);

CREATE TABLE settings (
    workspace INTEGER NOT NULL,  -- 0: the installation
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (workspace, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE exclusions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace INTEGER NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    detector TEXT NOT NULL,
    kind INTEGER NOT NULL,
    value TEXT NOT NULL,
    UNIQUE (workspace, detector, kind, value)
) STRICT;

CREATE TABLE tags (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace INTEGER NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    tag TEXT NOT NULL,
    guid BLOB NOT NULL CHECK (length(guid) IN (0, 16)),
    kind INTEGER NOT NULL,
    name TEXT NOT NULL,
    domain TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX tags_by_guid ON tags (workspace, tag, guid) WHERE length(guid) = 16;
CREATE UNIQUE INDEX tags_by_name ON tags (workspace, tag, kind, name, domain) WHERE length(guid) = 0;

CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace INTEGER NOT NULL,  -- 0: of all
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    password TEXT NOT NULL,  -- its hash
    role INTEGER NOT NULL,
    disabled INTEGER NOT NULL,
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner INTEGER REFERENCES users (id) ON DELETE CASCADE,
    workspace INTEGER NOT NULL,
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    role INTEGER NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    used INTEGER NOT NULL
) STRICT;
CREATE INDEX tokens_by_owner ON tokens (owner);

CREATE TABLE state_tables (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace INTEGER NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    shard INTEGER NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    UNIQUE (workspace, shard, owner, name, version)
) STRICT;

CREATE TABLE states (
    form INTEGER NOT NULL REFERENCES state_tables (id) ON DELETE CASCADE,
    key BLOB NOT NULL CHECK (length(key) = 16),
    touched INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (form, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE positions (
    workspace INTEGER NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    shard INTEGER NOT NULL,
    position INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (workspace, shard)
) STRICT, WITHOUT ROWID;

CREATE TABLE queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    workspace INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due INTEGER NOT NULL,
    added INTEGER NOT NULL,
    content BLOB NOT NULL
) STRICT;
CREATE INDEX queue_by_name ON queue (name, id);
CREATE INDEX queue_by_due ON queue (name, due);

CREATE TABLE health (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace INTEGER NOT NULL,  -- 0: the center
    number INTEGER NOT NULL,
    object TEXT NOT NULL,
    severity INTEGER NOT NULL,
    title TEXT NOT NULL,
    detail TEXT NOT NULL,
    opened INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    closed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX health_open ON health (workspace, number, object) WHERE closed = 0;
CREATE INDEX health_by_close ON health (closed);

CREATE TABLE activity_index (
    workspace INTEGER NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    subject BLOB NOT NULL CHECK (length(subject) = 16),
    hour INTEGER NOT NULL,
    positions BLOB NOT NULL,  -- runs: first, count, distances; numbers of seven bits a byte
    PRIMARY KEY (workspace, subject, hour)
) STRICT, WITHOUT ROWID;
CREATE INDEX activity_index_by_hour ON activity_index (hour);
