// Command demo shows the main job of samforge from end to end: it starts a registry and a buildkitd
// on loopback, publishes stand-ins for the images that cannot be pulled, builds the examples with
// the real command, and prints the pushed images, what was pulled for them, how long it took and
// what is inside. Then it packages a SAM application, and again without a builder. npm's packages
// come from the npm registry that npm is configured for, and Go's modules from go's proxy.
//
// With -real the images and downloads are the public ones, which needs the internet. Pulls from
// public registries are not counted then.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/samforge/samforge/integration/testenv"
)

func main() {
	real := flag.Bool("real", false, "use the public images and downloads instead of stand-ins")
	size := flag.Int64("base-size", 256, "size of each stand-in base image in MB, compressed")
	casts := flag.String("casts", "", "record README's commands as pictures in this `folder`, and build no examples")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *real, *size<<20, *casts); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, real bool, size int64, casts string) (err error) {
	d := &demo{real: real}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.start(ctx, size); err != nil {
		return err
	}
	if casts != "" {
		return d.casts(ctx, casts)
	}
	for _, e := range []example{
		{title: "The SAM image of the published pipeline", file: "examples/sam/samforge.yaml", platforms: "linux/amd64", programs: samPrograms},
		{title: "Four runtimes, two architectures, one command", file: "examples/sam/matrix.yaml", platforms: bothPlatforms, programs: samPrograms},
	} {
		if err := d.show(ctx, e); err != nil {
			return err
		}
	}
	if err := d.publishServerless(ctx, size/4); err != nil {
		return err
	}
	err = d.show(ctx, example{
		title: "The Serverless images: nine pairs of runtime and Node.js, eighteen images, two architectures, one command",
		file:  "examples/serverless/samforge.yaml", platforms: bothPlatforms, programs: serverlessPrograms, look: ":python3.12-",
	})
	if err != nil {
		return err
	}
	return d.application(ctx)
}

// example is a build file that is shown.
type example struct {
	title, file, platforms string
	// programs must be in each image.
	programs []string
	// look selects the references to inspect by a part of their names; empty means all.
	look string
}

const bothPlatforms = "linux/amd64,linux/arm64"

// demo is the test bed of the demonstration.
type demo struct {
	real      bool
	registry  *testenv.Registry
	target    string // address of the registry that casts push to: not the one of the bases, as a user's
	files     *testenv.Files
	npm       *testenv.NPMRegistry
	modules   *testenv.GoProxy
	buildkitd *testenv.Buildkitd
	images    []string // stand-ins with counted pulls
}

func (d *demo) start(ctx context.Context, size int64) (err error) {
	if d.registry, err = testenv.StartRegistry(ctx, testenv.RegistryOptions{}); err != nil {
		return err
	}
	if d.files, err = testenv.StartFiles(ctx); err != nil {
		return err
	}
	if d.buildkitd, err = testenv.StartBuildkitd(ctx, testenv.BuildkitdOptions{}); err != nil {
		return err
	}
	if d.real {
		return nil
	}
	fmt.Printf("Making stand-ins for the public images (bases of %d MB, two architectures) …\n", size>>20)
	set, err := testenv.StandIns(ctx, testenv.StandInOptions{BaseSize: size, PluginSize: 20 << 20, DockerSize: 40 << 20})
	if err != nil {
		return err
	}
	if err := d.registry.PublishAll(set); err != nil {
		return err
	}
	d.images = []string{
		testenv.Node22Base, testenv.Python312Base, testenv.Java21Base, testenv.ProvidedBase,
		testenv.SAMPlugin, testenv.DockerCLIImage,
	}
	for _, arch := range []string{"amd64", "arm64"} {
		binary, err := testenv.Executable(ctx, "go-template", arch, "v0.4.15")
		if err != nil {
			return err
		}
		d.files.Add("/public/shared/tools/go-template/release/v0.4.15/bin/linux/"+arch+"/go-template", binary)
	}
	return nil
}

// publishServerless publishes the stand-ins of the Serverless images instead of the SAM ones: their
// systems can run, because npm runs in them.
func (d *demo) publishServerless(ctx context.Context, size int64) (err error) {
	if d.real {
		return nil
	}
	if d.npm, err = testenv.StartNPMRegistry(ctx); err != nil {
		return err
	}
	fmt.Printf("\nMaking stand-ins for nine runtime images and three node images with systems that run …\n")
	set, err := testenv.ServerlessBases(ctx, testenv.ServerlessOptions{Size: size})
	if err != nil {
		return err
	}
	for _, arch := range []string{"amd64", "arm64"} {
		plugin, err := testenv.PluginImage(ctx, testenv.PluginOptions{Kind: "serverless", Version: "1.1.0-beta", Arch: arch, BinarySize: 20 << 20})
		if err != nil {
			return err
		}
		set[testenv.ServerlessPlugin] = append(set[testenv.ServerlessPlugin], plugin)
	}
	d.images = []string{
		testenv.Java8AL2Base, testenv.Java17Base, testenv.Java21Base, testenv.Python311Base, testenv.Python312Base, testenv.Ruby32Base,
		testenv.Node18Base, testenv.Node20Base, testenv.Node22Base,
		testenv.Lambda18Base, testenv.Lambda20Base, testenv.Lambda22Base, testenv.ServerlessPlugin, testenv.DockerCLIImage,
	}
	return d.registry.PublishAll(set)
}

func (d *demo) close() error {
	var errs []error
	if d.modules != nil {
		errs = append(errs, d.modules.Close())
	}
	if d.npm != nil {
		errs = append(errs, d.npm.Close())
	}
	if d.buildkitd != nil {
		errs = append(errs, d.buildkitd.Close())
	}
	if d.files != nil {
		errs = append(errs, d.files.Close())
	}
	if d.registry != nil {
		errs = append(errs, d.registry.Close())
	}
	return errors.Join(errs...)
}

// mirrors are the flags that point samforge to the stand-ins.
func (d *demo) mirrors() []string {
	if d.real {
		return nil
	}
	flags := []string{"--mirror", "https://app.harness.io/=" + d.files.URL() + "/"}
	if d.npm != nil {
		flags = append(flags, "--mirror", "https://registry.npmjs.org/="+d.npm.URL()+"/")
	}
	for from, to := range d.registry.Mirrors() {
		flags = append(flags, "--mirror", from+"="+to)
	}
	return flags
}

// show builds one example and prints the results.
func (d *demo) show(ctx context.Context, e example) error {
	heading(e.title)
	d.registry.Reset()
	built, err := d.build(ctx, e)
	if err != nil {
		return err
	}
	if err := d.pulled(ctx); err != nil {
		return err
	}
	for _, line := range built {
		if !strings.Contains(line, e.look) {
			continue
		}
		if err := d.inspect(ctx, line, e.programs); err != nil {
			return err
		}
	}
	return nil
}

func heading(title string) {
	fmt.Printf("\n%s\n%s\n\n", title, strings.Repeat("=", len(title)))
}
