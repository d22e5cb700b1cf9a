package sandbox

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"gaggle/internal/fleet"
)

// doorConns bounds how many connections of one sandbox are open at once.
const doorConns = 256

// door takes connections on a listener that sandboxed code can reach and carries each to a unix socket outside.
type door struct {
	listener net.Listener
	socket   string
	slots    chan struct{}
	wg       sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]bool
}

// listenDoor opens a door on a loopback port of this machine.
func listenDoor(socket string) (*door, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fleet.Errorf(fleet.CodeSandbox, "sandbox: opening the door: %w", err)
	}
	return serveDoor(l, socket), nil
}

// serveDoor carries what l accepts to socket until close.
func serveDoor(l net.Listener, socket string) *door {
	d := &door{listener: l, socket: socket, slots: make(chan struct{}, doorConns), conns: map[net.Conn]bool{}}
	d.wg.Go(d.accept)
	return d
}

func (d *door) address() string { return d.listener.Addr().String() }

func (d *door) accept() {
	for {
		d.slots <- struct{}{}
		conn, err := d.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of file descriptors, for one: that passes
			<-d.slots
			time.Sleep(50 * time.Millisecond)
			continue
		}
		if !d.keep(conn) {
			return
		}
		d.wg.Go(func() {
			defer func() { <-d.slots }()
			defer d.drop(conn)
			d.carry(conn)
		})
	}
}

// carry copies both ways until both sides have said all they had to say.
func (d *door) carry(inside net.Conn) {
	outside, err := net.Dial("unix", d.socket)
	if err != nil || !d.keep(outside) {
		return
	}
	defer d.drop(outside)
	var wg sync.WaitGroup
	half := func(dst, src net.Conn) {
		_, err := io.Copy(dst, src)
		if c, ok := dst.(interface{ CloseWrite() error }); ok && err == nil {
			c.CloseWrite()
			return
		}
		dst.Close()
		src.Close()
	}
	wg.Go(func() { half(outside, inside) })
	half(inside, outside)
	wg.Wait()
}

func (d *door) keep(c net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		c.Close()
		return false
	}
	d.conns[c] = true
	return true
}

func (d *door) drop(c net.Conn) {
	c.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.conns, c)
}

// close ends every connection and returns when nothing of the door is left.
func (d *door) close() {
	d.mu.Lock()
	d.closed = true
	for c := range d.conns {
		c.Close()
	}
	d.mu.Unlock()
	if err := d.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return
	}
	d.wg.Wait()
}
