package sandbox

import (
	"io"
	"os"
	"sync"
	"time"
)

// output carries a command's stdout and stderr to their writers and counts them. Past the limit it tells over once and
// goes on reading without passing anything on, so that whoever writes does not block before it is killed.
type output struct {
	over chan struct{} // closed when the limit is passed

	mu    sync.Mutex
	left  int64
	ended bool
	err   error // the first that a writer returned

	pumps sync.WaitGroup
	ends  []*os.File // read ends
}

func newOutput(limit int64) *output {
	return &output{over: make(chan struct{}), left: limit}
}

// pipe returns the end that the command writes to; the caller closes it after the start.
func (o *output) pipe(dst io.Writer) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	o.ends = append(o.ends, r)
	o.pumps.Go(func() { o.pump(r, dst) })
	return w, nil
}

func (o *output) pump(src *os.File, dst io.Writer) {
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			o.pass(dst, buf[:n])
		}
		if err != nil {
			return
		}
	}
}

// pass hands data on up to the limit. The lock also keeps writers that are the same value from being called at once.
func (o *output) pass(dst io.Writer, data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return
	}
	if int64(len(data)) > o.left {
		data = data[:o.left]
		o.ended = true
		close(o.over)
	}
	o.left -= int64(len(data))
	if dst == nil || o.err != nil || len(data) == 0 {
		return
	}
	if _, err := dst.Write(data); err != nil {
		o.err = err
	}
}

// exceeded reports whether the limit was passed.
func (o *output) exceeded() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ended
}

// finish waits until everything was passed on. What still holds the write end open by then is no process of the sandbox
// (it may have sent it away over a socket) and is not waited for long.
func (o *output) finish() error {
	for _, r := range o.ends {
		r.SetReadDeadline(time.Now().Add(2 * time.Second))
	}
	o.pumps.Wait()
	for _, r := range o.ends {
		r.Close()
	}
	return o.err
}

// head keeps the first bytes of a stream while passing all of it on.
type head struct {
	dst  io.Writer // nil discards
	text []byte
}

func (h *head) Write(p []byte) (int, error) {
	if room := 4096 - len(h.text); room > 0 {
		h.text = append(h.text, p[:min(room, len(p))]...)
	}
	if h.dst == nil {
		return len(p), nil
	}
	return h.dst.Write(p)
}

// same reports whether two writers are one, as os/exec does it.
func same(a, b io.Writer) bool {
	defer func() { _ = recover() }() // comparing uncomparable types panics: then they are two
	return a != nil && a == b
}

// input returns the file that a command reads src from. A Read of src may still be pending when the command has ended.
func input(src io.Reader) (*os.File, error) {
	if src == nil {
		return os.Open(os.DevNull)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	go func() {
		defer w.Close()
		io.Copy(w, src)
	}()
	return r, nil
}
