package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"gaggle/internal/fleet"
)

// JSON sends in, unless it is nil, and reads the reply into out, unless that is nil. It returns the reply's header.
func (t *Transport) JSON(ctx context.Context, method, url string, in, out any) (http.Header, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, fleet.Errorf(fleet.CodeInvalid, "the forge's URL cannot be asked: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := t.Client().Do(req)
	if err != nil {
		return nil, Error(ctx, err)
	}
	defer resp.Body.Close()
	if out == nil {
		_, err = io.Copy(io.Discard, resp.Body)
	} else if err = json.NewDecoder(resp.Body).Decode(out); errors.Is(err, io.EOF) && resp.StatusCode == http.StatusNoContent {
		err = nil
	}
	return resp.Header, Error(ctx, err)
}

// Tail reads a text and returns its last bytes.
func (t *Transport) Tail(ctx context.Context, url string, limit int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fleet.Errorf(fleet.CodeForge, "the log's URL cannot be asked")
	}
	resp, err := t.Client().Do(req)
	if err != nil {
		return nil, Error(ctx, err)
	}
	defer resp.Body.Close()
	tail, err := LastBytes(resp.Body, limit)
	return tail, Error(ctx, err)
}

// LastBytes reads to the end and returns the last bytes, with memory for no more than two chunks beside them.
func LastBytes(r io.Reader, limit int64) ([]byte, error) {
	var kept []byte
	chunk := make([]byte, 64<<10)
	for {
		n, err := r.Read(chunk)
		kept = append(kept, chunk[:n]...)
		if int64(len(kept)) > 2*limit {
			kept = append([]byte(nil), kept[int64(len(kept))-limit:]...)
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return kept[max(0, int64(len(kept))-limit):], err
		}
	}
}
