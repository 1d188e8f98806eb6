package ci

import (
	"fmt"
	"time"
)

// imageSettings are the settings of what the image is called.
func imageSettings() []Setting {
	return []Setting{
		text("PLUGIN_REPO", "", "Repository of the image, with or without its registry. Required for a push", func(s *Step) *string { return &s.repo }),
		text("PLUGIN_REGISTRY DOCKER_REGISTRY", "", "Registry of the repository, which is put before it unless it is there, with a path such as the project of Google's Artifact Registry. Of an address with a scheme only the host counts", func(s *Step) *string { return &s.registry }),
		commas("PLUGIN_TAGS PLUGIN_TAG", "the file .tags, else latest", "Tags of the image", func(s *Step) *[]string { return &s.tags }),
		boolean("PLUGIN_AUTO_TAG PLUGIN_DEFAULT_TAGS", "false", "Make the tags from the commit: v1.2.3 gives 1, 1.2 and 1.2.3, the default branch latest. For another branch nothing is built", func(s *Step) *bool { return &s.autoTag }),
		text("PLUGIN_AUTO_TAG_SUFFIX PLUGIN_DEFAULT_SUFFIX", "", "Put at the end of each tag of PLUGIN_AUTO_TAG", func(s *Step) *string { return &s.autoTagSuffix }),
		boolean("PLUGIN_EXPAND_TAG", "false", "Expand each tag that is a version: 1.2.3 gives 1, 1.2 and 1.2.3", func(s *Step) *bool { return &s.expandTag }),
		text("DRONE_COMMIT_REF CI_COMMIT_REF", "", "Reference of the commit, for PLUGIN_AUTO_TAG", func(s *Step) *string { return &s.commitRef }),
		text("DRONE_REPO_BRANCH CI_DEFAULT_BRANCH", "", "Default branch, for PLUGIN_AUTO_TAG", func(s *Step) *string { return &s.defaultBranch }),
		text("DRONE_COMMIT_SHA CI_COMMIT_SHA", "", "Commit, for the label org.opencontainers.image.revision", func(s *Step) *string { return &s.commit }),
		text("DRONE_REMOTE_URL", "", "Address of the repository of the code, for the label org.opencontainers.image.source", func(s *Step) *string { return &s.remoteURL }),
		text("PLUGIN_REPO_LINK DRONE_REPO_LINK", "", "Web page of the repository of the code, for the label org.opencontainers.image.url", func(s *Step) *string { return &s.repoLink }),
		boolean("PLUGIN_AUTO_LABEL", "true", "Label the image with created (the time of the commit), revision, source and url", func(s *Step) *bool { return &s.autoLabel }),
		commas("PLUGIN_CUSTOM_LABELS PLUGIN_LABELS", "", "Labels of the image, as KEY=VALUE", func(s *Step) *[]string { return &s.labels }),
		commas("PLUGIN_LABEL_SCHEMA", "", "Labels of the image, as KEY=VALUE, whose names get org.label-schema. in front", func(s *Step) *[]string { return &s.labelSchema }),
		ignored("PLUGIN_EXPAND_REPO", "the registry is put before the repository wherever it is missing"),
	}
}

