package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The charts' coordinates. They are stretched to the width that there is, so no text stands inside of them.
const (
	chartWidth  = 1000
	chartHeight = 260
)

// chart is the burndown, ready to be drawn.
type chart struct {
	Left, Area, Merged string // paths
	X, Y               []tick
	Width, Height      int
	LastLeft           string
	LastMerged         string
	Title              string // what it shows, for those who do not see it
}

// tick is a label on an axis.
type tick struct {
	At    string // hundredths of the axis
	Pixel string // in the chart's coordinates
	Label string
}

// burndown draws a report's points as steps; nil when there is nothing to be seen yet.
func burndown(r Report) *chart {
	points := r.Burndown
	if len(points) < 2 || !points[len(points)-1].At.After(points[0].At) {
		return nil
	}
	first, last := points[0], points[len(points)-1]
	most := 1
	for _, p := range points {
		most = max(most, p.Left, p.Merged)
	}
	by := niceStep(most)
	top := (most + by - 1) / by * by
	span := last.At.Sub(first.At)
	x := func(t time.Time) float64 { return chartWidth * float64(t.Sub(first.At)) / float64(span) }
	y := func(n int) float64 { return chartHeight * (1 - float64(n)/float64(top)) }

	c := &chart{Width: chartWidth, Height: chartHeight, LastLeft: number(int64(last.Left)), LastMerged: number(int64(last.Merged))}
	c.Left = steps(points, func(p Point) (float64, float64) { return x(p.At), y(p.Left) })
	c.Merged = steps(points, func(p Point) (float64, float64) { return x(p.At), y(p.Merged) })
	c.Area = fmt.Sprintf("%sV%dH0Z", c.Left, chartHeight)
	c.Title = fmt.Sprintf("Burndown from %s to %s: %d targets left at first, %d now; %d merged", moment(first.At, r.At.Location()), moment(last.At, r.At.Location()), first.Left, last.Left, last.Merged)
	for n := 0; n <= top; n += by {
		c.Y = append(c.Y, tick{hundredths(float64(n) / float64(top)), coordinate(y(n)), number(int64(n))})
	}
	const parts = 4
	for i := range parts + 1 {
		at := first.At.Add(span / parts * time.Duration(i)).In(r.At.Location())
		c.X = append(c.X, tick{hundredths(float64(i) / parts), coordinate(chartWidth * float64(i) / parts), axisLabel(at, span)})
	}
	return c
}

// steps draws a line that keeps its height until the next point.
func steps(points []Point, place func(Point) (x, y float64)) string {
	var d strings.Builder
	for i, p := range points {
		x, y := place(p)
		if i == 0 {
			fmt.Fprintf(&d, "M%s %s", coordinate(x), coordinate(y))
			continue
		}
		fmt.Fprintf(&d, "H%sV%s", coordinate(x), coordinate(y))
	}
	return d.String()
}

// niceStep is the distance between grid lines: 1, 2 or 5 times a power of ten, at most five of them.
func niceStep(most int) int {
	for power := 1; ; power *= 10 {
		for _, n := range []int{1, 2, 5} {
			if most <= 5*n*power {
				return n * power
			}
		}
	}
}

func axisLabel(t time.Time, span time.Duration) string {
	switch {
	case span < 5*time.Minute:
		return t.Format("15:04:05")
	case span < 36*time.Hour:
		return t.Format("15:04")
	case span < 6*24*time.Hour:
		return t.Format("2 Jan 15:04")
	case span < 300*24*time.Hour:
		return t.Format("2 Jan")
	}
	return t.Format("Jan 2006")
}

func coordinate(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

func hundredths(share float64) string { return strconv.FormatFloat(100*share, 'f', 2, 64) }

// band is a part of a bar.
type band struct {
	Class, Name string
	Count       int
	X, Width    string // in hundredths of the bar
}

// bands divides a bar by how far targets have come, in the order of the colours.
func bands(t Tally) []band {
	var list []band
	done := 0
	for _, b := range []band{
		{Class: "merged", Name: "merged", Count: t.Merged}, {Class: "open", Name: "open", Count: t.Open}, {Class: "ready", Name: "ready", Count: t.Ready},
		{Class: "working", Name: "working", Count: t.Working}, {Class: "waiting", Name: "waiting", Count: t.Waiting}, {Class: "failed", Name: "failed", Count: t.Failed},
		{Class: "closed", Name: "closed", Count: t.Closed}, {Class: "other", Name: "nothing to do", Count: t.Other},
	} {
		if b.Count == 0 {
			continue
		}
		b.X, b.Width = hundredths(float64(done)/float64(t.Targets)), hundredths(float64(b.Count)/float64(t.Targets))
		done += b.Count
		list = append(list, b)
	}
	return list
}
