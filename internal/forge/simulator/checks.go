package simulator

import (
	"strconv"
	"time"
)

// Check is a CI result of a commit. Its state is one of success, pending, failure, or a vendor's own word.
type Check struct {
	Commit, Name, State, Log string
	Reruns                   int       // how often it was asked to run again
	At                       time.Time // of the report
}

// Report has CI report a check; a later report of the same name replaces an earlier one.
func (h *Host) Report(slug string, c Check) {
	c.At = time.Now()
	h.With(slug, func(r *Repo) {
		for i, was := range r.Checks {
			if was.Commit == c.Commit && was.Name == c.Name {
				c.Reruns = was.Reruns
				r.Checks[i] = c
				return
			}
		}
		r.Checks = append(r.Checks, c)
	})
}

// rerun starts a failed check again, by its place. It is refused to one that has not failed.
func (r *Repo) rerun(place string) (found, started bool) {
	n, err := strconv.Atoi(place)
	if err != nil || n < 1 || n > len(r.Checks) {
		return false, false
	}
	c := &r.Checks[n-1]
	if c.State != "failure" && c.State != "failed" {
		return true, false
	}
	c.State = "pending"
	c.Reruns++
	return true, true
}

// sum is what the checks of a commit come to: success, pending, failure; "" for none.
func (r *Repo) sum(commit string) string {
	sum := ""
	for _, c := range r.Checks {
		switch {
		case c.Commit != commit || sum == "failure":
		case c.State == "pending" || c.State == "running":
			sum = "pending"
		case c.State != "success":
			sum = "failure"
		case sum == "":
			sum = "success"
		}
	}
	return sum
}
