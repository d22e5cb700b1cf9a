package wire

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func hide(t interface{ Fatal(...any) }, pieces ...string) string {
	var out bytes.Buffer
	h := HideUsage(&out)
	for _, p := range pieces {
		if n, err := h.Write([]byte(p)); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// plainStream is chatStream as the provider would have sent it without being asked for the usage.
func plainStream() string {
	var kept []string
	for _, event := range strings.SplitAfter(chatStream, "\n\n") {
		if !strings.Contains(event, `"choices":[],`) {
			kept = append(kept, strings.ReplaceAll(event, `,"usage":null`, ""))
		}
	}
	return strings.Join(kept, "")
}

func TestAskedUsageIsHidden(t *testing.T) {
	if got := hide(t, chatStream); got != plainStream() {
		t.Errorf("got\n%s\nwant\n%s", got, plainStream())
	}
	rapid.Check(t, func(t *rapid.T) {
		var pieces []string
		for rest := chatStream; rest != ""; {
			n := min(len(rest), rapid.IntRange(1, 90).Draw(t, "cut"))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		if got := hide(t, pieces...); got != plainStream() {
			t.Fatal(got)
		}
	})
}

func TestOnlyUsageIsHidden(t *testing.T) {
	for in, want := range map[string]string{
		plainStream(): plainStream(),
		"data: {\"choices\":[{\"usage\":1}],\"a\":\"usage\"}\n\n":                     "data: {\"choices\":[{\"usage\":1}],\"a\":\"usage\"}\n\n",
		"data: {\"usage\":null,\"choices\":[1] , \"a\":2}\r\n\r\ndata: x\r\n\r\n":     "data: {\"choices\":[1],\"a\":2}\r\n\r\ndata: x\r\n\r\n",
		"data: {\"choices\":[{\"delta\":{}}],\"usage\":{\"prompt_tokens\":1}}\n\n":    "data: {\"choices\":[{\"delta\":{}}]}\n\n",
		"data: {\"choices\":[ ],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n": "data: [DONE]\n\n",
		"data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n":                     "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n",
		"event: x\ndata: {\"usage\":null,\"a\":1}\n\n":                                "event: x\ndata: {\"a\":1}\n\n",
		": keep-alive\n\ndata: not json\n\n":                                          ": keep-alive\n\ndata: not json\n\n",
		"data: {\"usage\":null":                                                       "data: {\"usage\":null",
		"data: {\"us\\u0061ge\":null,\"a\":1}\n\n":                                    "data: {\"a\":1}\n\n",
	} {
		if got := hide(t, in); got != want {
			t.Errorf("%q\ngot  %q\nwant %q", in, got, want)
		}
	}
}

func TestAnEventWithoutAnEndIsNotHeld(t *testing.T) {
	var out bytes.Buffer
	h := HideUsage(&out).(*hider)
	piece := []byte(strings.Repeat("x", 1<<20))
	for range 3 * maxEvent / len(piece) {
		h.Write(piece)
		if len(h.buf) > maxEvent+len(piece) {
			t.Fatalf("%d bytes are held", len(h.buf))
		}
	}
	h.Write([]byte("\n\ndata: {\"usage\":null,\"a\":1}\n\n"))
	if !bytes.HasSuffix(out.Bytes(), []byte("x\n\ndata: {\"a\":1}\n\n")) || out.Len() != 3*maxEvent+2+len("data: {\"a\":1}\n\n") {
		t.Errorf("%d bytes, ending in %q", out.Len(), out.Bytes()[out.Len()-40:])
	}
}

func FuzzHideUsage(f *testing.F) {
	f.Add([]byte(chatStream), uint16(5))
	f.Add([]byte("data: {\"usage\":{},\"choices\":[]}\r\n\r\n"), uint16(1))
	f.Fuzz(func(t *testing.T, text []byte, step uint16) {
		var pieces []string
		for rest := string(text); rest != ""; {
			n := min(len(rest), int(step)+1)
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		whole := hide(t, string(text))
		if cut := hide(t, pieces...); cut != whole {
			t.Fatalf("cut by %d: %q, whole: %q", step, cut, whole)
		}
		if !bytes.Contains(text, []byte("us")) && !bytes.Contains(text, []byte(`\u`)) && whole != string(text) {
			t.Fatalf("%q became %q", text, whole)
		}
		if again := hide(t, whole); len(again) > len(whole) {
			t.Fatalf("%q grew to %q", whole, again)
		}
	})
}
