package store

import (
	"context"
	"encoding/json"
	"fmt"

	"gaggle/internal/fleet"
)

// RepositoryInventory is everything that one repository contributes to the fleet.
type RepositoryInventory struct {
	Repository fleet.Repository
	Config     string // the text of its .gaggle.yaml; "" without one
	Source     string // the folder or file that named it
	Memo       []byte // what the catalog wants back at the next sync
	Components []fleet.Component
	Entities   []fleet.Entity
	Problems   []fleet.Problem
}

// PutRepository replaces what is known of one repository.
func (tx *Tx) PutRepository(ctx context.Context, inv RepositoryInventory) error {
	name := inv.Repository.Name
	for _, table := range []string{"components", "entities"} {
		if _, err := tx.exec(ctx, "DELETE FROM "+table+" WHERE repository = ?", name); err != nil {
			return err
		}
	}
	r := inv.Repository
	if inv.Memo == nil {
		inv.Memo = []byte{}
	}
	if _, err := tx.exec(ctx, "INSERT INTO repositories ("+repositoryColumns+") VALUES "+marks(1, 12)+
		" ON CONFLICT (name) DO UPDATE SET url = excluded.url, forge = excluded.forge, default_branch = excluded.default_branch, head = excluded.head, tree = excluded.tree, archived = excluded.archived, opt_out = excluded.opt_out, config = excluded.config, source = excluded.source, memo = excluded.memo, synced_at = excluded.synced_at",
		r.Name, r.URL, r.Forge, r.DefaultBranch, r.Head, r.Tree, bit(r.Archived), r.OptOut, inv.Config, inv.Source, inv.Memo, micros(r.SyncedAt)); err != nil {
		return err
	}
	for _, c := range inv.Components {
		data, err := json.Marshal(c)
		if err != nil {
			return err
		}
		// The catalog decides whose a reference is, and what it says last is right.
		if _, err := tx.exec(ctx, "INSERT INTO components (ref, repository, owner, data) VALUES (?, ?, ?, ?) ON CONFLICT (ref) DO UPDATE SET repository = excluded.repository, owner = excluded.owner, data = excluded.data", c.Ref, name, c.Owner, string(data)); err != nil {
			return err
		}
	}
	for _, e := range inv.Entities {
		data, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if _, err := tx.exec(ctx, "INSERT INTO entities (ref, kind, repository, email, data) VALUES (?, ?, ?, ?, ?) ON CONFLICT (ref) DO UPDATE SET kind = excluded.kind, repository = excluded.repository, email = excluded.email, data = excluded.data", e.Ref, e.Kind, name, e.Email, string(data)); err != nil {
			return err
		}
	}
	return tx.putProblems(ctx, name, inv.Problems)
}

// SeeRepository records where a repository stands whose content is known already, and what is wrong with it now.
func (tx *Tx) SeeRepository(ctx context.Context, r fleet.Repository, problems []fleet.Problem) error {
	if _, err := tx.exec(ctx, "UPDATE repositories SET url = ?, default_branch = ?, head = ?, tree = ?, archived = ?, synced_at = ? WHERE name = ?",
		r.URL, r.DefaultBranch, r.Head, r.Tree, bit(r.Archived), micros(r.SyncedAt), r.Name); err != nil {
		return err
	}
	return tx.putProblems(ctx, r.Name, problems)
}

func (tx *Tx) putProblems(ctx context.Context, repository string, problems []fleet.Problem) error {
	if _, err := tx.exec(ctx, "DELETE FROM problems WHERE repository = ?", repository); err != nil {
		return err
	}
	for _, p := range problems {
		data, err := json.Marshal(p)
		if err != nil {
			return err
		}
		if _, err := tx.exec(ctx, "INSERT INTO problems (repository, data) VALUES (?, ?)", repository, string(data)); err != nil {
			return err
		}
	}
	return nil
}

