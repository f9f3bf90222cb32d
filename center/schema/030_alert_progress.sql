-- SPDX-License-Identifier: Apache-2.0
-- What each of several shards has raised last of an alert (center/store_alerts.h); NULL: one shard alone.
ALTER TABLE alerts ADD COLUMN progress BLOB;
