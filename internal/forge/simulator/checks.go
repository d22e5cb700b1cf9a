package simulator

// Check is a CI result of a commit. Its state is one of success, pending, failure, or a vendor's own word.
type Check struct{ Commit, Name, State, Log string }

// Report has CI report a check; a later report of the same name replaces an earlier one.
func (h *Host) Report(slug string, c Check) {
	h.With(slug, func(r *Repo) {
		for i, was := range r.Checks {
			if was.Commit == c.Commit && was.Name == c.Name {
				r.Checks[i] = c
				return
			}
		}
		r.Checks = append(r.Checks, c)
	})
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
