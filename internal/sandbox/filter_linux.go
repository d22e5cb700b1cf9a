package sandbox

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// What a filter answers: let the call through, or fail it with an error number.
const allow = answer(unix.SECCOMP_RET_ALLOW)

type answer uint32

func refuse(errno unix.Errno) answer { return answer(unix.SECCOMP_RET_ERRNO | uint32(errno)) }

// rule is what happens to some system calls: the answer of the first case that fits, else the last answer.
type rule struct {
	calls []string // those that the architecture does not have are left out
	cases []when
	last  answer
}

// when is a case: all its tests hold.
type when struct {
	tests []test
	then  answer
}

// test looks at the lower half of an argument, which is all that the kernel looks at in every argument tested here: ints,
// modes and clone's flags. A program cannot get past it by what it puts into the upper half.
type test struct {
	argument uint32
	any      bool // some of the bits of value are set; else the argument is equal to it
	value    uint32
}

func is(argument, value uint32) test   { return test{argument, false, value} }
func some(argument, value uint32) test { return test{argument, true, value} }

// filter assembles the system call filter in the form that bubblewrap reads: an array of struct sock_filter.
//
// It is an allowlist: what a kernel will learn one day is refused until somebody looked at it. Unknown calls, those of
// another architecture or of x32 included, hear that there is no such call: programs then fall back to an older one.
func filter() (string, error) {
	info, err := arch.GetInfo("")
	if err != nil {
		return "", err
	}
	if len(info.SyscallNames) == 0 {
		return "", fmt.Errorf("no system call table for %s", info.Name)
	}
	instructions, err := assemble(info, rules())
	if err != nil {
		return "", err
	}
	raw, err := bpf.Assemble(instructions)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	for _, i := range raw {
		if err := binary.Write(&b, binary.NativeEndian, i); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// assemble compiles rules. Each call's part ends in an answer on every path, so that nothing after it ever runs with an
// argument where it expects the call's number.
func assemble(info *arch.Info, rules []rule) ([]bpf.Instruction, error) {
	const (
		numberAt = 0 // offsets in struct seccomp_data
		archAt   = 4
		argsAt   = 16
		x32      = 0x40000000
	)
	unknown := bpf.RetConstant{Val: uint32(refuse(unix.ENOSYS))}
	load := func(at uint32) bpf.Instruction { return bpf.LoadAbsolute{Off: at, Size: 4} }
	out := []bpf.Instruction{
		load(archAt), bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(info.ID), SkipTrue: 1}, unknown,
		load(numberAt), bpf.JumpIf{Cond: bpf.JumpLessThan, Val: x32, SkipTrue: 1}, unknown,
	}
	seen := map[string]bool{}
	for _, r := range rules {
		var body []bpf.Instruction
		for _, c := range r.cases {
			left := 2*len(c.tests) + 1 // instructions of this case, its answer included
			for _, t := range c.tests {
				left -= 2
				// Little endian, as both architectures that Gaggle runs on: the lower half comes first.
				body = append(body, load(argsAt+8*t.argument))
				jump := bpf.JumpIf{Cond: bpf.JumpEqual, Val: t.value, SkipFalse: uint8(left)}
				if t.any {
					jump.Cond = bpf.JumpBitsSet
				}
				body = append(body, jump)
			}
			body = append(body, bpf.RetConstant{Val: uint32(c.then)})
		}
		body = append(body, bpf.RetConstant{Val: uint32(r.last)})
		if len(body) > 255 {
			return nil, fmt.Errorf("the rule for %v is too long", r.calls)
		}
		for _, name := range r.calls {
			if seen[name] {
				return nil, fmt.Errorf("two rules for %s", name)
			}
			seen[name] = true
			if number, ok := info.SyscallNames[name]; ok {
				out = append(out, bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(number), SkipFalse: uint8(len(body))})
				out = append(out, body...)
			}
		}
	}
	return append(out, unknown), nil
}
