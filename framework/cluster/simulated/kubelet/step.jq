# step says what a pod's kubelet does next: "reject", "admit", "sync", "terminate", "delete", or nothing. Each Stage asks for one
# answer, so at most one Stage matches a pod at any time and nothing is left to kwok's dice.
# stopped and rejecting are tables that the provider writes in front of this file.

def terminal: .status.phase == "Succeeded" or .status.phase == "Failed";

def step:
  .spec.nodeName as $node
  | if $node == null or stopped[$node] then empty
    elif .metadata.deletionTimestamp then
      # A finalizer holds the object after the kubelet's own delete has set the grace period to 0: asking again changes nothing.
      if (terminal | not) then "terminate"
      elif (.metadata.deletionGracePeriodSeconds // 0) > 0 or ((.metadata.finalizers // []) | length) == 0 then "delete"
      else empty end
    elif terminal then empty
    elif .status.startTime == null then (if rejecting[$node] then "reject" else "admit" end)
    elif due then "sync"
    else empty end;
