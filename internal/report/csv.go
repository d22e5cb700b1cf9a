package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
)

// CSV writes one row a target, after a row of names. A cell that a spreadsheet could take for a formula begins with an
// apostrophe, which spreadsheets do not show.
func CSV(w io.Writer, r Report) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"campaign", "component", "owner", "repository", "path", "wave", "state", "reason", "message", "since", "attempts", "cost_usd",
		"files", "lines_added", "lines_deleted", "pull_request", "opened", "merged", "ci", "deploy", "reverted", "touched", "waits"}); err != nil {
		return err
	}
	for _, t := range r.Rows {
		if err := out.Write([]string{
			cell(r.Campaign.Name), cell(t.Component), cell(t.Owner), cell(t.Repository), cell(t.Path), strconv.Itoa(t.Wave + 1), cell(string(t.State)), cell(string(t.Reason)), cell(t.Message),
			stamp(t.Since), strconv.Itoa(t.Attempts), strconv.FormatFloat(float64(t.Usage.Cost)/1e6, 'f', 6, 64),
			strconv.Itoa(t.Stat.Files), strconv.Itoa(t.Stat.Added), strconv.Itoa(t.Stat.Deleted), cell(t.PullURL), stamp(t.OpenedAt), stamp(t.MergedAt), cell(t.CI), cell(t.Deploy),
			strconv.FormatBool(t.Reverted), strconv.FormatBool(t.Touched), cell(t.Held),
		}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// cell makes text harmless in a spreadsheet, whatever separates its cells: a formula begins with one of these, in full
// width too, at the start or after a separator.
func cell(s string) string {
	const formula, separates = "=+-@＝＋－＠", ",;|\""
	var out strings.Builder
	begins := true
	for _, r := range line(s) {
		if begins && strings.ContainsRune(formula, r) {
			out.WriteByte('\'')
		}
		out.WriteRune(r)
		begins = strings.ContainsRune(separates, r) || begins && r == ' '
	}
	return out.String()
}
