package rulemodel

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	"gaggle/internal/fleet"
)

// Kind is what goes wrong with a request.
type Kind string

// The faults that a Server can be told to have.
const (
	None         Kind = ""
	RateLimit    Kind = "429"      // refused, come back in a moment
	Overload     Kind = "529"      // the same for everybody
	Unauthorized Kind = "401"      // the key is not accepted
	Broken       Kind = "500"      // the server's own fault
	Hang         Kind = "hang"     // no answer until the caller goes away
	Nonsense     Kind = "nonsense" // an answer that is no answer: a web page
	Babble       Kind = "babble"   // a well-formed answer without sense: text, and no tool called
	Truncate     Kind = "truncate" // the answer breaks off half way
)

// Fault is one thing that goes wrong with the next requests.
type Fault struct {
	Kind  Kind // None lets requests through, so that a later fault hits a later one
	Times int  // how many requests; negative for all that follow. Defaults to 1
}

// ParseFaults reads a knob such as "429:2,none:3,hang" (two refusals, three good answers, then one that never comes;
// "*" for all that follow).
func ParseFaults(text string) ([]Fault, error) {
	var faults []Fault
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, times, counted := strings.Cut(part, ":")
		f := Fault{Kind: Kind(name), Times: 1}
		switch f.Kind {
		case "none":
			f.Kind = None
		case RateLimit, Overload, Unauthorized, Broken, Hang, Nonsense, Babble, Truncate:
		default:
			return nil, &fleet.Error{Code: fleet.CodeInvalid, Message: strconv.Quote(name) + " is not a fault",
				Hint: "one of none, 401, 429, 500, 529, hang, nonsense, babble, truncate"}
		}
		if times == "*" {
			f.Times = -1
		} else if counted {
			n, err := strconv.Atoi(times)
			if err != nil || n < 1 {
				return nil, &fleet.Error{Code: fleet.CodeInvalid, Message: strconv.Quote(times) + " is not a number of requests", Hint: "write 429:2 or 429:*"}
			}
			f.Times = n
		}
		faults = append(faults, f)
	}
	return faults, nil
}

// next counts a request and takes the fault that it meets.
func (s *Server) next() Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if len(s.faults) == 0 {
		return Fault{}
	}
	f := s.faults[0]
	switch {
	case f.Times < 0:
	case f.Times <= 1:
		s.faults = s.faults[1:]
	default:
		s.faults[0].Times--
	}
	return f
}

// strike answers with the fault, or reports false when the request is to be answered after all.
func (f Fault) strike(w http.ResponseWriter, r *http.Request, as wireFormat) bool {
	switch f.Kind {
	case RateLimit, Overload, Unauthorized, Broken:
		status, err := strconv.Atoi(string(f.Kind))
		if err != nil {
			status = http.StatusInternalServerError
		}
		w.Header().Set("Retry-After", "0.01") // whoever waits for longer does so on their own account
		as.refuse(w, status, "simulated "+string(f.Kind))
	case Hang:
		if c := http.NewResponseController(w); c != nil {
			_ = c.Flush() // the head goes out: a caller that waits for the first byte waits for the body now
		}
		<-r.Context().Done()
	case Nonsense:
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html><body>502 Bad Gateway</body></html>")
	default:
		return false
	}
	return true
}
