// Package script is the agent that is a program: a codemod, OpenRewrite, ten lines of shell.
//
// The program runs in the component's folder, inside the sandbox, and changes files. It learns about its target from the
// environment: GAGGLE_CAMPAIGN, GAGGLE_COMPONENT (reference), GAGGLE_NAME, GAGGLE_OWNER, GAGGLE_LANGUAGE,
// GAGGLE_REPOSITORY, GAGGLE_PATH (of the component in its repository), GAGGLE_ROOT (the work tree),
// GAGGLE_ROUND, and two files: GAGGLE_COMPONENT_FILE (all of it as JSON) and GAGGLE_FEEDBACK_FILE (why the round before
// was not good enough; empty in the first). Exit status 0 means done, whether or not anything changed; any other is a
// failure, whose message is the last line that the program printed.
package script
