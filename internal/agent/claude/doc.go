// Package claude drives Claude Code, headless, inside the sandbox.
//
// A round is one run of its program with the prompt on standard input and its event stream read from standard output; the
// next round resumes the session with feedback. The work tree and the home folder stand at the same paths in every round,
// because Claude Code keeps its sessions by them.
//
// Settings of the repository are code: its .claude/settings.json runs hooks and can send the model's traffic elsewhere, its
// .mcp.json starts programs. So only the settings of the home folder are read, which belongs to the attempt, no MCP server
// but those given (none) is started, and slash commands are off. What the repository says about itself in CLAUDE.md or
// AGENTS.md is handed in as information. Nobody is asked for permission: the sandbox is the permission.
//
// Success is exit status 0 and a result event without any sign of an error; tokens and money come from the gateway. What
// the program does with its flags was measured with the versions in known; a test runs the newest of them.
package claude
