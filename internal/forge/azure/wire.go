package azure

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

// What the API speaks of, as far as it is used.
type (
	project struct {
		ID         string `json:"id"`
		Name       string `json:"name"`
		Visibility string `json:"visibility"`
	}
	repository struct {
		ID            string  `json:"id"`
		Name          string  `json:"name"`
		DefaultBranch string  `json:"defaultBranch"`
		Project       project `json:"project"`
		Disabled      bool    `json:"isDisabled"`
		Fork          bool    `json:"isFork"`
		Size          int64   `json:"size"`
	}
	commit struct {
		ID string `json:"commitId,omitempty"`
	}
	person struct {
		ID          string `json:"id,omitempty"`
		UniqueName  string `json:"uniqueName,omitempty"`
		DisplayName string `json:"displayName,omitempty"`
		Container   bool   `json:"isContainer,omitempty"` // a group or team
		Vote        int    `json:"vote,omitempty"`        // of a reviewer
	}
	label struct {
		Name string `json:"name"`
	}
	pullRequest struct {
		Number       int        `json:"pullRequestId"`
		Status       string     `json:"status"` // active, abandoned, completed
		Title        string     `json:"title"`
		Description  string     `json:"description"`
		Draft        bool       `json:"isDraft"`
		Source       string     `json:"sourceRefName"`
		Target       string     `json:"targetRefName"`
		Author       person     `json:"createdBy"`
		Created      moment     `json:"creationDate"`
		Closed       moment     `json:"closedDate"`
		Completing   moment     `json:"completionQueueTime"` // when it was last asked to be completed
		AutoComplete *person    `json:"autoCompleteSetBy"`   // who wants it completed once the policies allow it
		Labels       []label    `json:"labels"`
		Reviewers    []person   `json:"reviewers"`
		Repository   repository `json:"repository"`
		Fork         *struct{}  `json:"forkSource"`
		MergeStatus  string     `json:"mergeStatus"` // of the last attempt to merge, which every push makes, too
		Failure      string     `json:"mergeFailureMessage"`
		SourceCommit commit     `json:"lastMergeSourceCommit"`
		MergeCommit  commit     `json:"lastMergeCommit"`
	}
)

// moment is a time, in one of the forms that servers write it in.
type moment struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler. What is no time is none: nothing hangs on it.
func (m *moment) UnmarshalJSON(data []byte) error {
	m.Time = time.Time{}
	text := strings.Trim(string(data), `"`)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, text); err == nil {
			m.Time = t.UTC()
			break
		}
	}
	return nil
}

// name is how people know somebody.
func (p person) name() string { return cmp.Or(p.UniqueName, p.DisplayName, p.ID) }

// completing says that the host is at it.
func (p *pullRequest) completing() bool {
	return p.Status == "active" && !p.Completing.IsZero() && p.MergeStatus == "queued"
}

const heads = "refs/heads/"

func (f *Forge) toPull(repo fleet.Repository, p *pullRequest) forge.Pull {
	out := forge.Pull{Repository: repo.Name, Number: p.Number, Title: p.Title, Body: p.Description, Draft: p.Draft, State: forge.StateOpen,
		HeadBranch: strings.TrimPrefix(p.Source, heads), HeadSHA: p.SourceCommit.ID, BaseBranch: strings.TrimPrefix(p.Target, heads),
		Author: p.Author.name(), CreatedAt: p.Created.Time, UpdatedAt: p.Created.Time,
		Conflicts: p.Status == "active" && p.MergeStatus == "conflicts", Queued: p.completing() || p.Status == "active" && p.AutoComplete != nil,
		URL: f.site.url.String() + "/" + url.PathEscape(p.Repository.Project.Name) + "/_git/" + url.PathEscape(p.Repository.Name) + "/pullrequest/" + strconv.Itoa(p.Number)}
	for _, t := range []time.Time{p.Closed.Time, f.remembered(p).said} {
		if t.After(out.UpdatedAt) {
			out.UpdatedAt = t
		}
	}
	switch p.Status {
	case "completed":
		out.State, out.MergeSHA = forge.StateMerged, p.MergeCommit.ID
	case "abandoned":
		out.State = forge.StateClosed
	}
	for _, l := range p.Labels {
		out.Labels = append(out.Labels, l.Name)
	}
	for _, r := range p.Reviewers {
		out.Reviewers = append(out.Reviewers, r.name())
	}
	return out
}
