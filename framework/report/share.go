package report

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// Shard is one of several runs that share the specs of a selection out among them.
type Shard struct {
	// Index counts from 0, as the completion index of a Job's pod does.
	Index int `json:"index"`
	// Of is how many there are.
	Of int `json:"of"`
	// Run is a word that the shards of one run have in common and no other run's have: from a Job its UID. It may be empty.
	Run string `json:"run,omitempty"`
}

// String is the form of SHARD: 0/3.
func (s Shard) String() string { return fmt.Sprintf("%d/%d", s.Index, s.Of) }

var shardForm = regexp.MustCompile(`^(\d{1,4})/(\d{1,4})$`)

// ParseShard reads the form of String. The error says in one line what would be right.
func ParseShard(text string) (Shard, error) {
	match := shardForm.FindStringSubmatch(text)
	if match == nil {
		return Shard{}, errors.New("must be i/n, such as 0/3, 1/3 and 2/3 for three shards")
	}
	index, _ := strconv.Atoi(match[1]) // digits, and few
	of, _ := strconv.Atoi(match[2])
	if index >= of {
		return Shard{}, fmt.Errorf("counts from 0: the last of %d shards is %d/%d", of, max(of-1, 0), of)
	}
	return Shard{Index: index, Of: of}, nil
}

// Shareable is a planned spec with what keeps it together with others.
type Shareable struct {
	Spec
	// Together is the same for specs that must be run by one process, one after another, and empty for a spec that stands alone.
	Together string
	// Serial specs need the cluster to themselves.
	Serial bool
}

// piece is what goes to one shard as a whole.
type piece struct {
	name   string // for an order that does not depend on that of the specs
	weight Duration
	specs  []Shareable
}

// Shares deals the specs out to so many shards, each to exactly one: longest first, each to the shard that has least to do. took are durations
// of an earlier run by name; a spec that it does not have counts as the mean of those that it has, so that without any the specs are counted.
// All serial specs go to the first shard: the others have to wait for them once only. The same specs, in any order, are dealt out the same.
func Shares(specs []Shareable, of int, took map[string]Duration) [][]Spec {
	shares := make([][]Spec, of)
	load := make([]Duration, of)
	for _, p := range pieces(specs, took) {
		to := 0
		if !p.specs[0].Serial {
			for i := range load {
				if load[i] < load[to] {
					to = i
				}
			}
		}
		load[to] += p.weight
		for _, s := range p.specs {
			shares[to] = append(shares[to], s.Spec)
		}
	}
	for _, share := range shares {
		slices.SortFunc(share, func(a, b Spec) int { return cmp.Compare(a.Name, b.Name) })
	}
	return shares
}

// pieces are in the order in which they are dealt out: the serial ones, then the longest.
func pieces(specs []Shareable, took map[string]Duration) []*piece {
	usual := usualDuration(specs, took)
	specs = slices.Clone(specs)
	slices.SortStableFunc(specs, func(a, b Shareable) int { return cmp.Compare(a.Name, b.Name) })
	together := map[string]*piece{}
	var all []*piece
	for _, s := range specs {
		key := cmp.Or(s.Together, "alone: "+s.Name)
		if s.Serial {
			key = "serial"
		}
		p := together[key]
		if p == nil {
			p = &piece{name: s.Name}
			together[key] = p
			all = append(all, p)
		}
		weight, known := took[s.Name]
		if !known {
			weight = usual
		}
		p.weight += weight
		p.specs = append(p.specs, s)
	}
	slices.SortStableFunc(all, func(a, b *piece) int {
		if a.specs[0].Serial != b.specs[0].Serial {
			if a.specs[0].Serial {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.name, b.name))
	})
	return all
}

// usualDuration is the mean of those that are known, and 1 without any.
func usualDuration(specs []Shareable, took map[string]Duration) Duration {
	var sum Duration
	known := 0
	for _, s := range specs {
		if d, ok := took[s.Name]; ok {
			sum += d
			known++
		}
	}
	if known == 0 || sum == 0 {
		return 1
	}
	return sum / Duration(known)
}

// Durations are those of the report's specs, for Shares. A spec that did not run took none that would say anything.
func (r *ConformanceReport) Durations() map[string]Duration {
	took := map[string]Duration{}
	for _, s := range r.Specs {
		if s.Verdict != NotRun {
			took[s.Name] = s.Duration
		}
	}
	return took
}
