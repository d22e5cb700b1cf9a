package transport

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gaggle/internal/fleet"
	"gaggle/internal/forge"
)

// Error makes whatever a client library returns one of ours: a refusal stays as it is, the end of the context is said
// plainly, and a reply that cannot be read is a failure that may pass.
func Error(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var own *fleet.Error
	if errors.As(err, &own) {
		return own
	}
	return &fleet.Error{Code: fleet.CodeForge, Message: "the forge's reply cannot be read", Err: fmt.Errorf("%w: %s", forge.ErrPassing, excerpt(err.Error()))}
}

// StatusOf returns the HTTP status that an error is about; 0 for none.
func StatusOf(err error) int {
	var s *Status
	if errors.As(err, &s) {
		return s.Code
	}
	return 0
}

// Says reports whether the host's refusal holds any of these words, whatever their case.
func Says(err error, words ...string) bool {
	var s *Status
	if !errors.As(err, &s) {
		return false
	}
	said := strings.ToLower(s.Body)
	for _, w := range words {
		if strings.Contains(said, strings.ToLower(w)) {
			return true
		}
	}
	return false
}
