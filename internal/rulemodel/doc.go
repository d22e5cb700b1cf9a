// Package rulemodel is a model server without a model: an http.Handler that speaks Anthropic Messages, OpenAI Chat
// and OpenAI Responses (streaming too) and answers by rule, from the text that it is sent. The demo runs on it when no
// model key is there, and the tests drive Gaggle's own agent, Claude Code and the judge with it.
//
// It holds no canned diffs. It reads the prompt (families in rules.go: Go's io/ioutil and other Go renames with their
// imports, text replaced by text, error wrapping, a context argument, lines removed, settings set, lines and headers
// added), explores with whatever tools the request offers, reads the files it finds, computes edits from what it read,
// runs the verifiers, and reacts to what they, the guards and the judge say. Asked to judge, it reads the diff against
// the prompt and vetoes what the prompt did not ask for. It keeps no state between requests: each answer is derived
// from the conversation alone, so it can be killed, resumed and asked by many agents at once.
//
// What it reads is data: a repository's text never becomes a rule. The one exception is wanted: with Config.Lazy, a
// file that contains "rulemodel:lazy forget-imports" or "rulemodel:lazy skip-tests" makes the first try of that
// conversation a careless one, to show what the verifiers and the guards are for.
package rulemodel
