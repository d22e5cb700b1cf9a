package git

import (
	"io/fs"
	"syscall"
)

func statOf(info fs.FileInfo) fileStat {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileStat{}
	}
	return fileStat{ino: st.Ino, ctime: [2]uint32{uint32(st.Ctim.Sec), uint32(st.Ctim.Nsec)}, mtime: [2]uint32{uint32(st.Mtim.Sec), uint32(st.Mtim.Nsec)}}
}
