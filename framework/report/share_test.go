package report

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// manySpecs are 200 specs: 30 in three Ordered containers, 5 serial, the others for themselves, with durations of 1 to 60 s.
func manySpecs() (specs []Shareable, took map[string]Duration) {
	random := rand.New(rand.NewPCG(3, 4))
	took = map[string]Duration{}
	for i := range 200 {
		s := Shareable{Spec: Spec{Name: fmt.Sprintf("spec %03d", i), Behaviours: []string{"C-05"}}}
		switch {
		case i < 30:
			s.Together = fmt.Sprintf("container %d", i%3)
		case i < 35:
			s.Serial = true
		}
		specs = append(specs, s)
		took[s.Name] = Duration(time.Second) * Duration(1+random.IntN(60))
	}
	return specs, took
}

func TestEverySpecIsInExactlyOneShare(t *testing.T) {
	specs, took := manySpecs()
	for of := 1; of <= 10; of++ {
		for _, durations := range []map[string]Duration{nil, took} {
			in, containers := map[string]int{}, map[string]int{}
			for shard, share := range Shares(specs, of, durations) {
				for _, s := range share {
					if before, twice := in[s.Name]; twice {
						t.Errorf("of %d: %s is in shares %d and %d", of, s.Name, before, shard)
					}
					in[s.Name] = shard
				}
			}
			for _, s := range specs {
				shard, there := in[s.Name]
				if !there {
					t.Errorf("of %d: %s is in no share", of, s.Name)
				}
				if s.Serial && shard != 0 {
					t.Errorf("of %d: %s is serial and in share %d", of, s.Name, shard)
				}
				if s.Together == "" {
					continue
				}
				if before, known := containers[s.Together]; known && before != shard {
					t.Errorf("of %d: %s is torn apart", of, s.Together)
				}
				containers[s.Together] = shard
			}
		}
	}
}

func TestSharesDoNotDependOnOrder(t *testing.T) {
	specs, took := manySpecs()
	random := rand.New(rand.NewPCG(1, 2))
	for _, durations := range []map[string]Duration{nil, took} {
		want := Shares(specs, 4, durations)
		for range 50 {
			random.Shuffle(len(specs), func(i, j int) { specs[i], specs[j] = specs[j], specs[i] })
			if got := Shares(specs, 4, durations); !reflect.DeepEqual(got, want) {
				t.Fatal("another order gave other shares")
			}
		}
	}
}

func TestSharesAreBalanced(t *testing.T) {
	specs, took := manySpecs()
	longest := Duration(0) // no share need be larger than another by more than one piece
	for _, p := range pieces(specs, took) {
		longest = max(longest, p.weight)
	}
	unseen := map[string]Duration{}
	for name, d := range took {
		if name != "spec 100" {
			unseen[name] = d
		}
	}
	for of := 2; of <= 10; of++ {
		for what, test := range map[string]struct {
			took   map[string]Duration
			weight func(Spec) Duration
			margin Duration
		}{
			"durations":            {took, func(s Spec) Duration { return took[s.Name] }, longest},
			"durations, one fresh": {unseen, func(s Spec) Duration { return took[s.Name] }, longest + Duration(time.Minute)},
			"counts":               {nil, func(Spec) Duration { return 1 }, 10},
		} {
			least, most := Duration(1<<62), Duration(0)
			for _, share := range Shares(specs, of, test.took) {
				var sum Duration
				for _, s := range share {
					sum += test.weight(s)
				}
				least, most = min(least, sum), max(most, sum)
			}
			if most-least > test.margin {
				t.Errorf("of %d, balanced by %s: the shares weigh from %d to %d", of, what, least, most)
			}
		}
	}
}

func TestMoreShardsThanSpecs(t *testing.T) {
	shares := Shares([]Shareable{{Spec: Spec{Name: "only"}}}, 3, nil)
	if len(shares) != 3 || len(shares[0]) != 1 || len(shares[1])+len(shares[2]) != 0 {
		t.Errorf("got %v", shares)
	}
}

func TestParseShard(t *testing.T) {
	for i := range 3 {
		want := Shard{Index: i, Of: 3}
		if got, err := ParseShard(want.String()); err != nil || got != want {
			t.Errorf("%s: got %v, %v", want, got, err)
		}
	}
	for _, text := range []string{"", "1", "3/3", "1/0", "-1/3", "1/3/5", "a/3", "1/ 3", "99999/99999"} {
		if got, err := ParseShard(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}
