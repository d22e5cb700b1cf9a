package gateway

import (
	"errors"
	"io"
)

// maxHello is more than a ClientHello takes, large keys of newer kinds included.
const maxHello = 64 << 10

var (
	errNoTLS  = errors.New("what is sent is not TLS")
	errNoName = errors.New("the TLS greeting names no host")
	errHidden = errors.New("the TLS greeting hides its host (encrypted client hello)")
)

// readHello reads a TLS ClientHello and returns the bytes read, to be sent on, and the host that it names. It reads no
// byte beyond the greeting's records.
func readHello(r io.Reader) (raw []byte, host string, err error) {
	var message []byte
	for {
		head := make([]byte, 5)
		if _, err := io.ReadFull(r, head); err != nil {
			return nil, "", errNoTLS
		}
		size := int(head[3])<<8 | int(head[4])
		if head[0] != 22 || head[1] != 3 || size == 0 || size > 16<<10 || len(raw)+size > maxHello {
			return nil, "", errNoTLS
		}
		body := make([]byte, size)
		if _, err := io.ReadFull(r, body); err != nil {
			return nil, "", errNoTLS
		}
		raw = append(append(raw, head...), body...)
		message = append(message, body...)
		if len(message) < 4 {
			continue
		}
		if message[0] != 1 {
			return nil, "", errNoTLS
		}
		if want := 4 + (int(message[1])<<16 | int(message[2])<<8 | int(message[3])); want > maxHello {
			return nil, "", errNoTLS
		} else if len(message) >= want {
			host, err := helloName(message[4:want])
			return raw, host, err
		}
	}
}

// bytesOf reads the parts of a TLS message. Once it has run out it stays empty and not ok.
type bytesOf struct {
	b  []byte
	ok bool
}

func (p *bytesOf) take(n int) []byte {
	if !p.ok || len(p.b) < n {
		p.ok = false
		return nil
	}
	out := p.b[:n]
	p.b = p.b[n:]
	return out
}

// vector reads a length of so many bytes and as many bytes as it says.
func (p *bytesOf) vector(lengthBytes int) bytesOf {
	n := 0
	for _, c := range p.take(lengthBytes) {
		n = n<<8 | int(c)
	}
	out := p.take(n)
	return bytesOf{out, p.ok}
}

func (p *bytesOf) uint16() int {
	b := p.take(2)
	if b == nil {
		return -1
	}
	return int(b[0])<<8 | int(b[1])
}

// helloName returns the one host name in the body of a ClientHello.
func helloName(body []byte) (string, error) {
	p := bytesOf{body, true}
	p.take(2 + 32) // version, random
	p.vector(1)    // session
	p.vector(2)    // cipher suites
	p.vector(1)    // compression
	extensions := p.vector(2)
	if !p.ok || len(p.b) != 0 {
		return "", errNoTLS
	}
	name := ""
	for len(extensions.b) > 0 {
		kind := extensions.uint16()
		data := extensions.vector(2)
		if !extensions.ok {
			return "", errNoTLS
		}
		switch kind {
		case 0xfe0d:
			return "", errHidden
		case 0:
			names := data.vector(2)
			form := names.take(1)
			host := names.vector(2)
			if !names.ok || len(names.b) != 0 || form[0] != 0 || name != "" || len(host.b) == 0 {
				return "", errNoTLS
			}
			name = string(host.b)
		}
	}
	if name == "" {
		return "", errNoName
	}
	return name, nil
}
