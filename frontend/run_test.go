package frontend

import (
	"net"
	"testing"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/apicaps"
	digest "github.com/opencontainers/go-digest"
	"google.golang.org/protobuf/proto"
)

// runStep returns an exec operation with the options of a command line, and its metadata.
func runStep(t *testing.T, ui dockerui.Config, caps apicaps.CapSet) (*pb.ExecOp, *llb.OpMetadata) {
	t.Helper()
	step := llb.Image("docker.io/library/node").Run(append(runOptions(ui, caps), llb.Args([]string{"npm"}))...)
	def, err := step.Root().Marshal(t.Context(), llb.LinuxAmd64)
	must(t, err)
	for _, data := range def.Def {
		var op pb.Op
		must(t, op.UnmarshalVT(data))
		if exec := op.GetExec(); exec != nil {
			metadata := def.Metadata[digest.FromBytes(data)]
			return exec, &metadata
		}
	}
	t.Fatal("there is no exec operation")
	return nil, nil
}

// Options for a Dockerfile's RUN apply to our steps too.
func TestRunOptions(t *testing.T) {
	t.Parallel()
	limits := &pb.LinuxResources{Memory: 1 << 30, MemorySwap: 2 << 30, CpuShares: 512, CpuPeriod: 100000, CpuQuota: 50000, CpusetCpus: "0-1", CpusetMems: "0"}
	ui := dockerui.Config{
		BuildArgs:      map[string]string{"https_proxy": "http://proxy.example.com"},
		NetworkMode:    pb.NetMode_HOST,
		Hostname:       "builder",
		ExtraHosts:     []llb.HostIP{{Host: "npm.example.com", IP: net.IPv4(10, 0, 0, 1)}},
		Ulimits:        []*pb.Ulimit{{Name: "nofile", Soft: 1024, Hard: 2048}},
		ShmSize:        1 << 26,
		CgroupParent:   "/ci",
		LinuxResources: limits,
		Devices:        []*pb.CDIDevice{{Name: "vendor.com/device=1", Optional: true}},
	}
	exec, metadata := runStep(t, ui, pb.Caps.CapSet(pb.Caps.All()))
	meta := exec.Meta
	if exec.Network != pb.NetMode_HOST {
		t.Errorf("the network is %s", exec.Network)
	}
	if meta.ProxyEnv.GetHttpsProxy() != "http://proxy.example.com" {
		t.Errorf("the proxies are %v", meta.ProxyEnv)
	}
	if meta.Hostname != "builder" || meta.CgroupParent != "/ci" {
		t.Errorf("the host name is %q, the cgroup parent %q", meta.Hostname, meta.CgroupParent)
	}
	if len(meta.ExtraHosts) != 1 || meta.ExtraHosts[0].Host != "npm.example.com" || meta.ExtraHosts[0].IP != "10.0.0.1" {
		t.Errorf("the hosts are %v", meta.ExtraHosts)
	}
	if len(meta.Ulimit) != 1 || !proto.Equal(meta.Ulimit[0], ui.Ulimits[0]) {
		t.Errorf("the limits are %v", meta.Ulimit)
	}
	if !proto.Equal(metadata.LinuxResources, limits) {
		t.Errorf("the resources are %v", metadata.LinuxResources)
	}
	if len(exec.CdiDevices) != 1 || exec.CdiDevices[0].Name != "vendor.com/device=1" || !exec.CdiDevices[0].Optional {
		t.Errorf("the devices are %v", exec.CdiDevices)
	}
	last := exec.Mounts[len(exec.Mounts)-1]
	if last.Dest != "/dev/shm" || last.MountType != pb.MountType_TMPFS || last.TmpfsOpt.Size != 1<<26 {
		t.Errorf("the last mount is %v", last)
	}
}

// An older builder would refuse an operation that it does not know.
func TestRunOptionsOfAnOlderBuilder(t *testing.T) {
	t.Parallel()
	ui := dockerui.Config{
		Ulimits: []*pb.Ulimit{{Name: "nofile"}}, ShmSize: 1, CgroupParent: "/ci",
		LinuxResources: &pb.LinuxResources{Memory: 1}, Devices: []*pb.CDIDevice{{Name: "a"}},
	}
	exec, metadata := runStep(t, ui, pb.Caps.CapSet(nil))
	if len(exec.Meta.Ulimit)+len(exec.CdiDevices) > 0 || exec.Meta.CgroupParent != "" || metadata.LinuxResources != nil || len(exec.Mounts) != 1 {
		t.Errorf("the operation is %v", exec)
	}
}
