# death is the moment at which the last container of a pod that is being deleted has stopped: the time that its containers take
# (written on their IDs as stop=, in seconds: the preStop hook and what the program does after SIGTERM), but not longer than
# the grace period. Times in metadata have whole seconds, cut off: one is added, so that a pod never dies early.

def stopping: [.status | (.initContainerStatuses[]?, .containerStatuses[]?) | select(.state.running) | .containerID // "" | capture("[?&]stop=(?<s>[0-9.]+)").s | tonumber] | max // 0;

def death:
  (.metadata.deletionGracePeriodSeconds // 0) as $grace
  | ([stopping, $grace] | min) as $takes
  | if $takes == 0 then "0s"
    else ((.metadata.deletionTimestamp | fromdate) - $grace + $takes + 1) | todate
    end;
