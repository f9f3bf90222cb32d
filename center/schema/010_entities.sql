-- SPDX-License-Identifier: Apache-2.0
-- What the center has of the directory. Times are nanoseconds since 1970.

CREATE TABLE entities (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace INTEGER NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    guid BLOB NOT NULL CHECK (length(guid) = 16),
    kind INTEGER NOT NULL,
    told INTEGER NOT NULL,     -- when it was told of first; 0: it is only the end of a link
    changed INTEGER NOT NULL,  -- when what was told last differed from before
    deleted INTEGER NOT NULL,  -- when it was told to be gone; 0: it is there
    name TEXT NOT NULL,
    domain TEXT NOT NULL,
    words TEXT NOT NULL,       -- that it is found by: " bob smith bob.smith"
    body BLOB NOT NULL         -- as it travels, without the times
) STRICT;
CREATE UNIQUE INDEX entities_by_guid ON entities (workspace, guid);

CREATE TABLE entity_words (
    workspace INTEGER NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    word TEXT NOT NULL,
    entity INTEGER NOT NULL REFERENCES entities (number) ON DELETE CASCADE,
    PRIMARY KEY (workspace, word, entity)
) STRICT, WITHOUT ROWID;

CREATE TABLE entity_links (
    source INTEGER NOT NULL REFERENCES entities (number) ON DELETE CASCADE,
    link INTEGER NOT NULL,
    target INTEGER NOT NULL REFERENCES entities (number) ON DELETE CASCADE,
    PRIMARY KEY (source, link, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX entity_links_back ON entity_links (target, link, source);

CREATE TABLE entity_history (
    entity INTEGER NOT NULL REFERENCES entities (number) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    attribute TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL
) STRICT;
CREATE INDEX entity_history_by_time ON entity_history (entity, at);

CREATE TABLE entity_domains (
    workspace INTEGER NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    domain TEXT NOT NULL,
    whole INTEGER NOT NULL,
    PRIMARY KEY (workspace, domain)
) STRICT, WITHOUT ROWID;
