// Package sandbox runs code that Gaggle does not trust: agents, verifiers, and everything that they start.
//
// Start with Spec (what to run, what it may see, what it may use) and New, which probes the machine and returns a
// Sandbox or says what is missing and how to mend it. There are two: bubblewrap (Linux) and none, which isolates
// nothing and exists for machines that are thrown away anyway.
//
// Inside bubblewrap a program sees a root of its own made of an allowlist: the system's programs and libraries and the
// toolchains found on PATH, read-only; its work tree at WorkDir, its home at HomeDir and /tmp, writable. It has its own
// user, pid, network, IPC, UTS and cgroup namespaces, no capabilities, a system call filter, an environment that holds
// only what the Spec says, and limits on time, memory, processes, disk and output. It has no network; when the Spec
// names a Door, connections to DoorAddress come out at that unix socket and nowhere else. When Run returns, every
// process that was started is gone, also those that tried to get away, and when gaggle itself is killed they die with it.
//
// Programs that use this package with a Door call Main first thing in main (tests: in TestMain), because the program's
// own binary is what opens the door from the inside.
package sandbox