// buildSettings are the settings of how the image is built.
func buildSettings() []Setting {
	return []Setting{
		text("PLUGIN_DOCKERFILE", "Dockerfile", "Path of the Dockerfile, relative to the current folder", func(s *Step) *string { return &s.dockerfile }),
		text("PLUGIN_CONTEXT", ".", "Build context: a folder, or the address of a git repository, as REPOSITORY.git#REFERENCE:FOLDER, whose token is the secret GIT_AUTH_TOKEN of PLUGIN_SECRETS_FROM_ENV", func(s *Step) *string { return &s.context }),
		text("PLUGIN_CONTEXT_SUB_PATH", "", "Folder in PLUGIN_CONTEXT that is the build context", func(s *Step) *string { return &s.subPath }),
		text("PLUGIN_TARGET", "the last stage", "Stage to build", func(s *Step) *string { return &s.target }),
		commas("PLUGIN_BUILD_ARGS", "", "Build arguments, as NAME=VALUE, or NAME for the value in the environment", func(s *Step) *[]string { return &s.buildArgs }),
		semis("PLUGIN_BUILD_ARGS_NEW", "", "As PLUGIN_BUILD_ARGS, with semicolons, so that values can have commas", func(s *Step) *[]string { return &s.buildArgsNew }),
		boolean("PLUGIN_MULTIPLE_BUILD_ARGS", "false", "Take PLUGIN_BUILD_ARGS_NEW and not PLUGIN_BUILD_ARGS. With only one of them given, that one is taken", func(s *Step) *bool { return &s.multipleArgs }),
		commas("PLUGIN_BUILD_ARGS_FROM_ENV", "", "Names of variables whose values are build arguments", func(s *Step) *[]string { return &s.argsFromEnv }),
		commas("PLUGIN_PLATFORM PLUGIN_CUSTOM_PLATFORM PLUGIN_PLATFORMS", "that of the builder", "Platforms of the image. Several make an index", func(s *Step) *[]string { return &s.platforms }),
		commas("PLUGIN_ADD_HOST", "", "Hosts that the build steps find at an address, as HOST:IP", func(s *Step) *[]string { return &s.addHosts }),
		boolean("PLUGIN_NO_CACHE", "false", "Run every step again", func(s *Step) *bool { return &s.noCache }),
		boolean("PLUGIN_QUIET", "false", "Show no progress", func(s *Step) *bool { return &s.quiet }),
		boolean("PLUGIN_REPRODUCIBLE", "false", "Set the times of all files in the image to that of the commit, so that it is the same on every builder. Layers of a cache are pulled for it", func(s *Step) *bool { return &s.reproducible }),
		commas("PLUGIN_BUILDX_OPTIONS", "", "Flags of docker buildx build, separated by commas", func(s *Step) *[]string { return &s.buildxOptions }),
		text("PLUGIN_BUILDER_REMOTE_CONN BUILDKIT_HOST", "one that samforge finds or starts", "Address of a buildkitd, such as tcp://buildkitd:1234", func(s *Step) *string { return &s.builder }),
		semis("PLUGIN_BUILDX_OPTIONS_SEMICOLON", "", "Flags of docker buildx build, separated by semicolons", func(s *Step) *[]string { return &s.buildxOptions }),
		commas("PLUGIN_BAKE_FILE", "", "Bake files, whose targets are built in place of one Dockerfile: HCL, JSON or Compose. Their tags are pushed, and no image before all are built. Settings of one image do nothing then", func(s *Step) *[]string { return &s.bakeFiles }),
		semis("PLUGIN_BAKE_OPTIONS", "the group default", "Targets to build, and flags of docker buildx bake, separated by semicolons", func(s *Step) *[]string { return &s.bakeOptions }),
		ignored("PLUGIN_PULL_IMAGE", "BuildKit asks the registry for each base image every time"),
		ignored("PLUGIN_COMPRESS", "a builder is sent only files that have changed"),
		ignored("PLUGIN_SQUASH", "BuildKit does not squash layers: use a multi-stage build"),
	}
}

