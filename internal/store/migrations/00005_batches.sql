-- +goose Up
-- batch: the target in whose pull request the change is, together with others'; 0 for none, -1 for never again.
ALTER TABLE targets ADD COLUMN batch BIGINT NOT NULL DEFAULT 0;
CREATE INDEX targets_batch ON targets (batch) WHERE batch > 0;
CREATE INDEX targets_repository ON targets (repository, state);

-- +goose Down
DROP INDEX targets_repository;
DROP INDEX targets_batch;
ALTER TABLE targets DROP COLUMN batch;
