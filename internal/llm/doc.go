// Package llm makes one request to one model and says what it cost.
//
// Client is the seam: Complete sends a conversation with its tools and returns the model's next message. New makes
// one for Anthropic Messages or for any OpenAI-compatible chat endpoint, over an http.Client and a base URL given, so
// the same code talks to a provider, to a local endpoint or through the gateway. Prices turns tokens into money from
// a table that ships with the program, with date and source of every line. The wire
// formats themselves are read in llm/wire, which the gateway uses too.
package llm
