package gateway

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"gaggle/internal/fleet"
)

// allowlist decides which hosts may be reached.
type allowlist struct{ rules []rule }

type rule struct {
	host    string // lower case; without "*." for a suffix
	suffix  bool   // matches what ends in "." + host
	port    string // "" for 443 and 80
	private bool   // may resolve to private addresses
}

func newAllowlist(hosts, private []string) (*allowlist, error) {
	l := &allowlist{}
	for _, text := range hosts {
		r, ok := parseRule(text)
		if !ok {
			return nil, &fleet.Error{Code: fleet.CodeInvalid, Message: "egress: " + strconv.Quote(text) + " is not a host", Hint: "write proxy.golang.org, *.npmjs.org or host:8443"}
		}
		for _, p := range private {
			r.private = r.private || p == text
		}
		l.rules = append(l.rules, r)
	}
	return l, nil
}

func parseRule(text string) (rule, bool) {
	host, port := text, ""
	if h, p, err := net.SplitHostPort(text); err == nil {
		host, port = h, p
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return rule{}, false
		}
	}
	host, suffix := strings.CutPrefix(host, "*.")
	host, ok := hostName(host)
	return rule{host: host, suffix: suffix, port: port}, ok && !(suffix && !strings.Contains(host, "."))
}

// find returns the rule that allows host and port, which must be in the form that hostName returns.
func (l *allowlist) find(host, port string) (rule, bool) {
	var found rule
	ok := false
	for _, r := range l.rules {
		named := r.host == host && !r.suffix || r.suffix && strings.HasSuffix(host, "."+r.host)
		if named && (r.port == port || r.port == "" && (port == "443" || port == "80")) {
			r.private = r.private || found.private
			found, ok = r, true
		}
	}
	return found, ok
}

// hostName returns a host in the one form that is compared: lower case, no dot at the end. It refuses whatever is not
// letters, digits, '-', '_' and dots or an IP address in its plain form: NUL bytes, escapes, other alphabets (write
// them in punycode), zones, addresses in octal or hexadecimal.
func hostName(text string) (string, bool) {
	if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" {
		return ip.String(), true
	}
	host := strings.ToLower(strings.TrimSuffix(text, "."))
	if host == "" || len(host) > 253 {
		return "", false
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' {
			return "", false
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return "", false
			}
		}
	}
	// What ends in a number is an address to many resolvers: 127.1, 0x7f000001, 2130706433.
	if last := labels[len(labels)-1]; last[0] >= '0' && last[0] <= '9' {
		return "", false
	}
	return host, true
}

// dial resolves the host and connects to the first of its addresses that may be reached. The address that was checked
// is the one connected to: nothing resolves again in between.
func (g *Gateway) dial(ctx context.Context, host, port string, r rule) (net.Conn, error) {
	var addresses []netip.Addr
	if ip, err := netip.ParseAddr(host); err == nil {
		addresses = []netip.Addr{ip}
	} else if addresses, err = g.config.Lookup(ctx, host); err != nil {
		return nil, fleet.Errorf(fleet.CodePolicy, "%s cannot be resolved", host)
	}
	err := error(fleet.Errorf(fleet.CodePolicy, "%s has no address that may be reached from here", host))
	for _, ip := range addresses {
		if !r.private && !public(ip) {
			continue
		}
		conn, failed := g.config.Dial(ctx, "tcp", net.JoinHostPort(ip.Unmap().String(), port))
		if failed == nil {
			return conn, nil
		}
		err = fleet.Errorf(fleet.CodePolicy, "%s cannot be reached", host)
	}
	return nil, err
}

// special are the ranges that are not the public internet, beside those that netip names. Ranges that carry an IPv4
// address inside are among them: what they lead to cannot be told here.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("3fff::/20"), netip.MustParsePrefix("fec0::/10"),
}

// public reports whether an address is on the public internet.
func public(ip netip.Addr) bool {
	if ip = ip.Unmap(); !ip.IsValid() || !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.Zone() != "" {
		return false
	}
	for _, p := range special {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}
