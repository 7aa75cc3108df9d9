# step says what a pod's kubelet does next: "reject", "admit", "sync", "terminate", "delete", or nothing. Each Stage asks for one
# answer, so at most one Stage matches a pod at any time and nothing is left to kwok's dice.
# stopped and rejecting are tables that the provider writes in front of this file.

def terminal: .status.phase == "Succeeded" or .status.phase == "Failed";

def step:
  .spec.nodeName as $node
  | if $node == null or stopped[$node] then empty
    elif .metadata.deletionTimestamp then
      # The delete sets the grace period to 0. What is still there then is held by a finalizer and goes when that does; or its delete was
      # cut short, when who asked for it went away: the API server writes the grace period first, and then takes the object away.
      if (terminal | not) then "terminate"
      elif (.metadata.deletionGracePeriodSeconds // 0) > 0 or (.metadata.finalizers // [] | length) == 0 then "delete"
      else empty end
    elif terminal then empty
    elif .status.startTime == null then (if rejecting[$node] then "reject" else "admit" end)
    elif due then "sync"
    else empty end;
