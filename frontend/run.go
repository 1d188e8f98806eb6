package frontend

import (
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/apicaps"
)

// runOptions returns the options of the image's steps: the network, hosts and limits of the docker
// build command line, as BuildKit's Dockerfile frontend applies them to RUN. Like there, options
// that the builder is too old for are left out.
// https://github.com/moby/buildkit/blob/v0.34.2/frontend/dockerfile/dockerfile2llb/convert.go
// (dispatchRun)
func runOptions(ui dockerui.Config, caps apicaps.CapSet) []llb.RunOption {
	opts := []llb.RunOption{llb.Network(ui.NetworkMode)}
	if env := proxy(ui.BuildArgs); env != nil {
		opts = append(opts, llb.WithProxy(*env))
	}
	if ui.Hostname != "" {
		opts = append(opts, llb.Hostname(ui.Hostname))
	}
	for _, h := range ui.ExtraHosts {
		opts = append(opts, llb.AddExtraHost(h.Host, h.IP))
	}
	supports := func(id apicaps.CapID) bool { return caps.Supports(id) == nil }
	if supports(pb.CapExecMetaUlimit) {
		for _, u := range ui.Ulimits {
			opts = append(opts, llb.AddUlimit(llb.UlimitName(u.Name), u.Soft, u.Hard))
		}
	}
	if supports(pb.CapExecMetaCDI) {
		for _, device := range ui.Devices {
			cdi := []llb.CDIDeviceOption{llb.CDIDeviceName(device.Name)}
			if device.Optional {
				cdi = append(cdi, llb.CDIDeviceOptional)
			}
			opts = append(opts, llb.AddCDIDevice(cdi...))
		}
	}
	if ui.ShmSize > 0 && supports(pb.CapExecMountTmpfsSize) {
		opts = append(opts, llb.AddMount("/dev/shm", llb.Scratch(), llb.Tmpfs(llb.TmpfsSize(ui.ShmSize))))
	}
	if ui.CgroupParent != "" && supports(pb.CapExecMetaCgroupParent) {
		opts = append(opts, llb.WithCgroupParent(ui.CgroupParent))
	}
	if r := ui.LinuxResources; r != nil && supports(pb.CapExecMetaLinuxResources) {
		opts = append(opts, llb.WithLinuxResources(llb.LinuxResources{
			Memory:     r.Memory,
			MemorySwap: r.MemorySwap,
			CPUShares:  r.CpuShares,
			CPUPeriod:  r.CpuPeriod,
			CPUQuota:   r.CpuQuota,
			CpusetCpus: r.CpusetCpus,
			CpusetMems: r.CpusetMems,
		}))
	}
	return opts
}
