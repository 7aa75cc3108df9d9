# due is the moment at which something happens to a pod that has been admitted, as a string that kwok takes for a deadline
# (RFC 3339) or "0s" for now; null if the pod waits for nothing but other people's writes.
#
# The moments are absolute and stand in the pod's own status (kubelet/container.tmpl writes them): an unrelated write to the pod
# makes kwok plan anew, and a delay counted from then would start over with each such write.

def moment($key): (.containerID // "") | capture("[?&]\($key)=(?<t>[^&]+)").t;

def container_due:
  if .state.running then
    (.state.running as $r
     | (if .ready then empty else moment("ready") end),
       (if .started then empty else moment("up") end),
       moment("exits"))
  elif .state.terminated then (.state.terminated | moment("restarts"))
  else ((.state.waiting.message // "") | capture("next attempt at (?<t>[^ )]+)").t)
  end;

def condition($type): first(.status.conditions[]? | select(.type == $type) | .status) // "False";

# The readiness gates are written by others, and the node life cycle controller takes Ready away from the pods of a node that
# is not: in both cases a kubelet puts Ready right at once.
def ready_is_wrong:
  . as $pod
  | condition("ContainersReady") == "True"
    and (all(.spec.readinessGates[]?.conditionType; . as $gate | $pod | condition($gate) == "True") != (condition("Ready") == "True"));

def statuses: .status.initContainerStatuses[]?, .status.containerStatuses[]?;

def due:
  if any(.status.containerStatuses[]?; .state.waiting.reason == "ContainerCreating")
     or any(.status.initContainerStatuses[]?; .state.waiting.reason == "ContainerCreating")
     or ready_is_wrong then "0s"
  else [statuses | container_due] | min
  end;
