package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// MinSecret is the length in bytes under which a known value is not looked for: it would hide ordinary words.
const MinSecret = 6

// forms lists how a secret may be written: as it is, inside a JSON string, in a URL, in hexadecimal, and in base64
// at any of the three alignments that it can have inside a longer value (as in "user:secret").
func forms(secret string) []string {
	seen := map[string]bool{}
	var all []string
	add := func(form string) {
		if len(form) >= MinSecret && !seen[form] {
			seen[form] = true
			all = append(all, form)
		}
	}
	add(secret)
	for _, html := range []bool{true, false} {
		escaped := inJSON(secret, html)
		add(escaped)
		add(strings.ReplaceAll(escaped, "/", `\/`))
		add(inJSON(escaped, html)) // JSON inside a JSON string, as tool arguments are
	}
	for _, form := range []string{url.QueryEscape(secret), url.PathEscape(secret), percent(secret)} {
		add(form)
		add(lowerEscapes(form))
	}
	add(hex.EncodeToString([]byte(secret)))
	add(strings.ToUpper(hex.EncodeToString([]byte(secret))))
	for shift := range 3 {
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			add(inBase64(secret, shift, enc))
		}
	}
	return all
}

func inJSON(text string, html bool) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(html)
	if enc.Encode(text) != nil || b.Len() < 3 {
		return text
	}
	return string(b.Bytes()[1 : b.Len()-2]) // without the quotes and the newline
}

// percent escapes every byte that is no letter and no digit.
func percent(text string) string {
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// lowerEscapes writes the hexadecimal digits of percent escapes in lower case.
func lowerEscapes(text string) string {
	b := []byte(text)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], bytes.ToLower(b[i+1:i+3]))
			i += 2
		}
	}
	return string(b)
}

// inBase64 returns the characters that depend on the secret alone when shift unknown bytes precede it and any follow.
func inBase64(secret string, shift int, enc *base64.Encoding) string {
	text := enc.EncodeToString(append(make([]byte, shift), secret...))
	first := (shift*8 + 5) / 6            // characters touched by what precedes
	last := (shift + len(secret)) * 8 / 6 // whole characters of what is known
	if first >= last {
		return ""
	}
	return text[first:last]
}
