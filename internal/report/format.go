package report

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"gaggle/internal/fleet"
)

// Format is how a report is written down.
type Format string

// The formats.
const (
	FormatMarkdown Format = "markdown"
	FormatJSON     Format = "json"
	FormatCSV      Format = "csv"
	FormatHTML     Format = "html"
)

// Formats are the names of all formats.
func Formats() []string {
	return []string{string(FormatMarkdown), string(FormatJSON), string(FormatCSV), string(FormatHTML)}
}

// ParseFormat reads a format's name.
func ParseFormat(s string) (Format, error) {
	if slices.Contains(Formats(), s) {
		return Format(s), nil
	}
	return "", &fleet.Error{Code: fleet.CodeInvalid, Message: fmt.Sprintf("%q is not a format of reports", s), Hint: "one of " + strings.Join(Formats(), ", ")}
}

// FormatOf is the format that a file's name stands for; "" when it stands for none.
func FormatOf(file string) Format {
	switch strings.ToLower(filepath.Ext(file)) {
	case ".md", ".markdown":
		return FormatMarkdown
	case ".json":
		return FormatJSON
	case ".csv":
		return FormatCSV
	case ".html", ".htm":
		return FormatHTML
	}
	return ""
}

// Write writes the report in a format.
func Write(w io.Writer, r Report, f Format) error {
	switch f {
	case FormatJSON:
		return JSON(w, r)
	case FormatCSV:
		return CSV(w, r)
	case FormatHTML:
		return HTML(w, r)
	}
	return Markdown(w, r)
}
