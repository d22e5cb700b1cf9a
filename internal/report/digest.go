package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gaggle/internal/fleet"
)

// DigestInput is what one owner's digest is made from.
type DigestInput struct {
	Owner     string  // as targets name it
	Campaigns []Input // other owners' targets do not count, and may be left out; nor does their Now
	Now       time.Time
	Since     time.Time // what came to rest before is left out. Defaults to a week before Now
	Quiet     string    // why the owner is left alone now; "" when they are not
	Next      time.Time // when not any more; zero: not known
}

// Digest is what concerns one owner, over all campaigns.
type Digest struct {
	Owner string    `json:"owner"`
	At    time.Time `json:"at"`
	Since time.Time `json:"since"`
	Quiet string    `json:"quiet,omitempty"`
	Next  time.Time `json:"next,omitzero"`
	Open  []Open    `json:"open"`   // those that are asked for come first, the oldest first
	Ahead []Ahead   `json:"coming"` // by campaign
	Ended []Ended   `json:"ended"`  // by campaign
}

// Open is an open pull request.
type Open struct {
	Campaign  string    `json:"campaign"`
	What      string    `json:"what,omitempty"` // the campaign's description
	Component string    `json:"component"`
	Number    int       `json:"number,omitempty"`
	URL       string    `json:"url,omitempty"`
	Since     time.Time `json:"since"`
	CI        string    `json:"ci,omitempty"`
	Ask       string    `json:"ask,omitempty"` // of the owner; "" when it is not the owner's turn
	Also      []Also    `json:"also,omitempty"`
}

// Also is a further change that a pull request holds.
type Also struct {
	Campaign  string `json:"campaign"`
	Component string `json:"component"`
}

// Ahead is what a campaign is about to do to an owner's components.
type Ahead struct {
	Campaign string `json:"campaign"`
	What     string `json:"what,omitempty"`
	State    string `json:"state"`          // of the campaign
	Waiting  int    `json:"waiting"`        // for their wave
	Working  int    `json:"working"`        // being changed
	Ready    int    `json:"ready"`          // changed, to be proposed next
	Example  string `json:"example"`        // the first component by name
	Held     string `json:"held,omitempty"` // why one that is ready is not proposed yet
}

// Ended counts what came to rest lately.
type Ended struct {
	Campaign string `json:"campaign"`
	Merged   int    `json:"merged"`
	Closed   int    `json:"closed"`
	Failed   int    `json:"failed"`
}

// BuildDigest gathers what concerns one owner.
func BuildDigest(in DigestInput) Digest {
	if in.Since.IsZero() {
		in.Since = in.Now.AddDate(0, 0, -7)
	}
	d := Digest{Owner: in.Owner, At: in.Now, Since: in.Since, Quiet: in.Quiet, Next: in.Next, Open: []Open{}, Ahead: []Ahead{}, Ended: []Ended{}}
	for _, c := range in.Campaigns {
		c.Now = in.Now
		c.Targets = slices.DeleteFunc(slices.Clone(c.Targets), func(t fleet.Target) bool { return t.Owner != in.Owner })
		d.campaign(newBuilder(c), in.Since)
	}
	slices.SortFunc(d.Open, func(a, b Open) int {
		return cmp.Or(cmp.Compare(bit(a.Ask == ""), bit(b.Ask == "")), a.Since.Compare(b.Since), cmp.Compare(a.Campaign, b.Campaign), cmp.Compare(a.Component, b.Component))
	})
	d.Open = fold(d.Open)
	slices.SortFunc(d.Ahead, func(a, b Ahead) int { return cmp.Compare(a.Campaign, b.Campaign) })
	slices.SortFunc(d.Ended, func(a, b Ended) int { return cmp.Compare(a.Campaign, b.Campaign) })
	return d
}

// fold makes one entry of those that share a pull request.
func fold(all []Open) []Open {
	at := map[string]int{}
	folded := all[:0]
	for _, o := range all {
		first, seen := at[o.URL]
		if !seen || o.URL == "" {
			at[o.URL] = len(folded)
			folded = append(folded, o)
			continue
		}
		folded[first].Also = append(folded[first].Also, Also{o.Campaign, o.Component})
	}
	return folded
}

