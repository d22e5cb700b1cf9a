package report

import (
	"encoding/json"
	"io"
)

// JSON writes the report for machines. Rows are not in it: gaggle status --json has the targets.
func JSON(w io.Writer, r Report) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}
