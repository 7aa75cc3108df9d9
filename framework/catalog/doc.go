// Package catalog is the list of what a DaemonSet implementation promises its users: 199 behaviours in 13 areas (A 17, B 11, C 20, D 16, E
// 10, F 18, G 14, H 13, I 20, J 13, K 13, L 9, M 25), each a sentence with an id, a level and its sources, and the 35 statements of the
// task page "Perform a Rolling Update on a DaemonSet" with the behaviours that prove them. The data is in data/, a file an area; the counts
// above are tested. Areas A to L are proved by specs; area M holds the invariants that are judged on the history of every spec.
//
// # Levels
//
// A statement is the part of a behaviour that binds every implementation; what upstream does beyond it is in its note.
//
//   - core: any implementation MUST keep the promise, and any cluster that can run the suite can show it. maxSurge is core: it is part of
//     the API by default since 1.22. So are writing a pod's phase (Failed, Succeeded), which a kubelet respects and upstream's own
//     conformance suite does, and relabelling a node, which the suite does to lease nodes.
//   - extended: as binding as core, but showing it takes something that an environment may not offer: see Need.Optional. An extended
//     behaviour has such a need and a core one has none; Load checks that.
//   - deviation: as binding, and upstream's controller in the version judged (Judged) is known to break it. The spec is written as the
//     contract says. Load checks that level and deviations agree, so a deviation that upstream repairs has to be bounded and its behaviour
//     moved to core or extended.
//   - informative: not required. A rule that SHOULD be kept, a liberty an implementation MAY take, something that only upstream does, or
//     contested behaviour. Specs about it characterise and do not fail an implementation.
//
// A spec is as binding as the least binding behaviour that it covers: core if and only if all of them are core, else extended if all are
// core or extended, else deviation if none is informative, else informative. So a core profile that passes rests on core promises alone. A
// spec that needs more of its environment than its behaviours do says so with CoversWith, and one optional need makes a core spec extended.
// For the same reason Verify wants each binding behaviour of areas A to L to have a spec of the behaviour's own level: a core promise that
// is shown only with kubectl would be missing from the core profile.
//
// # Words of the statements
//
// An eligible node is one that matches the template's nodeName, node selector and required node affinity and has no NoSchedule or NoExecute
// taint that the pod, with the tolerations every DaemonSet pod gets, does not tolerate; desired is how many there are. A pod is terminating
// when it has a deletionTimestamp, dead when its phase is terminal too, and active when it is neither terminating nor terminal. It is
// available when it is not terminating and has been Ready for minReadySeconds, new when its revision is the one of the current template,
// and old otherwise. The node of a pod is the one that it is bound or pinned to. An update is undisturbed when all pods were available
// before and nobody but the controller interferes.
package catalog
