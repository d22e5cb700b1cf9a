package native

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/llm"
)

// marker is the argument that tells a program that it was started as the inside half.
const marker = "@gaggle-native-agent"

// requestTimeout bounds one request to the model. An answer is not streamed, so this is how long all of it may take.
const requestTimeout = 10 * time.Minute

// Main must be called early in main, and in TestMain: when the process was started as the inside half, it does the round
// and never returns.
func Main() {
	if len(os.Args) < 6 || os.Args[1] != marker {
		return
	}
	out := &printer{w: os.Stdout}
	if err := inside(context.Background(), os.Args[2:], os.Stdin, out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// inside does one round. args are the work tree, the folder to work in, the home folder, the endpoint's base URL, and the
// command that verifies.
func inside(ctx context.Context, args []string, in io.Reader, out *printer) error {
	var o order
	if err := json.NewDecoder(io.LimitReader(in, 64<<20)).Decode(&o); err != nil {
		return fmt.Errorf("the task cannot be read: %w", err)
	}
	if !sessionName.MatchString(o.Session) {
		return errors.New("the session has no name")
	}
	client, err := llm.New(llm.Config{Format: o.Format, BaseURL: args[3], Key: "gateway", HTTP: &http.Client{Timeout: requestTimeout}})
	if err != nil {
		return err
	}
	ground, err := openGround(args[0], args[1])
	if err != nil {
		return err
	}
	defer ground.Close()
	var verify []string
	if o.Verify {
		verify = args[4:]
	}
	l := &loop{client: client, order: o, tools: newTools(ground, verify), out: out, file: sessionFile(args[2], o.Session)}
	return l.run(ctx)
}

// printer writes events.
type printer struct{ w io.Writer }

func (p *printer) print(e event) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = p.w.Write(append(line, '\n'))
	return err
}

// codeOf returns the code that an error of the model's client has, for a result.
func codeOf(err error) fleet.Code {
	var e *fleet.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return fleet.CodeModel
}
