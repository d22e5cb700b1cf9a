package gateway

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gaggle/internal/redact"
)

// TestPlantedSecretsReachNoTranscript plants a forge token, a file's key and the model key in every place that a
// request, a reply or an error has.
func TestPlantedSecretsReachNoTranscript(t *testing.T) {
	const token = "forge/token+with \"quotes\" 0123456789"
	fileKey := "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345"
	inJSON := strings.ReplaceAll(token, `"`, `\"`)
	escaped := ""
	for _, c := range token {
		escaped += fmt.Sprintf(`\u%04x`, c)
	}
	forms := []string{inJSON, escaped, url.QueryEscape(token), base64.StdEncoding.EncodeToString([]byte("x-token:" + token)), fileKey, plantedKey}
	all := strings.Join(forms, " ")
	// The reply says the key in two pieces, so that no single event holds it.
	half := len(plantedKey) / 2
	reply := "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"" + fileKey + "\",\"usage\":{\"input_tokens\":100,\"output_tokens\":1}}}\n\n" +
		"event: x\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n" +
		"event: x\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"" + all + plantedKey[:half] + "\"}}\n\n" +
		"event: x\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"" + plantedKey[half:] + "\"}}\n\n" +
		"event: x\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"name\":\"" + fileKey + "\",\"input\":{\"a\":\"" + all + "\"}}}\n\n" +
		"event: error\ndata: {\"type\":\"error\",\"error\":{\"message\":\"no " + all + "\"}}\n\n"
	w := start(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "responses") {
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"error":{"message":"Incorrect API key provided: `+plantedKey+` for `+all+`"}}`)
			return
		}
		streams(reply)(w, r)
	}, func(c *Config, s *SessionConfig) {
		c.Redactor = redact.New(token)
		s.Egress = []string{"allowed.example"}
	})
	_, got := w.post(t, "/anthropic/v1/messages", `{"model":"claude-sonnet-4-5","max_tokens":100,"stream":true,"`+fileKey+`":1,"system":"`+all+`",
		"messages":[{"role":"user","content":[{"type":"tool_result","content":"`+all+`"}]}],"tools":[{"name":"x","input_schema":{"`+fileKey+`":"`+all+`"}}]}`)
	if strings.Contains(got, plantedKey) {
		t.Error("the client sees the key")
	}
	w.post(t, "/openai/v1/responses", `{"model":"gpt-5","input":"`+all+`"}`)
	w.post(t, "/openai/v1/responses", `{"model":"`+fileKey+`","input":"`+all+`"}`)
	w.post(t, "/"+fileKey+"/v1/responses", `{}`)
	for _, target := range []string{"http://" + strings.ToLower(fileKey[4:]) + ".example/" + fileKey, "http://allowed.example:81/"} {
		req, _ := http.NewRequest(http.MethodGet, target, nil)
		send(t, w, "GET "+target+" HTTP/1.1\r\nHost: "+req.Host+"\r\nProxy-Authorization: Basic "+fileKey+"\r\n\r\n")
	}
	trouble := fmt.Sprint(w.session.Trouble())
	for _, place := range append([]string{trouble}, w.transcript.all...) {
		for _, secret := range append(forms, token, plantedKey[:half+4], plantedKey[half:]) {
			if strings.Contains(place, secret) {
				t.Errorf("%q is in %.600s", secret, place)
			}
		}
	}
	if entries := w.transcript.entries(t); len(entries) < 4 || !strings.Contains(entries[0].Reply.Text, redact.Mark) {
		t.Errorf("%d lines", len(entries))
	}
}

func TestTheKeyIsTakenOutOfRepliesAcrossPieces(t *testing.T) {
	text := "data: before " + plantedKey + " after\n\n"
	w := start(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range text {
			io.WriteString(w, text[i:i+1])
			http.NewResponseController(w).Flush()
		}
	}, nil)
	if _, got := w.post(t, kinds[0].path, kinds[0].body); got != "data: before [redacted] after\n\n" {
		t.Errorf("%q", got)
	}
}
