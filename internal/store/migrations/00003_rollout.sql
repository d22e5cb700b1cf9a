-- +goose Up
ALTER TABLE campaigns ADD COLUMN reached TEXT NOT NULL DEFAULT '[]';

-- +goose Down
ALTER TABLE campaigns DROP COLUMN reached;