// components names every component that the pull request changes, campaigns every campaign.
func (o Open) components() string { return o.each(func(a Also) string { return short(a.Component) }) }
func (o Open) campaigns() string  { return o.each(func(a Also) string { return a.Campaign }) }

func (o Open) each(name func(Also) string) string {
	var names []string
	for _, a := range append([]Also{{o.Campaign, o.Component}}, o.Also...) {
		if n := mdCode(name(a)); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return strings.Join(names, ", ")
}

func (d *Digest) campaign(b *builder, since time.Time) {
	c := &b.in.Campaign
	ahead := Ahead{Campaign: c.Name, What: c.Description, State: string(c.State)}
	ended := Ended{Campaign: c.Name}
	for i := range b.in.Targets {
		t, l := &b.in.Targets[i], &b.lives[i]
		lately := int(bit(!l.since.Before(since)))
		switch t.State {
		case fleet.Proposed, fleet.Revising:
			o := Open{Campaign: c.Name, What: c.Description, Component: t.Component, Number: t.PullNumber, URL: t.PullURL, Since: l.openSince(), CI: l.pull.CI}
			if who, what := b.waitsFor(t, l); who == orNobody(t.Owner) {
				o.Ask = what
			}
			d.Open = append(d.Open, o)
			continue
		case fleet.Merged:
			ended.Merged += lately
			continue
		case fleet.Closed:
			ended.Closed += lately
			continue
		case fleet.Failed:
			ended.Failed += lately
			continue
		case fleet.Pending:
			ahead.Waiting++
		case fleet.Queued, fleet.Changing:
			ahead.Working++
		case fleet.Ready:
			ahead.Ready++
			if ahead.Held == "" {
				ahead.Held = clip(line(t.Held), 200)
			}
		default:
			continue
		}
		if ahead.Example == "" || t.Component < ahead.Example {
			ahead.Example = t.Component
		}
	}
	if ahead.Waiting+ahead.Working+ahead.Ready > 0 && c.State != fleet.CampaignCanceled && !c.DryRun {
		d.Ahead = append(d.Ahead, ahead)
	}
	if ended.Merged+ended.Closed+ended.Failed > 0 {
		d.Ended = append(d.Ended, ended)
	}
}

// Asked is how many pull requests wait for the owner.
func (d Digest) Asked() int {
	n := 0
	for _, o := range d.Open {
		n += int(bit(o.Ask != ""))
	}
	return n
}

// Empty reports whether there is nothing to tell.
func (d Digest) Empty() bool { return len(d.Open)+len(d.Ahead)+len(d.Ended) == 0 }

// DigestMarkdown writes a digest as GitHub's Markdown.
func DigestMarkdown(w io.Writer, d Digest) error {
	m := &markdown{w: bufio.NewWriter(w)}
	zone := d.At.Location()
	you := "you"
	if d.Owner == "" {
		you = "an owner"
		m.f("# What Gaggle has for nobody known\n\n")
	} else {
		m.f("# What Gaggle has for %s\n\n", mdOwner(d.Owner))
	}
	switch n := d.Asked(); {
	case n > 0:
		verb := map[bool]string{true: "waits", false: "wait"}[n == 1]
		m.f("**%s %s for %s**, the oldest for %s.", plural(n, "pull request"), verb, you, ago(d.At, d.Open[0].Since))
	case len(d.Open) > 0:
		m.f("Nothing waits for %s; %s on the way.", you, map[bool]string{true: "one pull request is", false: plural(len(d.Open), "pull request") + " are"}[len(d.Open) == 1])
	default:
		m.f("Nothing waits for %s.", you)
	}
	m.f(" As of %s.\n\n", moment(d.At, zone))
	m.table("Open", []string{"pull request", "component", "campaign", "open since", "checks", "asked of " + you}, len(d.Open), func(i int) []string {
		o := d.Open[i]
		return []string{mdPull(o), o.components(), o.campaigns(), moment(o.Since, zone) + " (" + ago(d.At, o.Since) + ")", checksCell(o.CI), mdText(cmp.Or(o.Ask, "nothing yet"))}
	})
	m.ahead(d)
	if len(d.Ended) > 0 {
		m.table("Since "+moment(d.Since, zone), []string{"campaign", "-merged", "-closed", "-failed"}, len(d.Ended), func(i int) []string {
			e := d.Ended[i]
			return []string{mdCode(e.Campaign), number(int64(e.Merged)), number(int64(e.Closed)), number(int64(e.Failed))}
		})
	}
	if d.Empty() {
		return m.w.Flush()
	}
	m.about(d)
	m.f("Closing a pull request keeps that change away from the component. `optOut: the reason` in a `.gaggle.yaml` at a repository's root keeps all campaigns away.\n")
	return m.w.Flush()
}

// checksCell says what checks came to.
func checksCell(ci string) string {
	switch ci {
	case "none":
		return ""
	case "before":
		return "fail without it, too"
	}
	return mdText(ci)
}

func (m *markdown) ahead(d Digest) {
	if len(d.Ahead) == 0 {
		return
	}
	m.f("## Coming next\n\n")
	for i, a := range d.Ahead {
		if i == maxRows {
			m.f("- … and of %s more\n", plural(len(d.Ahead)-maxRows, "campaign"))
			break
		}
		var parts []string
		for _, p := range []struct {
			n    int
			what string
		}{{a.Ready, "ready to be proposed"}, {a.Working, "being changed"}, {a.Waiting, "waiting for a later wave"}} {
			if p.n > 0 {
				parts = append(parts, number(int64(p.n))+" "+p.what)
			}
		}
		m.f("- %s: %s; for example %s", mdCode(a.Campaign), strings.Join(parts, ", "), mdCode(short(a.Example)))
		switch {
		case a.State == string(fleet.CampaignPaused):
			m.f(" (the campaign is paused)")
		case a.Held != "" && line(d.Quiet) == "":
			m.f(" (%s)", mdText(a.Held))
		}
		m.f("\n")
	}
	if line(d.Quiet) != "" {
		m.f("\nYou are left alone now: %s.", mdText(d.Quiet))
		if !d.Next.IsZero() {
			m.f(" Nothing is opened before %s.", d.Next.In(d.At.Location()).Format("Mon 2006-01-02 15:04 MST"))
		}
		m.f("\n")
	}
	m.f("\n")
}

// about says what the campaigns are for.
func (m *markdown) about(d Digest) {
	whats := map[string]string{}
	for _, o := range d.Open {
		whats[o.Campaign] = o.What
	}
	for _, a := range d.Ahead {
		whats[a.Campaign] = a.What
	}
	var names []string
	for name, what := range whats {
		if headline(what) != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	m.table("What for", []string{"campaign", "what"}, len(names), func(i int) []string {
		return []string{mdCode(names[i]), mdText(headline(whats[names[i]]))}
	})
}

// mdPull names a pull request, as a link where it has an address on the web.
func mdPull(o Open) string {
	name := "there"
	if o.Number > 0 {
		name = fmt.Sprintf("#%d", o.Number)
	}
	if to := webAddress(o.URL); to != "" {
		return "[" + name + "](<" + to + ">)"
	}
	if o.Number > 0 {
		return strconv.Itoa(o.Number) // #7 without a link would mean one of the repository in which this is read
	}
	return ""
}

// webAddress returns an http or https address in a form that Markdown takes for nothing but the target of a link; "" for
// any other.
func webAddress(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(s) > 2000 {
		return ""
	}
	if strings.ContainsFunc(u.Host, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._:[]", r))
	}) {
		return ""
	}
	u.User = nil
	var out strings.Builder
	for _, c := range []byte(u.String()) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~:/?#@!$'*+,;=%[]()", c) >= 0:
			out.WriteByte(c)
		case c == '&':
			out.WriteString("&amp;")
		default:
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}
