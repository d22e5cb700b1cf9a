package distill

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"gaggle/internal/fleet"
)

// Input is what a command printed, and what is needed to read it.
type Input struct {
	Tool    string            // whose output it is; see Tools. "" reads any
	Text    []byte            //
	Cut     int64             // bytes left out of the middle of Text
	Exit    int               // exit status
	Root    string            // the repository's root as the command saw it
	Dir     string            // where the command ran, relative to the root
	Modules map[string]string // Go: module path to folder
}

// Limits of one report.
const (
	MaxLines    = 58         // shown lines, below the sixty that a report may have
	maxFailures = 1000       // failures that are told apart
	maxKept     = 128 * 1024 // bytes of lines that failures carry
	maxDetail   = 12         // lines of one failure
)

// Failures lists what the command objected to, in the order of its output. It is never empty: when nothing is
// recognised, the lines that complain, or the last ones, stand for the failure. unread is how many bytes of the output nobody has seen.
func Failures(in Input) (failures []fleet.Failure, unread int64) {
	d := read(in)
	if len(d.found) == 0 {
		readRest(d)
	}
	return d.failures(), d.unread
}

// Recognised is Failures without the stand-in: for a command that was stopped half way.
func Recognised(in Input) (failures []fleet.Failure, unread int64) {
	d := read(in)
	return d.failures(), d.unread
}

func read(in Input) *document {
	d := newDocument(in)
	d.ask(readers[in.Tool])
	if len(d.found) == 0 {
		d.ask(everyReader)
	}
	return d
}

// A reader recognises one family of tools. It marks the lines that it used, so that a broader one leaves them alone.
type reader func(*document)

// readers says who reads which tool's output. A tool that may start any other (make, a shell, a package manager's
// scripts) is read by everyReader too.
var readers = map[string][]reader{
	"go":         {readGo},
	"node":       {readNode},
	"python":     {readPython},
	"maven":      {readMaven},
	"gradle":     {readGradle},
	"cargo":      {readCargo},
	"dotnet":     {readDotnet},
	"pre-commit": {readPreCommit},
	"bazel":      append([]reader{readBazel}, compilers...),
}

// compilers read what a build of many languages prints, most particular first.
var compilers = []reader{readGo, readPytest, readUnittest, readPythonLinters, readCargo, readMaven, readGradle, readDotnet, readNode, readLocated}

var everyReader = append(append([]reader{readPreCommit, readBazel}, compilers...), readTraceback, readMake)

// document is the output while it is read.
type document struct {
	in     Input
	lines  []string
	used   []bool
	owner  []uint8 // which reader used the line, from 1
	reader uint8   // whose turn it is
	found  []found

	unread  int64
	crashed bool // a test file ended before its tests: the crash stands elsewhere
}

type found struct {
	at int // line where it begins
	fleet.Failure
}

func newDocument(in Input) *document {
	in.Root = strings.TrimRight(in.Root, "/")
	d := &document{in: in}
	d.lines, d.unread = lines(in.Text)
	d.unread += in.Cut
	d.used = make([]bool, len(d.lines))
	d.owner = make([]uint8, len(d.lines))
	return d
}

// ask lets readers have a go, one after the other.
func (d *document) ask(readers []reader) {
	for _, r := range readers {
		d.reader++
		r(d)
	}
}

// add records a failure that begins at a line, unless another reader has used that line. The first of its lines is its head, the others are indented below it.
func (d *document) add(at int, key string, head string, detail ...string) {
	if len(d.found) >= 4*maxFailures || at < len(d.owner) && d.owner[at] != 0 && d.owner[at] != d.reader {
		return
	}
	f := found{at: at}
	f.Key = stable(key, d.in.Root)
	f.Lines = append(f.Lines, shown(stable(strings.TrimSpace(head), d.in.Root)))
	more := 0
	for _, line := range detail {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if len(f.Lines) > maxDetail {
			more++
			continue
		}
		f.Lines = append(f.Lines, "  "+strings.TrimLeft(shown(stable(line, d.in.Root)), " "))
	}
	if more > 0 {
		f.Lines = append(f.Lines, fmt.Sprintf("  … %s", fleet.Count(more, "more line")))
	}
	d.found = append(d.found, f)
}

// use marks the lines [from, to) as read.
func (d *document) use(from, to int) {
	for i := max(from, 0); i < min(to, len(d.used)); i++ {
		d.used[i] = true
		if d.owner[i] == 0 {
			d.owner[i] = d.reader
		}
	}
}

// file turns a path as the tool printed it into one from the repository's root.
func (d *document) file(name string) string {
	name = strings.TrimPrefix(name, "file://")
	if d.in.Root != "" && strings.HasPrefix(name, d.in.Root+"/") {
		return path.Clean(name[len(d.in.Root)+1:])
	}
	if strings.HasPrefix(name, "/") || name == "" || strings.Contains(name, "://") {
		return name
	}
	return path.Join(d.in.Dir, name)
}

// failures puts what was found in order, drops repetitions, tells apart what has the same key, and bounds it all.
func (d *document) failures() []fleet.Failure {
	slices.SortStableFunc(d.found, func(a, b found) int { return cmp.Compare(a.at, b.at) })
	var all []fleet.Failure
	same := map[string]int{}
	seen := map[string]bool{}
	kept := 0
	for _, f := range d.found {
		id := f.Key + "\x00" + f.Lines[0]
		if seen[id] {
			continue
		}
		seen[id] = true
		if len(all) == maxFailures {
			break
		}
		if len(f.Key) > 300 {
			f.Key = strings.ToValidUTF8(f.Key[:300], "")
		}
		same[f.Key]++
		if n := same[f.Key]; n > 1 {
			f.Key = fmt.Sprintf("%s (%d)", f.Key, n)
		}
		for _, line := range f.Lines {
			kept += len(line) + 3
		}
		if kept > maxKept {
			f.Lines = f.Lines[:1]
		}
		all = append(all, f.Failure)
	}
	return all
}

// Render shows failures in at most limit lines, which must be at least 4. What does not fit is counted in the last line; cut is how many bytes
// of output were never read.
func Render(failures []fleet.Failure, cut int64, limit int) []string {
	if cut > 0 {
		limit--
	}
	total := 0
	for _, f := range failures {
		total += len(f.Lines)
	}
	each := 1 << 30
	if total > limit {
		each = max((limit-1)/max(len(failures), 1), 1)
		if each < 4 && len(failures) > 0 { // show the first ones properly rather than all of them badly
			each = 4
		}
	}
	var out []string
	hidden := 0
	for _, f := range failures {
		part := f.Lines
		if len(part) > each {
			left := len(part) - each + 1
			part = append(slices.Clone(part[:each-1]), fmt.Sprintf("  … %s", fleet.Count(left, "more line")))
		}
		if hidden > 0 || total > limit && len(out)+len(part) > limit-1 {
			hidden++
			continue
		}
		out = append(out, part...)
	}
	if hidden > 0 {
		out = append(out, fmt.Sprintf("… %d more", hidden))
	}
	if cut > 0 {
		out = append(out, fmt.Sprintf("(%d KB from the middle of the output were not read)", (cut+1023)/1024))
	}
	return out
}
