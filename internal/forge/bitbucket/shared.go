package bitbucket

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

// memory remembers what was learnt from the host, for any number of goroutines. What it forgets is asked for again.
type memory[V any] struct {
	mu sync.Mutex
	m  map[string]V
}

func (m *memory[V]) get(key string) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.m[key]
	return v, ok
}

func (m *memory[V]) put(key string, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.m == nil || len(m.m) > 1<<17 {
		m.m = map[string]V{}
	}
	m.m[key] = v
}

func (m *memory[V]) drop(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.m, key)
}

// writers are the accounts that may push to a repository, as they were at a time.
type writers struct {
	at   time.Time
	know map[string]bool
}

// rightsAge is how long a right to push is believed.
const rightsAge = 5 * time.Minute

// longest title and body that both hosts take, in characters.
const (
	longestTitle = 255
	longestBody  = 32768
)

var run = regexp.MustCompile(`\s*#\d+\b`)

// checkName is the name of a status without the number of its run, so that the next run is known as the same check.
func checkName(name, key string) string {
	if name = strings.TrimSpace(run.ReplaceAllString(name, "")); name != "" {
		return name
	}
	return key
}

// same says whether a URL is on the host of another one; the host names its next pages itself.
func same(base *url.URL, raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Scheme == base.Scheme && u.Host == base.Host
}

// pullKey is what a followed pull request is known by.
func pullKey(slug string, number int) string {
	return strings.ToLower(slug) + "#" + strconv.Itoa(number)
}

// states is a filter of pull requests.
func wanted(states []forge.State, p forge.Pull) bool {
	return len(states) == 0 || slices.Contains(states, p.State)
}

// pause waits a moment for a host that is still at work.
func pause(ctx context.Context) error {
	select {
	case <-time.After(300 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// failed is a sequence that ends with an error at once.
func failed[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		yield(none, err)
	}
}

func archived(repo fleet.Repository, err error) error {
	return &fleet.Error{Code: fleet.CodeRepoGone, Message: "repository " + repo.Name + " is archived and takes no changes", Err: err}
}

func unmerged(at string) error {
	return &fleet.Error{Code: fleet.CodeForge, Message: "the forge has not merged " + at + " yet", Err: errors.Join(forge.ErrPassing)}
}

func moved(name string) error { return fleet.Errorf(fleet.CodeConflict, "the head of %s moved", name) }

// asExpected says so when something else was merged, given its commit, which may be shortened.
func asExpected(name, took string, spec forge.MergeSpec) error {
	if took == "" || strings.HasPrefix(spec.ExpectHead, took) || spec.ExpectHead == "" {
		return nil
	}
	return &fleet.Error{Code: fleet.CodeConflict, Message: fmt.Sprintf("%s was merged with %.12s, which somebody pushed in that moment", name, took),
		Hint: "look at what came in with it: it was expected to merge " + spec.ExpectHead}
}