// pushSettings are the settings of where the image goes.
func pushSettings() []Setting {
	return []Setting{
		boolean("PLUGIN_DRY_RUN PLUGIN_NO_PUSH", "false", "Build, and push nothing: no image, and no cache in a registry", func(s *Step) *bool { return &s.noPush }),
		text("PLUGIN_TAR_PATH PLUGIN_DESTINATION_TAR_PATH", "", "File that gets the image as docker save writes it, beside a push too", func(s *Step) *string { return &s.tarPath }),
		text("PLUGIN_BUILDX_OUTPUT_FORMAT", "docker", "Format of PLUGIN_TAR_PATH: docker or oci", func(s *Step) *string { return &s.tarFormat }),
		text("PLUGIN_OCI_LAYOUT_PATH", "", "Folder that gets the image as an OCI layout", func(s *Step) *string { return &s.layoutPath }),
		text("PLUGIN_ARTIFACT_FILE", "", "File that gets the images and their digests as JSON, in the form docker/v1", func(s *Step) *string { return &s.artifactFile }),
		text("PLUGIN_REGISTRY_TYPE ARTIFACT_REGISTRY", "by the registry", "registryType in PLUGIN_ARTIFACT_FILE: Docker, ECR, GCR, GAR or ACR", func(s *Step) *string { return &s.registryType }),
		text("PLUGIN_METADATA_FILE", "", "File that gets the metadata of the build, as docker buildx writes it", func(s *Step) *string { return &s.metadataFile }),
		text("PLUGIN_IMAGE_NAME_WITH_DIGEST_FILE", "", "File that gets a line REPOSITORY@DIGEST for each image", func(s *Step) *string { return &s.digestFile }),
		text("PLUGIN_IMAGE_NAME_TAG_WITH_DIGEST_FILE", "", "File that gets a line REPOSITORY:TAG@DIGEST for each tag", func(s *Step) *string { return &s.tagDigestFile }),
		text("DRONE_OUTPUT HARNESS_OUTPUT_FILE", "", "File for the outputs of the step, which gets digest, and IMAGE_TAR_PATH with a tar file", func(s *Step) *string { return &s.outputFile }),
		boolean("PLUGIN_SKIP_PUSH_IF_TAG_EXISTS", "false", "Build nothing if all tags exist in the registry, else push the missing ones. Tags of another image are named, and stay", func(s *Step) *bool { return &s.skipIfExists }),
		boolean("PLUGIN_SKIP_PUSH_PERMISSION_CHECK", "false", "Do not ask before the build whether each repository takes a push", func(s *Step) *bool { return &s.skipPushCheck }),
		boolean("PLUGIN_PUSH_ONLY", "false", "Build nothing, and push the image in PLUGIN_SOURCE_TAR_PATH", func(s *Step) *bool { return &s.pushOnly }),
		text("PLUGIN_SOURCE_TAR_PATH", "", "Archive of docker save, or an OCI layout in a tar archive, to push with PLUGIN_PUSH_ONLY", func(s *Step) *string { return &s.sourceTar }),
		refused("PLUGIN_SOURCE_IMAGE", "there is no Docker engine with images: save the image with docker save, and name the file with PLUGIN_SOURCE_TAR_PATH"),
		text("DRONE_CARD_PATH", "", "File that gets the card of the image that Drone and Harness show, after a push. Its size is that of the compressed layers. /dev/stdout puts it into the log", func(s *Step) *string { return &s.cardPath }),
		ignored("PLUGIN_PURGE", "the image is never in an engine that it would have to be removed from"),
	}
}

// loginSettings are the settings of credentials.
func loginSettings() []Setting {
	return []Setting{
		text("PLUGIN_USERNAME DOCKER_USERNAME", "", "User of the registry", func(s *Step) *string { return &s.push.username }),
		text("PLUGIN_PASSWORD DOCKER_PASSWORD", "", "Password of the registry", func(s *Step) *string { return &s.push.password }),
		text("ACCESS_TOKEN PLUGIN_ACCESS_TOKEN", "", "Access token of Google's registries, in place of a user and a password", func(s *Step) *string { return &s.accessToken }),
		text("PLUGIN_BASE_IMAGE_REGISTRY PLUGIN_DOCKER_REGISTRY DOCKER_BASE_IMAGE_REGISTRY", "", "Registry of the base images", func(s *Step) *string { return &s.base.registry }),
		text("PLUGIN_BASE_IMAGE_USERNAME PLUGIN_DOCKER_USERNAME DOCKER_BASE_IMAGE_USERNAME", "", "User of the registry of the base images. If it is that of the image, this user is for all other repositories", func(s *Step) *string { return &s.base.username }),
		text("PLUGIN_BASE_IMAGE_PASSWORD PLUGIN_DOCKER_PASSWORD DOCKER_BASE_IMAGE_PASSWORD", "", "Password of the registry of the base images", func(s *Step) *string { return &s.base.password }),
		text("PLUGIN_CONFIG DOCKER_PLUGIN_CONFIG", "", "Docker's config.json with the credentials of registries: its text, or its path", func(s *Step) *string { return &s.dockerConfig }),
		commas("PLUGIN_SECRETS_FROM_ENV", "", "Secrets of the build from variables, as ID=VARIABLE", func(s *Step) *[]string { return &s.secretsFromEnv }),
		commas("PLUGIN_SECRETS_FROM_FILE", "", "Secrets of the build from files, as ID=PATH", func(s *Step) *[]string { return &s.secretsFromFile }),
		text("PLUGIN_SECRET", "", "A secret of the build, as docker buildx build --secret takes it", func(s *Step) *string { return &s.secret }),
		text("PLUGIN_SSH_AGENT_KEY", "", "Text of a private SSH key for RUN --mount=type=ssh. It is in no file", func(s *Step) *string { return &s.sshKey }),
		ignored("PLUGIN_EMAIL DOCKER_EMAIL", "no registry uses the address"),
	}
}

