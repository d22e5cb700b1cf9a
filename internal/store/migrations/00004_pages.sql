-- +goose Up
-- A campaign's targets are read in pages by id.
CREATE INDEX targets_campaign ON targets (campaign, id);

-- +goose Down
DROP INDEX targets_campaign;
