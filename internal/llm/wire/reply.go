package wire

// whole reads a reply that was not streamed.
func (c *Counter) whole(v value) {
	switch c.format {
	case Messages:
		if v.get("type").str() == "error" {
			c.fail(v.get("error"))
			return
		}
		c.model(v.get("model"))
		c.use.messages(v.get("usage"))
		for block := range v.get("content").elements() {
			c.block(string(rune('a'+len(c.calls))), block)
		}
		c.count.Reply.Stop = v.get("stop_reason").str()
		c.count.Complete = v.get("content").isArray()
	case Chat:
		c.chat(v, "message")
		c.count.Complete = v.get("choices").isArray()
	case Responses:
		c.response(v)
		for item := range v.get("output").elements() {
			c.outputItem(item)
		}
	}
}

// block reads a content block of Anthropic Messages.
func (c *Counter) block(key string, block value) {
	switch block.get("type").str() {
	case "text":
		c.say(&c.text, block.get("text"))
	case "thinking":
		c.say(&c.think, block.get("thinking"))
	case "redacted_thinking":
		c.count.Seen += int64(len(block.get("data")))
	case "tool_use", "server_tool_use":
		call := c.callOf(key, block.get("name").str())
		if input := block.get("input"); len(input) > 2 {
			c.count.Seen += int64(len(input))
			if c.kept += len(input); c.kept <= maxKept {
				call.input.Write(input)
			}
		}
	}
}

func (c *Counter) messagesEvent(v value) {
	switch v.get("type").str() {
	case "message_start":
		c.model(v.get("message", "model"))
		c.use.messages(v.get("message", "usage"))
	case "content_block_start":
		c.block(string(v.get("index")), v.get("content_block"))
	case "content_block_delta":
		delta := v.get("delta")
		switch delta.get("type").str() {
		case "text_delta":
			c.say(&c.text, delta.get("text"))
		case "thinking_delta":
			c.say(&c.think, delta.get("thinking"))
		case "signature_delta":
			c.count.Seen += int64(len(delta.get("signature")))
		case "input_json_delta":
			c.say(&c.callOf(string(v.get("index")), "").input, delta.get("partial_json"))
		}
	case "message_delta":
		c.use.messages(v.get("usage"))
		if s := v.get("delta", "stop_reason").str(); s != "" {
			c.count.Reply.Stop = s
		}
	case "message_stop":
		c.count.Complete = true
	case "error":
		c.fail(v.get("error"))
	}
}

// chat reads a chat completion or a chunk of one; part is "message" or "delta".
func (c *Counter) chat(v value, part string) {
	c.fail(v.get("error"))
	c.model(v.get("model"))
	c.use.openai(v.get("usage"), "prompt_tokens", "prompt_tokens_details", "completion_tokens")
	c.use.openai(v.get("x_groq", "usage"), "prompt_tokens", "prompt_tokens_details", "completion_tokens")
	for choice := range v.get("choices").elements() {
		m := choice.get(part)
		c.say(&c.text, m.get("content"))
		c.say(&c.text, m.get("refusal"))
		c.say(&c.think, m.get("reasoning_content"))
		c.say(&c.think, m.get("reasoning"))
		i := 0
		for tool := range m.get("tool_calls").elements() {
			key := string(choice.get("index")) + "." + string(tool.get("index"))
			if tool.get("index") == nil {
				key += string(rune('a' + i))
			}
			call := c.callOf(key, tool.get("function", "name").str())
			c.say(&call.input, tool.get("function", "arguments"))
			i++
		}
		if s := choice.get("finish_reason").str(); s != "" {
			c.count.Reply.Stop = s
		}
	}
}

// response reads a response object of OpenAI Responses, but for its output.
func (c *Counter) response(v value) {
	c.model(v.get("model"))
	c.use.openai(v.get("usage"), "input_tokens", "input_tokens_details", "output_tokens")
	c.fail(v.get("error"))
	switch status := v.get("status").str(); status {
	case "completed", "incomplete", "failed", "cancelled":
		c.count.Complete, c.count.Reply.Stop = true, status
	}
}

func (c *Counter) outputItem(item value) {
	switch item.get("type").str() {
	case "message":
		for part := range item.get("content").elements() {
			c.say(&c.text, part.get("text"))
			c.say(&c.text, part.get("refusal"))
		}
	case "reasoning":
		for part := range item.get("summary").elements() {
			c.say(&c.think, part.get("text"))
		}
	case "function_call", "custom_tool_call":
		call := c.callOf(item.get("call_id").str(), item.get("name").str())
		c.say(&call.input, item.get("arguments"))
		c.say(&call.input, item.get("input"))
	}
}

func (c *Counter) responsesEvent(v value) {
	switch v.get("type").str() {
	case "response.created", "response.in_progress":
		c.model(v.get("response", "model"))
	case "response.completed", "response.incomplete", "response.failed":
		c.response(v.get("response"))
	case "response.output_text.delta", "response.refusal.delta":
		c.say(&c.text, v.get("delta"))
	case "response.reasoning_summary_text.delta", "response.reasoning_text.delta":
		c.say(&c.think, v.get("delta"))
	case "response.output_item.added":
		if item := v.get("item"); item.get("name") != nil {
			c.callOf(item.get("id").str(), item.get("name").str())
		}
	case "response.function_call_arguments.delta", "response.custom_tool_call_input.delta":
		c.say(&c.callOf(v.get("item_id").str(), "").input, v.get("delta"))
	case "error":
		c.fail(v)
	}
}
