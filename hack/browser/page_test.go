package browser

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var screenshots = flag.String("screenshots", "", "a folder to keep screenshots in, for a person to look at")

// browser finds Chromium. Without one there is nothing to test, which a run that must not skip says with ROLLCALL_BROWSER=required.
func browser(t *testing.T) string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("ROLLCALL_BROWSER") == "required" {
		t.Fatal("there is no Chromium; on Debian: apt-get install chromium")
	}
	t.Skip("there is no Chromium; on Debian: apt-get install chromium")
	return ""
}

// samplePages has the report package write its sample pages, and returns their folder.
func samplePages(t *testing.T) string {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-run=^TestWriteSamplePages$", "./framework/report", "-pages="+dir)
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("write the sample pages: %v\n%s", err, out)
	}
	return dir
}

// tab is an open page with everything that it complained about or asked for.
type tab struct {
	*testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string
}

func open(t *testing.T, chromium string) *tab {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.WindowSize(1440, 960))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, time.Minute)
	t.Cleanup(cancel)
	p := &tab{T: t, ctx: ctx}
	err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			what := e.ExceptionDetails.Text
			if thrown := e.ExceptionDetails.Exception; thrown != nil {
				what += " " + thrown.Description
			}
			p.complain("exception: " + what)
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
				p.complain(fmt.Sprintf("console: %s", e.Args[0].Value))
			}
		case *log.EventEntryAdded:
			p.complain("log: " + e.Entry.Text)
		case *network.EventRequestWillBeSent:
			if u := e.Request.URL; !strings.HasPrefix(u, "file:") && !strings.HasPrefix(u, "data:") {
				p.complain("request: " + u)
			}
		}
	})
	if err != nil {
		t.Fatalf("start %s: %v", chromium, err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatalf("watch the network: %v", err)
	}
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatalf("watch the log: %v", err)
	}
	return p
}

func (p *tab) complain(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, what)
}

func (p *tab) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.Fatalf("%s: %v", what, err)
	}
}

// get runs one action and returns what it gives.
func get[T any](p *tab, what string, action chromedp.Action[T]) T {
	p.Helper()
	value, err := chromedp.Run(p.ctx, action)
	if err != nil {
		p.Fatalf("%s: %v", what, err)
	}
	return value
}

func (p *tab) load(path, hash string) {
	p.Helper()
	p.do("open", chromedp.Navigate((&url.URL{Scheme: "file", Path: path, Fragment: hash}).String()))
	p.until("the specs are listed", `document.querySelectorAll("#specs li").length > 0`)
}

// text returns the text of the first element.
func (p *tab) text(selector string) string {
	p.Helper()
	return get(p, "read "+selector, chromedp.Text(chromedp.CSS(selector)))
}

// until waits until a JavaScript expression is true.
func (p *tab) until(what, expression string) {
	p.Helper()
	// The page looks itself, frame by frame: its own policy forbids what chromedp's Poll would evaluate in it.
	met := get(p, "wait until "+what, chromedp.Evaluate[bool](fmt.Sprintf(`new Promise(done => {
		const end = performance.now() + 10000;
		const look = () => (%s) ? done(true) : performance.now() > end ? done(false) : requestAnimationFrame(look);
		look();
	})`, expression), chromedp.EvalAwaitPromise))
	if !met {
		p.Fatalf("within 10 s it was not so that %s: %s", what, expression)
	}
}

// picture keeps a screenshot after the next two frames, so that what was asked for is drawn.
func (p *tab) picture(name string) {
	p.Helper()
	if *screenshots == "" {
		return
	}
	get(p, "wait for two frames", chromedp.Evaluate[bool](`new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`, chromedp.EvalAwaitPromise))
	png := get(p, "take a picture", chromedp.CaptureScreenshot())
	if err := os.WriteFile(filepath.Join(*screenshots, name+".png"), png, 0o644); err != nil {
		p.Fatal(err)
	}
}

func (p *tab) scheme(name string) {
	p.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}}
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, media); err != nil {
		p.Fatalf("choose %s: %v", name, err)
	}
}

// run is an action that evaluates JavaScript for its effect.
func run(expression string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](expression + "; undefined")
}

// quiet fails the test if the page complained or wanted the network.
func (p *tab) quiet() {
	p.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, problem := range p.problems {
		p.Errorf("the page is not quiet: %s", problem)
	}
}

// drawn counts the pixels of a canvas that are not transparent.
func (p *tab) drawn(id string) int {
	p.Helper()
	return get(p, "count pixels", chromedp.Evaluate[int](fmt.Sprintf(`(() => {
		const canvas = document.getElementById(%q), data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
		let n = 0;
		for (let i = 3; i < data.length; i += 4) if (data[i]) n++;
		return n;
	})()`, id)))
}

