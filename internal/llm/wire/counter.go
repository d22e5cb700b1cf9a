package wire

import (
	"bytes"
	"strings"
)

const (
	maxEvent = 8 << 20  // of a stream; a longer one is not read
	maxWhole = 64 << 20 // of a reply that is not streamed
	maxKept  = 4 << 20  // of what a Reply holds
	maxCalls = 256      // in a Reply; what further ones hold is added to the last
)

// Count is what a Counter learnt of a reply.
type Count struct {
	Usage    Usage
	Input    bool   // the provider told what it read
	Output   bool   // the provider told, finally, what it wrote
	Odd      bool   // a count was negative or beyond belief, and was not taken
	Complete bool   // the reply came to its proper end
	Seen     int64  // bytes that the model visibly wrote
	Model    string // the model that the reply names
	Failure  string // the error that the reply ended with, when it did
	Reply    Reply
}

// Reply is what the model said, put together from its pieces.
type Reply struct {
	Text     string     `json:"text,omitempty"`
	Thinking string     `json:"thinking,omitempty"`
	Calls    []ToolCall `json:"calls,omitempty"`
	Stop     string     `json:"stop,omitempty"`
}

// ToolCall is one call of a tool that the model asked for; Input is JSON as the model wrote it.
type ToolCall struct {
	Name  string `json:"name"`
	Input string `json:"input"`
}

// Counter reads a reply as it passes. It is written to with the reply's bytes, cut anywhere, and never fails.
type Counter struct {
	format Format
	stream bool
	line   []byte // of a stream: the line under way
	data   []byte // of a stream: the event under way; else the whole reply
	lost   bool   // the event or reply under way is too long to be read
	cr     bool   // the last line ended with \r: a \n now belongs to it

	use   usage
	count Count
	kept  int
	text  strings.Builder
	think strings.Builder
	calls []*call
}

type call struct {
	key   string
	name  string
	input strings.Builder
}

// NewCounter makes a Counter for a reply in that format; stream tells whether it is an event stream.
func NewCounter(f Format, stream bool) *Counter { return &Counter{format: f, stream: stream} }

// Write takes the next bytes. It always takes all of them.
func (c *Counter) Write(p []byte) (int, error) {
	n := len(p)
	if !c.stream {
		if c.lost = c.lost || len(c.data)+n > maxWhole; !c.lost {
			c.data = append(c.data, p...)
		}
		return n, nil
	}
	for len(p) > 0 {
		if c.cr && p[0] == '\n' {
			p = p[1:]
		}
		c.cr = false
		end := bytes.IndexAny(p, "\r\n")
		if end < 0 {
			c.grow(&c.line, p)
			break
		}
		c.grow(&c.line, p[:end])
		c.cr = p[end] == '\r'
		p = p[end+1:]
		c.endLine()
	}
	return n, nil
}

func (c *Counter) grow(to *[]byte, p []byte) {
	if c.lost = c.lost || len(*to)+len(p) > maxEvent; !c.lost {
		*to = append(*to, p...)
	}
}

func (c *Counter) endLine() {
	line := c.line
	c.line = c.line[:0]
	if len(line) == 0 && !c.lost {
		c.endEvent()
		return
	}
	if len(line) == 0 { // the end of an event that was too long
		c.lost, c.data = false, c.data[:0]
		return
	}
	if data, ok := bytes.CutPrefix(line, []byte("data:")); ok {
		if len(c.data) > 0 {
			c.grow(&c.data, []byte("\n"))
		}
		c.grow(&c.data, bytes.TrimPrefix(data, []byte(" ")))
	}
}

func (c *Counter) endEvent() {
	if len(c.data) == 0 {
		return
	}
	data := c.data
	c.data = c.data[:0]
	if string(bytes.TrimSpace(data)) == "[DONE]" {
		c.count.Complete = c.count.Complete || c.format == Chat
		return
	}
	v, err := parse(data)
	if err != nil {
		return
	}
	switch c.format {
	case Messages:
		c.messagesEvent(v)
	case Chat:
		c.chat(v, "delta")
	case Responses:
		c.responsesEvent(v)
	}
}

// Count returns what is known so far. After the last Write it also takes in an event whose end did not come.
func (c *Counter) Count() Count {
	if c.stream {
		if len(c.line) > 0 && !c.lost {
			c.endLine()
		}
		c.endEvent()
	} else if v, err := parse(c.data); err == nil && !c.lost {
		c.data = nil
		c.whole(v)
	} else if len(c.data) > 0 {
		c.count.Seen = max(c.count.Seen, int64(len(c.data)))
	}
	if c.format == Chat && c.use.output && c.count.Reply.Stop != "" {
		c.count.Complete = true // not every endpoint ends with [DONE]
	}
	out := c.count
	out.Usage, out.Odd, out.Input = c.use.Usage, c.use.odd, c.use.input
	out.Output = c.use.output && c.count.Complete
	out.Reply.Text, out.Reply.Thinking = c.text.String(), c.think.String()
	for _, call := range c.calls {
		out.Reply.Calls = append(out.Reply.Calls, ToolCall{call.name, call.input.String()})
	}
	return out
}

// say keeps what the model wrote, as far as there is room, and counts all of it.
func (c *Counter) say(to *strings.Builder, v value) {
	s := v.str()
	c.count.Seen += int64(len(s))
	if c.kept += len(s); c.kept <= maxKept {
		to.WriteString(s)
	}
}

func (c *Counter) callOf(key, name string) *call {
	for _, known := range c.calls {
		if known.key == key {
			if known.name == "" {
				known.name = name
			}
			return known
		}
	}
	if len(c.calls) < maxCalls {
		c.calls = append(c.calls, &call{key: key, name: name})
	}
	return c.calls[len(c.calls)-1]
}

func (c *Counter) model(v value) {
	if s := v.str(); s != "" && len(s) <= 200 {
		c.count.Model = s
	}
}

func (c *Counter) fail(v value) {
	if v.isNull() {
		return
	}
	text := v.get("message").str()
	if text == "" {
		text = string(v)
	}
	c.count.Failure = text[:min(len(text), 1000)]
}