// otherSettings are those about the environment of the step, and those of daemons and of kaniko, which
// have no meaning for BuildKit.
func otherSettings() []Setting {
	const daemon = "there is no Docker daemon"
	const kaniko = "BuildKit takes no snapshots of the whole file system"
	return []Setting{
		{Names: []string{envFile}, Type: typeText, Does: "File with further variables, one NAME=VALUE a line", set: func(s *Step, value string) error {
			s.envFile = value // it is read before
			return nil
		}},
		text("HARNESS_CA_PATH", "", "File with certificates of authorities, in PEM, that registries and the APIs of clouds are trusted by too", func(s *Step) *string { return &s.caPath }),
		ignored("PLUGIN_BUILDER_NAME PLUGIN_BUILDER_DRIVER PLUGIN_BUILDER_DRIVER_OPTS PLUGIN_BUILDER_DRIVER_OPTS_NEW", "samforge finds or starts a builder: name one with PLUGIN_BUILDER_REMOTE_CONN"),
		ignored("PLUGIN_USE_LOADED_BUILDKIT PLUGIN_BUILDKIT_ASSETS_DIR PLUGIN_BUILDKIT_VERSION PLUGIN_BUILDX_LOAD", "BuildKit is in the image of samforge"),
		{Names: names("PLUGIN_BUILDKIT_RESPONSE_HEADER_TIMEOUT"), Type: typeText, Default: "SAMFORGE_SILENCE, else 1m", Does: "How long a registry may send nothing before it is given up, such as 30s", set: func(s *Step, value string) (err error) {
			if s.silence, err = time.ParseDuration(value); err != nil || s.silence < time.Second {
				return fmt.Errorf("%q is not a time of a second or more, such as 30s", value)
			}
			return nil
		}},
		ignored("PLUGIN_BUILDKIT_TLS_HANDSHAKE_TIMEOUT", "BuildKit waits 10 seconds for a handshake"),
		ignored("PLUGIN_VERBOSITY PLUGIN_LOG_FORMAT PLUGIN_LOG_TIMESTAMP", "the log has one form"),
		ignored("PLUGIN_CACHE_METRICS_FILE", "the log says which steps came from the cache"),
		ignored("PLUGIN_STORAGE_DRIVER", daemon), ignored("PLUGIN_STORAGE_PATH", daemon), ignored("PLUGIN_BIP", daemon), ignored("PLUGIN_MTU", daemon),
		ignored("PLUGIN_IPV6", daemon), ignored("PLUGIN_EXPERIMENTAL", daemon), usual("PLUGIN_DAEMON_OFF", "true", daemon), ignored("PLUGIN_DAEMON_RETRY_COUNT", daemon),
		ignored("PLUGIN_DEBUG DOCKER_LAUNCH_DEBUG", daemon),
		usual("PLUGIN_SNAPSHOT_MODE", "redo", kaniko), ignored("PLUGIN_SINGLE_SNAPSHOT", kaniko), ignored("PLUGIN_USE_NEW_RUN", kaniko),
		ignored("PLUGIN_SKIP_UNUSED_STAGES", "BuildKit builds only the stages that are needed"),
		ignored("PLUGIN_CLEANUP", "every step has a file system of its own"), ignored("PLUGIN_FORCE", "every step has a file system of its own"),
		ignored("PLUGIN_IGNORE_VAR_RUN PLUGIN_IGNORE_PATH PLUGIN_IGNORE_PATHS", kaniko),
		ignored("PLUGIN_IMAGE_FS_EXTRACT_RETRY", "BuildKit unpacks an image only when it has all of it"),
	}
}
