package publish

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"gaggle/internal/git"
)

// payloadType is what an envelope holds.
const payloadType = "application/vnd.in-toto+json"

// envelope is a DSSE envelope.
type envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     string      `json:"payload"` // base64
	Signatures  []signature `json:"signatures"`
}

type signature struct {
	KeyID string `json:"keyid"` // the key's fingerprint, as ssh-keygen -l shows it
	Sig   string `json:"sig"`   // base64
}

// seal signs a statement with the key that signs commits. It is nil without one, and for keys that are not ed25519: those verify
// everywhere from their 32 bytes alone, and give the same signature twice.
func seal(payload []byte, sign *git.Signing) ([]byte, error) {
	if sign == nil || sign.Format != "ssh" {
		return nil, nil
	}
	key, err := ReadKey(sign.Key)
	if err != nil || key.private == nil {
		return nil, err
	}
	encode := base64.StdEncoding.EncodeToString
	data, err := json.MarshalIndent(envelope{payloadType, encode(payload), []signature{{key.Fingerprint, encode(ed25519.Sign(key.private, pae(payloadType, payload)))}}}, "", "  ")
	return append(data, '\n'), err
}

// pae is what is signed of a payload: DSSE's pre-authentication encoding.
func pae(payloadType string, payload []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "DSSEv1 %d %s %d ", len(payloadType), payloadType, len(payload))
	b.Write(payload)
	return b.Bytes()
}
