package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed page.gohtml
var pageSource string

// page is what the template shows: every text is ready, none is markup.
type page struct {
	Name, State, Why, Owner, Started, At             string
	None                                             bool // there is no target
	Description                                      []string
	Targets, AtRest, Share                           string
	Bands                                            []band
	Figures                                          []figureView
	Chart                                            *chart
	Waiting                                          []waitingView
	Waves                                            []tallyView
	Owners                                           []tallyView
	Failures                                         []failureView
	Reasons                                          []reasonView
	Models                                           []modelView
	MoreOwners, MoreWaiting, MoreWaves, MoreFailures string
}

type figureView struct{ Name, Value, Note string }

type waitingView struct{ Who, What, Count, Longest, Since, Example string }

type tallyView struct {
	Name                                   string
	Bands                                  []band
	Targets, Left, Open, Merged, Failed    string
	OldestOpen, OldestSince, MedianToMerge string
}

type failureView struct{ Reason, Form, Count, Width, Component, Message string }

type reasonView struct{ State, Reason, Count string }

type modelView struct{ Model, Input, Cached, Output string }

// HTML writes the report as one page that needs nothing but itself.
func HTML(w io.Writer, r Report) error {
	t, err := template.New("page").Parse(pageSource)
	if err != nil {
		return err
	}
	return t.Execute(w, view(r))
}

func view(r Report) page {
	zone := r.At.Location()
	v := page{
		Name: line(r.Campaign.Name), Description: paragraphs(r.Campaign.Description), State: string(r.Campaign.State), Why: clip(line(r.Campaign.Why), 300),
		Owner: clip(line(r.Campaign.Owner), 100), Started: moment(r.Campaign.CreatedAt, zone), At: moment(r.At, zone),
		Targets: plural(r.Total.Targets, "target"), AtRest: number(int64(r.Total.Targets - r.Total.Left())), Share: "0%",
		Bands: bands(r.Total), Chart: burndown(r), None: r.Total.Targets == 0,
	}
	if r.Total.Targets > 0 {
		v.Share = percent(Ratio{r.Total.Targets - r.Total.Left(), r.Total.Targets})
	}
	for _, f := range figures(r) {
		if v.None {
			break
		}
		v.Figures = append(v.Figures, figureView{f.name, f.value, f.note})
	}
	for i, x := range r.Waiting {
		if i == maxRows {
			v.MoreWaiting = more(len(r.Waiting))
			break
		}
		v.Waiting = append(v.Waiting, waitingView{clip(line(short(x.Who)), 80), x.What, number(int64(x.Count)), ago(r.At, x.Since), moment(x.Since, zone), clip(line(short(x.Example)), 80)})
	}
	for i, x := range r.Waves {
		if i == maxRows {
			v.MoreWaves = more(len(r.Waves))
			break
		}
		v.Waves = append(v.Waves, tally("wave "+waveName(x), x.Tally))
	}
	for i, x := range r.Owners {
		if i == maxRows {
			v.MoreOwners = more(len(r.Owners))
			break
		}
		o := tally(clip(line(short(ownerName(x.Owner))), 60), x.Tally)
		o.OldestOpen, o.OldestSince = ago(r.At, x.OldestOpen), moment(x.OldestOpen, zone)
		if x.ToMerge.Measured > 0 {
			o.MedianToMerge = seconds(x.ToMerge.P50)
		}
		v.Owners = append(v.Owners, o)
	}
	for _, x := range r.Failures {
		v.Failures = append(v.Failures, failureView{clip(line(string(x.Reason)), 60), x.Form, number(int64(x.Count)), hundredths(float64(x.Count) / float64(r.Failures[0].Count)),
			clip(line(short(x.Example.Component)), 80), clip(line(x.Example.Message), 500)})
	}
	if n := r.Unlisted; n.Targets > 0 {
		v.MoreFailures = fmt.Sprintf("and %s more, of %s", plural(n.Targets, "target"), plural(n.Clusters, "other kind"))
	}
	for i, x := range r.Reasons {
		if i == maxRows {
			break
		}
		v.Reasons = append(v.Reasons, reasonView{clip(line(string(x.State)), 60), clip(line(string(x.Reason)), 60), number(int64(x.Count))})
	}
	for i, x := range r.Effort.Models {
		if i == maxRows {
			break
		}
		v.Models = append(v.Models, modelView{clip(line(x.Model), 80), number(x.Input + x.CacheWrite), number(x.CacheRead), number(x.Output)})
	}
	return v
}

func tally(name string, t Tally) tallyView {
	return tallyView{Name: name, Bands: bands(t), Targets: number(int64(t.Targets)), Left: number(int64(t.Left())), Open: number(int64(t.Open)), Merged: number(int64(t.Merged)), Failed: number(int64(t.Failed))}
}

func more(all int) string {
	return fmt.Sprintf("and %s more; the JSON report has them all", number(int64(all-maxRows)))
}
