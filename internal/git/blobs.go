package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"sync"

	"gaggle/internal/fleet"
)

// BlobReader reads contents out of one mirror through one long-lived process, which starts with the first read. Calls
// from several goroutines wait for each other.
type BlobReader struct {
	store  *Store
	gitDir string
	// distrust has the mirror made anew by whoever uses it next; nil where gitDir is no mirror.
	distrust func()
	ctx      context.Context
	cancel   context.CancelFunc

	mu      sync.Mutex
	cmd     *exec.Cmd // nil before the first read
	stderr  *tail
	in      io.WriteCloser
	out     *bufio.Reader
	broken  error // why nothing can be read any more
	doubted bool
}

// Blobs returns a reader of the repository's mirror. It ends with ctx or Close, whichever comes first.
func (s *Store) Blobs(ctx context.Context, repo fleet.Repository) (*BlobReader, error) {
	m, err := s.mirror(repo)
	if err != nil {
		return nil, err
	}
	if _, _, ok := m.state(); !ok {
		if _, err := s.Refresh(ctx, repo, 0); err != nil {
			return nil, err
		}
	}
	return s.blobs(ctx, m.dir, m.distrust), nil
}

func (s *Store) blobs(ctx context.Context, gitDir string, distrust func()) *BlobReader {
	ctx, cancel := context.WithCancel(ctx)
	return &BlobReader{store: s, gitDir: gitDir, distrust: distrust, ctx: ctx, cancel: cancel}
}

// start starts the process, once.
func (r *BlobReader) start() error {
	if r.broken != nil || r.cmd != nil {
		return r.broken
	}
	cmd, stderr := r.store.prepare(r.ctx, command{gitDir: r.gitDir, args: []string{"cat-file", "--batch-command", "-z", "--buffer"}})
	in, err := cmd.StdinPipe()
	if err == nil {
		var out io.ReadCloser
		if out, err = cmd.StdoutPipe(); err == nil {
			r.out = bufio.NewReaderSize(out, 64<<10)
			err = r.store.starter.start(cmd)
		}
	}
	if err != nil {
		r.broken = classify(err, "git cat-file could not be started")
		return r.broken
	}
	r.cmd, r.stderr, r.in = cmd, stderr, in
	return nil
}

// Close ends the process, and whatever is being read from it.
func (r *BlobReader) Close() {
	r.cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken == nil {
		r.broken = errors.New("the reader is closed")
		if r.cmd != nil {
			r.in.Close()
			_ = r.cmd.Wait()
		}
	}
}

// ErrTooLarge says that an object is larger than the reader wants; errors.As finds it in what Read returns.
type ErrTooLarge struct{ Size int64 }

func (e *ErrTooLarge) Error() string { return fmt.Sprintf("the object has %d bytes", e.Size) }

// Read returns the content of an object of at most limit bytes; a larger one is an ErrTooLarge, one that is not
// there has the code not_found.
func (r *BlobReader) Read(oid string, limit int64) ([]byte, error) {
	if !validOID(oid) {
		return nil, fleet.Errorf(fleet.CodeInternal, "git: %q is not an object", clean(oid))
	}
	return r.read(oid, limit)
}

// ReadPath is Read for the file at a path of a tree or commit. Links are not followed: a link's content is its target.
func (r *BlobReader) ReadPath(tree, file string, limit int64) ([]byte, error) {
	file = path.Clean(file)
	if !validOID(tree) || file == ".." || strings.HasPrefix(file, "../") || path.IsAbs(file) || strings.ContainsRune(file, 0) {
		return nil, fleet.Errorf(fleet.CodeInvalid, "%q is not a path inside the repository", clean(file))
	}
	return r.read(tree+":"+file, limit)
}

func (r *BlobReader) read(name string, limit int64) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// The size is asked for first: a huge object must not come through the pipe.
	oid, kind, size, err := r.ask("info " + name)
	if err != nil {
		return nil, err
	}
	if kind != "blob" {
		return nil, fleet.Errorf(fleet.CodeNotFound, "%s is not a file", clean(name))
	}
	if size > limit {
		return nil, &ErrTooLarge{Size: size}
	}
	if _, _, size, err = r.ask("contents " + oid); err != nil {
		return nil, err
	}
	return r.content(size)
}