// DropRepository removes a repository from the inventory. Targets that were made for it stay.
func (tx *Tx) DropRepository(ctx context.Context, name string) error {
	for _, q := range []string{"DELETE FROM components WHERE repository = ?", "DELETE FROM entities WHERE repository = ?", "DELETE FROM problems WHERE repository = ?", "DELETE FROM repositories WHERE name = ?"} {
		if _, err := tx.exec(ctx, q, name); err != nil {
			return err
		}
	}
	return nil
}

// StoredRepository is a repository with the text of its .gaggle.yaml.
type StoredRepository struct {
	fleet.Repository
	Config string
	Source string
	Memo   []byte
}

func scanRepository(r rows) (v StoredRepository, err error) {
	var archived, synced int64
	err = r.Scan(&v.Name, &v.URL, &v.Forge, &v.DefaultBranch, &v.Head, &v.Tree, &archived, &v.OptOut, &v.Config, &v.Source, &v.Memo, &synced)
	v.Archived, v.SyncedAt = archived != 0, fromMicros(synced)
	return v, err
}

const repositoryColumns = "name, url, forge, default_branch, head, tree, archived, opt_out, config, source, memo, synced_at"

// Repositories lists all repositories by name.
func (s *Store) Repositories(ctx context.Context) ([]StoredRepository, error) {
	return collect(ctx, s.reader, scanRepository, "SELECT "+repositoryColumns+" FROM repositories ORDER BY name")
}

// Repository reads one repository.
func (s *Store) Repository(ctx context.Context, name string) (StoredRepository, error) {
	v, ok, err := one(ctx, s.reader, scanRepository, "SELECT "+repositoryColumns+" FROM repositories WHERE name = ?", name)
	if err == nil && !ok {
		err = &fleet.Error{Code: fleet.CodeNotFound, Message: fmt.Sprintf("the fleet has no repository %q", name), Hint: "gaggle fleet sync adds repositories"}
	}
	return v, err
}

func scanJSON[T any](r rows) (v T, err error) {
	var data string
	if err = r.Scan(&data); err != nil {
		return v, err
	}
	return v, json.Unmarshal([]byte(data), &v)
}

// Components lists all components by reference.
func (s *Store) Components(ctx context.Context) ([]fleet.Component, error) {
	return collect(ctx, s.reader, scanJSON[fleet.Component], "SELECT data FROM components ORDER BY ref")
}

// Component reads one component.
func (s *Store) Component(ctx context.Context, ref string) (fleet.Component, error) {
	c, ok, err := one(ctx, s.reader, scanJSON[fleet.Component], "SELECT data FROM components WHERE ref = ?", ref)
	if err == nil && !ok {
		err = &fleet.Error{Code: fleet.CodeNotFound, Message: fmt.Sprintf("the fleet has no component %q", ref), Hint: "gaggle fleet list names them all"}
	}
	return c, err
}

// Entities lists the other entities of a kind, by reference; an empty kind lists all.
func (s *Store) Entities(ctx context.Context, kind string) ([]fleet.Entity, error) {
	if kind == "" {
		return collect(ctx, s.reader, scanJSON[fleet.Entity], "SELECT data FROM entities ORDER BY ref")
	}
	return collect(ctx, s.reader, scanJSON[fleet.Entity], "SELECT data FROM entities WHERE kind = ? ORDER BY ref", kind)
}

// Problems lists what the last sync found wrong; an empty repository lists all.
func (s *Store) Problems(ctx context.Context, repository string) ([]fleet.Problem, error) {
	if repository == "" {
		return collect(ctx, s.reader, scanJSON[fleet.Problem], "SELECT data FROM problems ORDER BY repository, id")
	}
	return collect(ctx, s.reader, scanJSON[fleet.Problem], "SELECT data FROM problems WHERE repository = ? ORDER BY id", repository)
}

// FleetSize counts repositories and components.
func (s *Store) FleetSize(ctx context.Context) (repositories, components int, err error) {
	r, _, err := one(ctx, s.reader, scanInt, "SELECT COUNT(*) FROM repositories")
	if err != nil {
		return 0, 0, err
	}
	c, _, err := one(ctx, s.reader, scanInt, "SELECT COUNT(*) FROM components")
	return int(r), int(c), err
}
