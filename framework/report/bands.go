package report

import "slices"

// Band sums up neighbouring lanes, where there are too many to tell apart.
type Band struct {
	// First and Last are the lanes, both included.
	First int `json:"first"`
	Last  int `json:"last"`
	// Columns cut the time into equal parts. Each holds, for every thing that a node can be doing, on how many thousandths of
	// the band's nodes it did so, on average over the column's time. The sum is 1000, but for rounding.
	// [0] no pod, or only dead ones; [1] only terminating ones; [2] a pod that starts; [3+r] an available pod of revision r.
	Columns [][]int `json:"columns"`
}

const (
	// bandsFrom is how many lanes it takes to make bands: up to there a screen shows each node.
	bandsFrom = 150
	// maxBands and bandColumns are the size of the picture.
	maxBands    = 64
	bandColumns = 360
	// bandRevisions is how many revisions have a share of their own. Later ones count as the last of them.
	bandRevisions = 8
)

// What a node is doing, best last: of several pods on a node the best counts.
const (
	bandNothing = iota
	bandTerminating
	bandStarting
	bandAvailable // and further ones for later revisions
)

// bands computes the bands of a timeline whose lanes and bars are there. Below bandsFrom lanes there are none.
func bands(t *Timeline) []Band {
	if len(t.Lanes) < bandsFrom || t.Length <= 0 {
		return nil
	}
	byLane := make([][]*Bar, len(t.Lanes))
	for i := range t.Bars {
		byLane[t.Bars[i].Lane] = append(byLane[t.Bars[i].Lane], &t.Bars[i])
	}
	categories := bandAvailable + min(max(1, len(t.Revisions)), bandRevisions)
	size := (len(t.Lanes) + maxBands - 1) / maxBands
	var out []Band
	for first := 0; first < len(t.Lanes); first += size {
		band := Band{First: first, Last: min(first+size, len(t.Lanes)) - 1}
		sums := make([][]float64, bandColumns)
		for i := range sums {
			sums[i] = make([]float64, categories)
		}
		for lane := band.First; lane <= band.Last; lane++ {
			addLane(sums, byLane[lane], t.Length)
		}
		for _, sum := range sums {
			column := make([]int, categories)
			for c, s := range sum {
				column[c] = int(1000*s/float64(band.Last-band.First+1) + 0.5)
			}
			band.Columns = append(band.Columns, column)
		}
		out = append(out, band)
	}
	return out
}

// addLane adds to each column for which part of its time a node did what.
func addLane(sums [][]float64, bars []*Bar, length int64) {
	cuts := []int64{0, length}
	for _, bar := range bars {
		for _, s := range bar.Segments {
			cuts = append(cuts, max(0, s.From))
		}
		cuts = append(cuts, bar.End)
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	for i := 0; i+1 < len(cuts); i++ {
		best := bandNothing
		for _, bar := range bars {
			best = max(best, doing(bar, cuts[i]))
		}
		spread(sums, best, cuts[i], cuts[i+1], length)
	}
}

// doing is what a pod makes its node do at an instant.
func doing(bar *Bar, at int64) int {
	if at < bar.from() || at >= bar.End {
		return bandNothing
	}
	n := len(bar.Segments) - 1
	for n > 0 && bar.Segments[n].From > at {
		n--
	}
	switch bar.Segments[n].State {
	case Dead:
		return bandNothing
	case Terminating:
		return bandTerminating
	case Available:
		return bandAvailable + min(max(0, bar.Revision), bandRevisions-1)
	}
	return bandStarting
}

// spread adds the span from one instant to another to the columns that it touches.
func spread(sums [][]float64, category int, from, to, length int64) {
	width := float64(length) / float64(len(sums))
	for c := int(float64(from) / width); c < len(sums); c++ {
		left, right := max(float64(from), float64(c)*width), min(float64(to), float64(c+1)*width)
		if right <= left {
			if float64(c)*width >= float64(to) {
				return
			}
			continue
		}
		sums[c][category] += (right - left) / width
	}
}