func TestPage(t *testing.T) {
	chromium := browser(t)
	dir := samplePages(t)

	t.Run("small", func(t *testing.T) {
		p := open(t, chromium)
		p.scheme("light")
		p.load(filepath.Join(dir, "small.html"), "")
		for _, want := range []string{"failure", "kube-controller-manager v1.36.3", "simulated, 12 nodes", "42"} {
			if head := p.text("#head"); !strings.Contains(head, want) {
				t.Errorf("the head does not say %q: %s", want, head)
			}
		}
		p.until("the matrix is there", `document.querySelectorAll("#overview .cell").length > 70`)
		p.picture("overview-light")

		// Keys: to the first spec with a violation, then to its instant.
		p.do("press n", chromedp.KeyEvent("n"))
		p.until("the instant is shown", `/^◆ M-02 at \d\d:\d\d:\d\d/.test(document.getElementById("instant").textContent)`)
		if n := p.drawn("lanes"); n < 10_000 {
			t.Errorf("only %d pixels of the lanes are drawn", n)
		}
		p.picture("violation-light")

		// The link in the failure's own text does the same as the key.
		p.do("go to the spec without its violation", run(`location.hash = location.hash.split("&")[0]`))
		p.until("no instant is shown", `document.getElementById("instant").textContent === ""`)
		p.do("click the sentence", chromedp.Click(chromedp.CSS("#words .violations a")))
		p.until("the instant is shown again", `/^◆ M-02 at/.test(document.getElementById("instant").textContent)`)
		shown := p.text("#instant")
		item := p.text(`#words .violations li[data-violation="0"]`)
		instant := strings.Fields(shown)[3]
		if !strings.Contains(item, "deleted at "+instant[:len("15:04:05.0")]) {
			t.Errorf("the instant shown is %q, the violation says %q", shown, item)
		}

		// An entry of the proof has an instant of its own.
		p.do("click the first event", chromedp.Click(chromedp.CSS("#words .events li a")))
		p.until("its instant is shown", `/^\d\d:\d\d/.test(document.getElementById("instant").textContent)`)

		for _, key := range []string{"+", "-", kb.ArrowLeft, kb.ArrowRight, kb.ArrowDown, kb.ArrowUp, "0", "j", "k", "p"} {
			p.do("press "+key, chromedp.KeyEvent(key))
		}
		p.do("press /", chromedp.KeyEvent("/"))
		p.until("the search has the focus", `document.activeElement.id === "search"`)
		// The driver sends the character apart from its key, so that the page cannot keep it out of the field as it does a person's.
		p.do("search", run(`const box = document.getElementById("search"); box.value = "surge first"; box.dispatchEvent(new Event("input"))`))
		p.until("one spec is left", `document.querySelectorAll("#specs a").length === 1`)
		p.do("leave the search and open it", chromedp.KeyEvent(kb.Escape), chromedp.KeyEvent("j"))
		p.until("the surge is shown", `document.querySelector("#words h2").textContent.includes("surge starts")`)
		p.picture("surge-light")
		p.scheme("dark")
		p.picture("surge-dark")
		p.do("clear the search", run(`document.getElementById("search").value = ""; document.getElementById("search").dispatchEvent(new Event("input"))`))
		p.do("press n", chromedp.KeyEvent("n"))
		p.until("the instant is shown", `/^◆ M-02/.test(document.getElementById("instant").textContent)`)
		p.picture("violation-dark")
		p.do("back", chromedp.KeyEvent(kb.Escape))
		p.until("the overview is shown", `!document.getElementById("overview").hidden`)
		p.picture("overview-dark")
		p.quiet()
	})

	for page, want := range map[string]string{"matrix": "What differs", "compare": "B is worse than A"} {
		t.Run(page, func(t *testing.T) {
			p := open(t, chromium)
			p.do("open", chromedp.Navigate((&url.URL{Scheme: "file", Path: filepath.Join(dir, page+".html")}).String()))
			if text := p.text("body"); !strings.Contains(text, want) {
				t.Errorf("the page does not say %q: %s", want, text)
			}
			if wide := get(p, "measure", chromedp.Evaluate[bool](`document.documentElement.scrollWidth > innerWidth`)); wide {
				t.Error("the page has to be scrolled sideways")
			}
			for _, scheme := range []string{"light", "dark"} {
				p.scheme(scheme)
				p.picture(page + "-" + scheme)
			}
		})
	}
	t.Run("5000 nodes", func(t *testing.T) {
		p := open(t, chromium)
		p.scheme("light")
		p.load(filepath.Join(dir, "large.html"), "")
		p.do("find the spec", chromedp.SendKeys(chromedp.CSS("#search"), "budget allows"), chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent("j"))
		p.until("the bands are there", `document.getElementById("scope").textContent.startsWith("5000 nodes in 64 bands")`)
		p.picture("bands-light")
		p.scheme("dark")
		p.picture("bands-dark")
		p.scheme("light")

		box := get(p, "find the lanes", chromedp.Evaluate[struct{ X, Y float64 }](`(() => { const b = document.getElementById("lanes").getBoundingClientRect(); return {X: b.left + 300, Y: b.top + 60}; })()`))
		p.do("click a band", chromedp.MouseClickXY(box.X, box.Y))
		p.until("its nodes are shown", `!document.getElementById("back").hidden`)
		p.picture("band-opened-light")
		p.do("back", chromedp.KeyEvent(kb.Escape))
		p.until("all bands are shown", `document.getElementById("back").hidden`)

		p.do("press n", chromedp.KeyEvent("n"))
		p.until("the instant is shown", `/^◆ M-02 at/.test(document.getElementById("instant").textContent)`)
		p.picture("violation-5000-light")

		frame := get(p, "time a redraw", chromedp.Evaluate[float64](`new Promise(done => { document.dispatchEvent(new KeyboardEvent("keydown", {key: "Escape", bubbles: true}));
			requestAnimationFrame(() => { const start = performance.now(); dispatchEvent(new Event("resize")); requestAnimationFrame(() => done(performance.now() - start)); }); })`, chromedp.EvalAwaitPromise))
		t.Logf("a frame of all bands takes %.0f ms", frame)
		p.quiet()
	})
}
