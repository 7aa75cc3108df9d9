package suites

import (
	// The areas register their specs by being imported.
	_ "rollcall.dev/suites/adoption"
	_ "rollcall.dev/suites/api"
	_ "rollcall.dev/suites/failedpods"
	_ "rollcall.dev/suites/nodes"
	_ "rollcall.dev/suites/ondelete"
	_ "rollcall.dev/suites/placement"
	_ "rollcall.dev/suites/revision"
	_ "rollcall.dev/suites/rollout"
	_ "rollcall.dev/suites/scale"
	_ "rollcall.dev/suites/status"
	_ "rollcall.dev/suites/stuck"
	_ "rollcall.dev/suites/surge"
	_ "rollcall.dev/suites/update"
	_ "rollcall.dev/suites/upgrade"
	_ "rollcall.dev/suites/walkthrough"
)
