package wire

import "encoding/json"

// Problem writes an error body as the provider of that format would. kind is the provider's word for it, such as
// "invalid_request_error"; code is ours, and stands where the format has a place for one.
func Problem(f Format, kind, code, message string) []byte {
	type inner struct {
		Type    string  `json:"type"`
		Message string  `json:"message"`
		Code    string  `json:"code,omitempty"`
		Param   *string `json:"param,omitempty"`
	}
	body := any(struct {
		Error inner `json:"error"`
	}{inner{Type: kind, Message: message, Code: code}})
	if f == Messages {
		body = struct {
			Type  string `json:"type"`
			Error inner  `json:"error"`
		}{"error", inner{Type: kind, Message: message}}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return []byte(`{"error":{"type":"api_error","message":"internal error"}}`)
	}
	return text
}
