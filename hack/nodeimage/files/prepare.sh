# Runs in the build container before images are imported: what can only be made with the image's own programs.
set -eu

# The description every pod's container starts from. kind's hook hides the host's product id from containers. Resource limits are
# the pod's business, not containerd's.
ctr oci spec |
  jq 'del(.process.rlimits) | .hooks.createContainer += [{"path": "/kind/bin/mount-product-files.sh"}]' \
    >/etc/containerd/cri-base.json

# The content store is all that importing needs; whatever else containerd misses in an unprivileged container does not matter.
containerd >/var/log/containerd-build.log 2>&1 &
for _ in $(seq 50); do
  ctr version >/dev/null 2>&1 && exit 0
  sleep 0.2
done
echo 'containerd did not answer within 10 s; its log ends with:' >&2
tail -5 /var/log/containerd-build.log >&2
exit 1
