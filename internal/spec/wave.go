package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"gaggle/internal/fleet"
)

// Wave is one entry of rollout.waves: a number of targets, a percentage, or a cohort. Exactly one of Count, Share, Where
// and Owner is set.
//
// A number is the size of that wave. A percentage is cumulative: the wave takes targets until that share of all the
// campaign's targets has been opened, counted from the first wave and rounded up. So [5, 10%, 100%] over 200 targets
// makes waves of 5, 15 and 180; over 30 targets, where 5 is past 10% already, the second wave is empty and the third takes
// 25. A cohort takes all targets that belong to it and that no earlier wave took. What is left after the last
// entry makes one more wave.
type Wave struct {
	Count int    // targets
	Share int    // hundredths of a percent, 1000 for 10%
	Name  string // what people call it; "" for its number alone
	Where string // CEL; see CompileWhere
	Owner string // entity reference in full, "group:default/platform"
}

// Cohort reports whether the wave takes targets by what they are, not by how many.
func (w Wave) Cohort() bool { return w.Where != "" || w.Owner != "" }

// String renders the wave as it is written in a campaign file, its name apart.
func (w Wave) String() string {
	switch {
	case w.Where != "":
		return "where " + w.Where
	case w.Owner != "":
		return "owner " + w.Owner
	case w.Share == 0:
		return strconv.Itoa(w.Count)
	case w.Share%100 == 0:
		return strconv.Itoa(w.Share/100) + "%"
	}
	return strings.TrimRight(fmt.Sprintf("%d.%02d", w.Share/100, w.Share%100), "0") + "%"
}

// Title is what people call the wave: its name, or who belongs to its cohort; "" for a number or a percentage.
func (w Wave) Title() string {
	switch {
	case w.Name != "":
		return w.Name
	case w.Owner != "":
		return strings.TrimPrefix(w.Owner, "group:default/")
	case w.Where != "":
		return clip(strings.Join(strings.Fields(w.Where), " "))
	}
	return ""
}

// ParseWave reads "5" or "12.5%".
func ParseWave(text string) (Wave, error) {
	bad := func(hint string) (Wave, error) {
		return Wave{}, &fleet.Error{Code: fleet.CodeInvalid, Message: fmt.Sprintf("%q is not a wave", clip(text)), Hint: hint}
	}
	percent, isShare := strings.CutSuffix(text, "%")
	if !isShare {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return bad("write a number of targets such as 5, or a percentage such as 10%")
		}
		if n == 0 {
			return bad("a wave holds at least one target")
		}
		return Wave{Count: int(n)}, nil
	}
	whole, frac, _ := strings.Cut(percent, ".")
	if len(frac) > 2 || whole == "" {
		return bad("write a percentage with at most two decimals, such as 2.5%")
	}
	n, err := strconv.ParseUint(whole+(frac + "00")[:2], 10, 31)
	if err != nil || n == 0 || n > 10_000 {
		return bad("a percentage is more than 0% and at most 100%")
	}
	return Wave{Share: int(n)}, nil
}

// longWave is the form of a wave that has a name or is a cohort.
type longWave struct {
	Name  string `json:"name,omitempty"`
	Count int    `json:"count,omitempty"`
	Share string `json:"share,omitempty"`
	Where string `json:"where,omitempty"`
	Owner string `json:"owner,omitempty"`
}

// MarshalJSON writes a number, a string for a percentage, or an object where there is more to say.
func (w Wave) MarshalJSON() ([]byte, error) {
	share := ""
	if w.Share != 0 {
		share = Wave{Share: w.Share}.String()
	}
	switch {
	case w.Name != "" || w.Cohort():
		return json.Marshal(longWave{w.Name, w.Count, share, w.Where, w.Owner})
	case w.Share != 0:
		return json.Marshal(share)
	}
	return json.Marshal(w.Count)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (w *Wave) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte("{")) {
		var long longWave
		if err := json.Unmarshal(data, &long); err != nil {
			return err
		}
		read := Wave{Count: long.Count, Name: long.Name, Where: long.Where, Owner: long.Owner}
		if long.Share != "" {
			share, err := ParseWave(long.Share)
			if err != nil {
				return err
			}
			read.Share = share.Share
		}
		*w = read
		return nil
	}
	text := string(data)
	if len(data) > 0 && data[0] == '"' {
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
	}
	read, err := ParseWave(text)
	if err == nil {
		*w = read
	}
	return err
}
