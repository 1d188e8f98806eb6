# The same image without a build engine: what a careful engineer would write with
# crane (https://github.com/google/go-containerregistry). The exports and the
# download run side by side, and one crane command adds the layer and pushes.
set -eu
mkdir -p files
(cd files && umask 022 && mkdir -p opt/harness usr/local/bin && cd opt/harness && mkdir -m 777 bin scripts client-tools)

"$CRANE" export --platform linux/amd64 "$HARNESS_BASE_IMAGE" - |
  tar -x -C files opt/harness/bin/harness-sam-plugin opt/harness/scripts &
plugin=$!
"$CRANE" export --platform linux/amd64 "$DOCKER_IMAGE" - | tar -x -C files usr/local/bin/docker &
docker=$!
curl -fsSL -o files/opt/harness/client-tools/go-template "$GO_TEMPLATE_URL"
wait "$plugin"
wait "$docker"

chmod 777 files/opt/harness/bin files/opt/harness/scripts files/opt/harness/client-tools
chmod 755 files/opt/harness/bin/harness-sam-plugin files/opt/harness/scripts/sam-plugin.sh \
  files/opt/harness/client-tools/go-template files/usr/local/bin/docker
tar -c -C files --sort=name --mtime=@315532800 --owner=0 --group=0 --numeric-owner opt usr | gzip -1 >layer.tar.gz

# A new entrypoint clears the command.
"$CRANE" mutate "$SAM_BASE_IMAGE" --append layer.tar.gz --entrypoint /opt/harness/scripts/sam-plugin.sh --tag "$FINAL_IMAGE"
