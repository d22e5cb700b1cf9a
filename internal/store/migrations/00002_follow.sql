-- +goose Up
CREATE TABLE follows (
    target    BIGINT PRIMARY KEY REFERENCES targets (id),
    campaign  TEXT NOT NULL,
    ci        TEXT NOT NULL CHECK (ci IN ('', 'pending', 'passed', 'failed', 'before', 'none')),
    deploy    TEXT NOT NULL CHECK (deploy IN ('', 'pending', 'success', 'failure')),
    reverted  BIGINT NOT NULL,
    touched   BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    merged_at BIGINT NOT NULL,
    merged_by TEXT NOT NULL,
    data      TEXT NOT NULL
);
CREATE INDEX follows_campaign ON follows (campaign);

-- slot: the target has, or is about to have, an open pull request, and counts against its owner's and its repository's limits.
-- held: why a ready target waits although its wave is open; empty when it does not.
ALTER TABLE targets ADD COLUMN slot BIGINT NOT NULL DEFAULT 0;
ALTER TABLE targets ADD COLUMN held TEXT NOT NULL DEFAULT '';
CREATE INDEX targets_slot_owner ON targets (owner) WHERE slot = 1;
CREATE INDEX targets_slot_repository ON targets (repository) WHERE slot = 1;
CREATE INDEX targets_component ON targets (component);
CREATE INDEX targets_held ON targets (campaign) WHERE held <> '';
ALTER TABLE campaigns ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE campaigns DROP COLUMN priority;
DROP INDEX targets_held;
DROP INDEX targets_component;
DROP INDEX targets_slot_repository;
DROP INDEX targets_slot_owner;
ALTER TABLE targets DROP COLUMN held;
ALTER TABLE targets DROP COLUMN slot;
DROP TABLE follows;
