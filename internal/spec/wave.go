package spec

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"gaggle/internal/fleet"
)

// Wave is one entry of rollout.waves, either a number of targets or a percentage.
//
// A number is the size of that wave. A percentage is cumulative: the wave takes targets until that share of all the
// campaign's targets has been opened, counted from the first wave and rounded up. So [5, 10%, 100%] over 200 targets
// makes waves of 5, 15 and 180; over 30 targets, where 5 is past 10% already, it makes waves of 5 and 25. What is left
// after the last entry makes one more wave.
type Wave struct {
	Count int // targets, 0 for a percentage
	Share int // hundredths of a percent, 1000 for 10%; 0 for a count
}

// String renders the wave as it is written in a campaign file.
func (w Wave) String() string {
	if w.Share == 0 {
		return strconv.Itoa(w.Count)
	}
	if w.Share%100 == 0 {
		return strconv.Itoa(w.Share/100) + "%"
	}
	return strings.TrimRight(fmt.Sprintf("%d.%02d", w.Share/100, w.Share%100), "0") + "%"
}

// ParseWave reads "5" or "12.5%".
func ParseWave(text string) (Wave, error) {
	bad := func(hint string) (Wave, error) {
		return Wave{}, &fleet.Error{Code: fleet.CodeInvalid, Message: fmt.Sprintf("%q is not a wave", text), Hint: hint}
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

// MarshalJSON writes a number, or a string for a percentage.
func (w Wave) MarshalJSON() ([]byte, error) {
	if w.Share == 0 {
		return json.Marshal(w.Count)
	}
	return json.Marshal(w.String())
}

// UnmarshalJSON reads what MarshalJSON writes.
func (w *Wave) UnmarshalJSON(data []byte) error {
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
