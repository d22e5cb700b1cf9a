// Package wire reads the three wire formats that models are spoken to in: Anthropic Messages, OpenAI Chat
// Completions and OpenAI Responses.
//
// Inspect reads what a meter and a policy must know of a request before it is sent: the model, the most that the
// reply can cost, and what in it would run or fetch something at the provider's. A Counter is fed with a reply as it
// passes, streamed or whole, and tells what the provider says that it cost, how far the reply came, and what the
// model said. Problem writes an error as each provider would. Everything here is fed by agents and by servers: it
// tolerates any bytes, and its memory is bounded.
package wire
