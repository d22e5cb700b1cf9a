package verify

import (
	"context"
	"time"

	"gaggle/internal/fleet"
)

// Command is what an Exec is asked to run.
type Command struct {
	Argv    []string
	Dir     string            // slash-separated, relative to the tree's root
	Env     map[string]string // beside what the Exec gives every command
	Path    []string          // folders relative to the tree's root that come first on PATH
	Timeout time.Duration
}

// Output is how a command ended.
type Output struct {
	Exit    int        // exit status; 128+n when signal n ended it
	Ended   fleet.Code // "" when it ended by itself; timeout, memory_limit, process_limit, disk_limit, output_limit
	Missing bool       // the program itself could not be started because it is not there
	Text    []byte     // standard output and standard error as they came, the middle left out when it is long
	Cut     int64      // bytes left out of the middle
	Root    string     // the tree's root as the command saw it
	Wall    time.Duration
}

// Exec runs one command in a work tree. An error means that the machine is broken or the context is done, never that the
// command failed.
type Exec interface {
	Exec(ctx context.Context, c Command) (Output, error)
}

// Limits of what is kept of a command's output. The head names the first error, the tail holds the summary.
const (
	keepHead = 2 << 20
	keepTail = 4 << 20
)

// capture is a bounded io.Writer: it keeps the head and the tail of what is written.
type capture struct {
	head, tail []byte
	start      int // where the tail's oldest byte is, once it is full
	total      int64
}

func (c *capture) Write(p []byte) (int, error) {
	n := len(p)
	c.total += int64(n)
	if room := keepHead - len(c.head); room > 0 {
		take := min(room, len(p))
		c.head = append(c.head, p[:take]...)
		p = p[take:]
	}
	if len(p) > keepTail {
		p = p[len(p)-keepTail:]
	}
	if room := keepTail - len(c.tail); room > 0 {
		take := min(room, len(p))
		c.tail = append(c.tail, p[:take]...)
		p = p[take:]
	}
	for len(p) > 0 {
		k := copy(c.tail[c.start:], p)
		c.start = (c.start + k) % len(c.tail)
		p = p[k:]
	}
	return n, nil
}

// text returns what was kept and how many bytes are missing between head and tail. A cut falls on a line's end.
func (c *capture) text() ([]byte, int64) {
	kept := make([]byte, 0, len(c.head)+len(c.tail)+1)
	kept = append(kept, c.head...)
	cut := c.total - int64(len(c.head)+len(c.tail))
	if cut > 0 {
		kept = append(kept, '\n')
	}
	kept = append(kept, c.tail[c.start:]...)
	kept = append(kept, c.tail[:c.start]...)
	return kept, cut
}
