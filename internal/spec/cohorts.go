package spec

import (
	"errors"

	"gaggle/internal/fleet"
)

// Cohorts says which of a campaign's waves take a component by what it is. It is safe for concurrent use.
type Cohorts struct {
	waves []Wave
	where []*Where // by wave; nil where it has no expression
}

// CompileCohorts compiles the expressions of a campaign's waves, which Parse has checked.
func CompileCohorts(waves []Wave) (*Cohorts, error) {
	c := &Cohorts{waves, make([]*Where, len(waves))}
	for i, w := range waves {
		if w.Where == "" {
			continue
		}
		var err error
		if c.where[i], err = CompileWhere(w.Where); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Of lists the waves whose cohort a component belongs to, in order. It belongs to none whose expression has no answer for it; the error
// joins what these say, and takes nothing from the list.
func (c *Cohorts) Of(comp fleet.Component, repo fleet.Repository) ([]int, error) {
	var list []int
	var errs []error
	for i, w := range c.waves {
		belongs := w.Owner != "" && w.Owner == comp.Owner
		if c.where[i] != nil {
			var err error
			if belongs, err = c.where[i].Match(comp, repo); err != nil {
				errs = append(errs, err)
			}
		}
		if belongs {
			list = append(list, i)
		}
	}
	return list, errors.Join(errs...)
}
