// Package redact knows what a secret looks like and takes it out of text.
//
// A Redactor holds values that are known to be secret (a model key, a forge token) and the patterns of well-known
// credentials (API keys of model providers and code hosts, cloud keys, private keys in PEM, JSON web tokens). It
// finds the known values also where they were written as JSON, as a URL, in hexadecimal or in base64. String and
// Bytes redact a whole text, and Writer redacts a stream without letting a secret slip through between two writes.
// The package is pure: it does no I/O of its own.
package redact
