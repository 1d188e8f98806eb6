// Package testenv is the test bed of samforge: a real registry that counts what is fetched from it,
// real buildkitds, a file server, and stand-ins for the base images, for machines that cannot reach
// a public registry.
//
// Tests, `make demo` and `make bench` use it, so its core does not depend on testing.T; New in
// testing.go adds that. Everything listens on loopback or on a Unix socket, stops with Close, and
// dies with the process that started it.
//
// [New] or [StartRegistry], [StartBuildkitd] and [StartFiles] start the servers, [SAMBase],
// [PluginImage] and [DockerCLI] make images, [Registry.PublishAll] serves them under their public
// names, [Registry.ReadImage] reads results back. [ServerlessBases] makes images whose Node and
// Python run, [StartNPMRegistry] serves npm packages to the programs in them. [FunctionBases] makes
// images for Lambda functions, [StartGoProxy] serves the Go modules that one of them is made from,
// and [Dockerd.StartFunction] runs a function.
package testenv