// Each reads many objects in one go, several times as fast as one Read after another. Objects larger than limit
// are handed to each as nil content with their size. It stops at the first error, after which the reader is of no use;
// each must not call the reader.
func (r *BlobReader) Each(oids iter.Seq[string], limit int64, each func(oid string, size int64, content []byte) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	const ahead = 256
	batch := make([]string, 0, ahead)
	for oid := range oids {
		if !validOID(oid) {
			return fleet.Errorf(fleet.CodeInternal, "git: %q is not an object", clean(oid))
		}
		if batch = append(batch, oid); len(batch) == ahead {
			if err := r.eachOf(batch, limit, each); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return r.eachOf(batch, limit, each)
}

func (r *BlobReader) eachOf(batch []string, limit int64, each func(oid string, size int64, content []byte) error) error {
	if len(batch) == 0 {
		return nil
	}
	// Questions of one batch fit a pipe's buffer together with their short answers, so neither side waits for the other.
	sizes := make([]int64, len(batch))
	if err := r.send("info", batch); err != nil {
		return err
	}
	var wanted []string
	for i, oid := range batch {
		_, kind, size, err := r.answer(oid)
		if err != nil {
			return r.end(err)
		}
		if sizes[i] = size; size <= limit && kind == "blob" {
			wanted = append(wanted, oid)
		}
	}
	if err := r.send("contents", wanted); err != nil {
		return err
	}
	for i, oid := range batch {
		var content []byte
		if len(wanted) > 0 && wanted[0] == oid {
			wanted = wanted[1:]
			_, _, size, err := r.answer(oid)
			if err == nil {
				content, err = r.content(size)
			}
			if err != nil {
				return r.end(err)
			}
		}
		if err := each(oid, sizes[i], content); err != nil {
			_ = r.end(errors.New("reading was stopped halfway"))
			return err
		}
	}
	return nil
}

func (r *BlobReader) send(verb string, names []string) error {
	if err := r.start(); err != nil {
		return err
	}
	var b strings.Builder
	for _, n := range names {
		b.WriteString(verb + " " + n + "\x00")
	}
	b.WriteString("flush\x00")
	if _, err := io.WriteString(r.in, b.String()); err != nil {
		return r.fail(err)
	}
	return nil
}

func (r *BlobReader) ask(question string) (oid, kind string, size int64, err error) {
	verb, name, _ := strings.Cut(question, " ")
	if err := r.send(verb, []string{name}); err != nil {
		return "", "", 0, err
	}
	return r.answer(name)
}

func (r *BlobReader) answer(name string) (oid, kind string, size int64, err error) {
	line, err := r.out.ReadString('\n')
	if err != nil {
		return "", "", 0, r.fail(err)
	}
	// "<oid> <type> <size>", or "<name> missing", where the name may hold anything, line ends too.
	f := strings.Fields(line)
	if len(f) == 3 && validOID(f[0]) {
		if size, err = strconv.ParseInt(f[2], 10, 64); err == nil {
			return f[0], f[1], size, nil
		}
	}
	for range strings.Count(name, "\n") {
		if _, err := r.out.ReadString('\n'); err != nil {
			return "", "", 0, r.fail(err)
		}
	}
	r.doubt(name)
	return "", "", 0, fleet.Errorf(fleet.CodeNotFound, "%s is not in the repository", clean(name))
}

func (r *BlobReader) content(size int64) ([]byte, error) {
	data := make([]byte, size)
	if _, err := io.ReadFull(r.out, data); err != nil {
		return nil, r.fail(err)
	}
	if _, err := r.out.Discard(1); err != nil {
		return nil, r.fail(err)
	}
	return data, nil
}

// doubt looks, once, whether a mirror that lacks an object by that name lacks what its own head needs. A name that
// never was in the repository is the caller's mistake, and no reason to throw a mirror away.
func (r *BlobReader) doubt(name string) {
	if !validOID(name) || strings.Trim(name, "0") == "" || r.doubted || r.distrust == nil {
		return
	}
	r.doubted = true
	err := r.store.run(r.ctx, command{gitDir: r.gitDir, args: []string{"rev-list", "--objects", "--quiet", headRef}})
	if err != nil && r.ctx.Err() == nil {
		r.distrust()
	}
}

// fail ends the reader after a broken answer: nothing that follows could be trusted.
func (r *BlobReader) fail(err error) error {
	r.in.Close()
	err = or(r.store.finish(r.ctx, r.cmd, r.stderr, "cat-file", r.cmd.Wait()), err)
	if damaged(err) {
		if r.distrust != nil {
			r.distrust()
		}
		err = &fleet.Error{Code: fleet.CodeMirrorCorrupt, Message: "the mirror is damaged", Err: err}
	}
	r.broken = classify(err, "the mirror could not be read")
	return r.broken
}

// end ends the reader where answers are still to come that nobody will read.
func (r *BlobReader) end(err error) error {
	if r.broken == nil {
		r.broken = err
		r.in.Close()
		r.cancel()
		_ = r.cmd.Wait()
	}
	return err
}
